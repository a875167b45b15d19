"""What comes from the socket, cut into lines and literals with one copy each.

The buffer grows to what a session needs: 64 KiB for a look, KEPT_BYTES once mail comes. A longer
literal is received beside it."""

from collections.abc import Callable

BUFFER_BYTES = 64 * 1024
KEPT_BYTES = 1024 * 1024

Receive = Callable[[memoryview], int]


class Inflow:
    """`receive` fills some of a view and says how much, at least one byte, or raises."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._buffer = bytearray(BUFFER_BYTES)
        self._start = 0
        self._end = 0

    @property
    def waiting(self) -> int:
        """Bytes received and not yet taken."""
        return self._end - self._start

    def line(self, limit: int) -> bytes | None:
        """Up to and with LF; None when more than `limit` bytes came without one."""
        searched = self._start
        while (found := self._buffer.find(b"\n", searched, self._end)) < 0:
            waiting = self._end - self._start
            if waiting > limit:
                return None
            self._fill(waiting + 1)
            searched = self._start + waiting
        return self._cut(found + 1 - self._start)

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        if size > KEPT_BYTES:
            return self._take_beside(size)
        while self._end - self._start < size:
            self._fill(size)
        return self._cut(size)

    def _take_beside(self, size: int) -> bytes:
        taken = bytearray(size)
        have = min(self._end - self._start, size)
        taken[:have] = self._cut(have)
        with memoryview(taken) as view:
            while have < size:
                have += self._receive(view[have:])
        return bytes(taken)

    def _cut(self, size: int) -> bytes:
        start = self._start
        self._start += size
        return bytes(memoryview(self._buffer)[start : self._start])

    def _fill(self, wanted: int) -> None:
        """Receive once; there is room for `wanted` bytes from the first one waiting."""
        if self._start == self._end:
            self._start = self._end = 0
        if len(self._buffer) - self._start < wanted or self._end == len(self._buffer):
            self._make_room(wanted)
        with memoryview(self._buffer) as view:
            self._end += self._receive(view[self._end :])

    def _make_room(self, wanted: int) -> None:
        """What waits goes to the front, of a larger buffer where it needs one."""
        waiting = self._buffer[self._start : self._end]
        size = len(self._buffer)
        while size < wanted + BUFFER_BYTES:
            size *= 2
        if size > 4 * KEPT_BYTES and wanted <= KEPT_BYTES:  # a long line was before
            size = KEPT_BYTES
        if size != len(self._buffer):
            self._buffer = bytearray(size)
        self._buffer[: len(waiting)] = waiting
        self._start, self._end = 0, len(waiting)
