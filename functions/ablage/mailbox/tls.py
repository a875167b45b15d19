"""TLS over a socket, with a buffer between them: OpenSSL reads each record from a socket in two
system calls, and Dovecot's records hold 4 KB. Here one call brings many, at two thirds of the CPU.
"""

import socket
import ssl
from collections.abc import Callable
from typing import cast

FED_BYTES = 64 * 1024

Patience = Callable[[], float]
Meanwhile = Callable[[socket.socket, float], None]


class TlsStream:
    """`patience` tells before each wait how many seconds it may take, or raises; `meanwhile` works
    on until the socket can be read, or raises after so many seconds. Raises OSError."""

    meanwhile: Meanwhile | None = None

    def __init__(
        self, plain: socket.socket, context: ssl.SSLContext, host: str, patience: Patience
    ) -> None:
        """The handshake; certificate and SNI are those of `host`."""
        self.patience = patience
        self._plain = plain
        self._timeout = -1.0
        self._is_over = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._read = cast("Callable[[int, memoryview], int]", self._tls.read)
        try:
            self._fed(self._tls.do_handshake)
        finally:
            self._flush()  # an alert too

    def sendall(self, data: bytes) -> None:
        self._fed(lambda: self._tls.write(data))
        self._flush()

    def recv_into(self, into: memoryview) -> int:
        """All that is here, at least a byte; 0 at the end. The hot path: once for every record."""
        while not (filled := self._here(into)) and not self._is_over:
            self._feed()
        return filled

    def _here(self, into: memoryview) -> int:
        filled, size, read = 0, len(into), self._read
        try:
            while filled < size:
                got = read(size - filled, into[filled:])
                self._is_over = not got
                if not got:
                    break
                filled += got
        except ssl.SSLWantReadError:
            pass
        return filled

    def close(self) -> None:
        self._plain.close()

    def _fed(self, work: Callable[[], object]) -> None:
        while True:
            try:
                work()
            except ssl.SSLWantReadError:
                self._feed()
            else:
                return

    def _feed(self) -> None:
        self._flush()
        seconds = self._wait()
        if self.meanwhile:
            self.meanwhile(self._plain, seconds)
        if data := self._plain.recv(FED_BYTES):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._wait()
            self._plain.sendall(self._outgoing.read())

    def _wait(self) -> float:
        """Each setting is a system call."""
        seconds = self.patience()
        if seconds != self._timeout:
            self._timeout = seconds
            self._plain.settimeout(seconds)
        return seconds
