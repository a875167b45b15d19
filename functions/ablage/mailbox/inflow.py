"""What comes from the socket, cut into lines and literals with as few copies as Python allows.

A small literal lies in the buffer whole and is copied out; of a larger one only the head does, the
rest is received beside the buffer."""

from collections.abc import Callable

BUFFER_BYTES = 64 * 1024
LARGE_LITERAL_BYTES = 32 * 1024  # from here on a literal is received beside the buffer

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
            waiting = self.waiting
            if waiting > limit:
                return None
            self._fill()
            searched = self._start + waiting
        return self._cut(found + 1 - self._start)

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        if size > LARGE_LITERAL_BYTES and size > self.waiting:
            return self._take_large(size)
        while self.waiting < size:
            self._fill()
        return self._cut(size)

    def _take_large(self, size: int) -> bytes:
        taken = bytearray(size)
        have = self.waiting
        taken[:have] = self._cut(have)
        with memoryview(taken) as view:
            while have < size:
                have += self._receive(view[have:])
        return bytes(taken)

    def _cut(self, size: int) -> bytes:
        start = self._start
        self._start += size
        return bytes(memoryview(self._buffer)[start : self._start])

    def _fill(self) -> None:
        if self._start == self._end:
            self._start = self._end = 0
            if len(self._buffer) > BUFFER_BYTES:
                self._buffer = bytearray(BUFFER_BYTES)
        elif self._end == len(self._buffer):
            self._make_room()
        with memoryview(self._buffer) as view:
            self._end += self._receive(view[self._end :])

    def _make_room(self) -> None:
        """To the front; where that is no room, a line is longer than the buffer: twice of it."""
        waiting = self.waiting
        larger = max(BUFFER_BYTES, 2 * waiting)
        self._buffer[:] = self._buffer[self._start : self._end] + bytes(larger - waiting)
        self._start, self._end = 0, waiting
