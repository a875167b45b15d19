"""How many commands may be in flight: carefully at first, more with each clean round, one at a time
once something went wrong."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

START = 2
MOST = 8  # more that small batches fill would be in flight when a slice ends on a slow server
SET_BYTES = 7000  # of a sequence set: servers refuse lines over 8 KB [imap-sync section 3]
LEAST_SET_BYTES = 500

T = TypeVar("T")


@dataclass
class Pace:
    """`most` is the provider's; `depth` is how many may be in flight now: one for the rest of the
    session once there was trouble. `per_second` mails are asked for in a second at most, 0 for as
    many as come. `suspect` is the UID the server was at when the session broke, 0 while that is not
    known. `clock` counts seconds, `sleep` waits."""

    most: int = MOST
    set_bytes: int = SET_BYTES
    per_second: int = 0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    had_trouble: bool = field(default=False, init=False)
    suspect: int = field(default=0, init=False)
    depth: int = field(init=False)
    _clean: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.depth = min(START, self.most)

    def slow_down(self) -> None:
        """One at a time: there was trouble lately."""
        self.depth = self.most = 1

    def portions(self, mails: Sequence[T]) -> Iterator[Sequence[T]]:
        """All, or what may be asked for in a second, a second apart."""
        size = self.per_second or max(len(mails), 1)
        for start in range(0, len(mails), size):
            began = self.clock()
            yield mails[start : start + size]
            rest = began + 1 - self.clock()
            if self.per_second and rest > 0 and start + size < len(mails):
                self.sleep(rest)

    def clean(self) -> None:
        """A command ended well; a round is as many as were in flight."""
        self._clean += 1
        if self._clean >= self.depth:
            self.depth = min(2 * self.depth, self.most)
            self._clean = 0

    def trouble(self, *, is_refused: bool = False) -> None:
        """NO, BAD or a lost connection. `is_refused`: BAD, perhaps for the length of its line."""
        self.had_trouble = True
        self.slow_down()
        if is_refused:
            self.set_bytes = max(self.set_bytes // 2, LEAST_SET_BYTES)
