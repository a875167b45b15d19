"""A scripted server whose connections end in the midst of a byte stream: after so many bytes said,
or heard."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.support.scripted_imap import ScriptedImap, ScriptedSocket

ENDLESS = 2**40


@dataclass
class Cut:
    """Of one connection: how many bytes get through each way, and how many did (`moved`: said,
    heard). `is_reset`: RST, no FIN."""

    said: int = ENDLESS
    heard: int = ENDLESS
    is_reset: bool = False
    moved: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def is_over(self) -> bool:
        """It was cut, and not at its end."""
        return self.moved[0] >= self.said or self.moved[1] >= self.heard


@dataclass
class CutImap(ScriptedImap):
    """The next connections are cut as `cuts` has it, further ones not at all; `seen` holds all."""

    cuts: deque[Cut] = field(default_factory=deque)
    seen: list[Cut] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = CutSocket


class CutSocket(ScriptedSocket):
    def __init__(self, server: ScriptedImap) -> None:
        super().__init__(server)
        assert isinstance(server, CutImap)
        self._cut = server.cuts.popleft() if server.cuts else Cut()
        server.seen.append(self._cut)

    def _end(self) -> None:
        self._hangs_up = True
        self._out.clear()
        if self._cut.is_reset:
            raise ConnectionResetError

    def recv_into(self, into: Any, _size: int = 0) -> int:
        left = self._cut.said - self._cut.moved[0]
        if left <= 0:
            self._end()
            return 0
        size = super().recv_into(memoryview(into)[:left])
        self._cut.moved[0] += size
        return size

    def sendall(self, data: bytes) -> None:
        left = self._cut.heard - self._cut.moved[1]
        super().sendall(data[:left])
        self._cut.moved[1] += min(len(data), left)
        if left < len(data):
            self._end()
