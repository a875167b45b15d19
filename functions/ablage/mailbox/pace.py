"""How many commands may be in flight: carefully at first, more with each clean round, fewer where
an answer takes long, one at a time once something went wrong."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

START = 4
MOST = 16
LONG_SECONDS = 2.0  # from a command to its end: what is in flight must end with a slice
SET_BYTES = 7000  # of a sequence set: servers refuse lines over 8 KB [imap-sync section 3]
LEAST_SET_BYTES = 500
FARTHEST = 0.15  # seconds: no server is farther away than half the way round the world
MOST_AHEAD = 0.3  # a burst of short answers tells nothing of the next ones
OWN_SECONDS = 0.01  # of an answer, the server's and ours: rather too near than too far

T = TypeVar("T")


@dataclass
class Pace:
    """`most` is the provider's; `depth` is how many may be in flight now: one for the rest of the
    session once there was trouble. `per_second` mails are asked for in a second at most, 0 for as
    many as come. `ahead` is the share of what was asked for that cannot have reached the server
    yet, as far as is known. `suspect` is the UID the server was at when the session broke, 0 where
    that is not known, None where it was at no mail. `clock` counts seconds, `sleep` waits."""

    most: int = MOST
    set_bytes: int = SET_BYTES
    per_second: int = 0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    had_trouble: bool = field(default=False, init=False)
    suspect: int | None = field(default=None, init=False)
    depth: int = field(init=False)
    _way: float | None = field(default=None, init=False)  # seconds from us to the server
    _turn: float = field(default=0.0, init=False)  # seconds from a command to its end, lately
    _clean: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.depth = min(START, self.most)

    @property
    def may_send_ahead(self) -> bool:
        """A command that could wait for others to end."""
        return self.most > 1 and not self.per_second

    @property
    def ahead(self) -> float:
        return min(self._way / self._turn, MOST_AHEAD) if self._way and self._turn else 0.0

    def slow_down(self) -> None:
        """One at a time: there was trouble lately."""
        self.depth = self.most = 1

    def portions(self, mails: Iterable[T]) -> Iterator[Iterable[T]]:
        """All, or what may be asked for in a second, a second apart."""
        if not self.per_second:
            yield mails
            return
        left, rest = iter(mails), 0.0
        while portion := list(islice(left, self.per_second)):
            if rest > 0:
                self.sleep(rest)
            began = self.clock()
            yield portion
            rest = began + 1 - self.clock()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Round a command that is answered at once, and nothing else in flight: how far away the
        server is."""
        began = self.clock()
        yield
        way = max(self.clock() - began - OWN_SECONDS, 0.0) / 2
        self._way = min(way, FARTHEST if self._way is None else self._way)

    def clean(self, seconds: float = 0.0) -> None:
        """A command ended well, `seconds` after it was sent; a round is as many as were in
        flight."""
        self._turn = seconds
        if seconds > LONG_SECONDS:
            self.depth, self._clean = max(self.depth // 2, 1), 0
            return
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
