"""A server whose every byte is known beforehand."""

import io

from ablage.errors import AccountFault


class Canned:
    """Says `data`, then hangs up."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)
        self.sent: list[bytes] = []

    def readline(self) -> bytes:
        line = self._data.readline()
        if not line:
            raise AccountFault("server_hung_up", "")
        return line

    def take(self, size: int) -> bytes:
        data = self._data.read(size)
        if len(data) < size:
            raise AccountFault("server_hung_up", "")
        return data

    def send(self, data: bytes) -> None:
        self.sent.append(data)
