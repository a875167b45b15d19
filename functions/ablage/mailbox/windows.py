"""UIDs are listed a window at a time, the next one while the mails of this one come, so that the
line does not stand still in between."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import InitVar, dataclass
from itertools import chain, repeat

from ablage.mailbox.pace import Pace
from ablage.mailbox.pull import Result, pull
from ablage.mailbox.status import Listed, Listing, list_sizes
from ablage.mailbox.syntax import Answer
from ablage.mailbox.wire import Wire

WINDOWS = (250, 1000)  # UIDs, of the first ones: the first mail is not kept waiting
WINDOW = 4000
BEFORE_LISTING = 20  # mails of a window that are asked for before the next one is listed

Choose = Callable[[Sequence[int], list[Listed]], list[Listed]]


@dataclass
class Windows:
    """`choose` picks of a window: it gets its UIDs and what the server lists of them, which lacks
    what is gone, and gives what is to be fetched. `items` are further ones to list. Where it
    `may_list_ahead`, `choose` is called while mails of the window before are still to come."""

    wire: Wire
    uids: InitVar[Sequence[int]]
    choose: Choose
    pace: Pace
    items: bytes = b""
    may_list_ahead: bool = True

    def __post_init__(self, uids: Sequence[int]) -> None:
        self._plan = windows(uids)
        self._next = next(self._plan, None)
        self._ahead: Listing | None = None  # of the next window

    def fetch(self, should_stop: Callable[[], bool], room: Callable[[], int]) -> Iterator[Result]:
        """All that was picked, in the order of the UIDs; else as `pull`. Raises AccountFault."""
        while self._next is not None and not should_stop():
            for portion in self.pace.portions(self._mails()):
                yield from pull(
                    self.wire, portion, self.pace, should_stop, room=room, hear=self._hear
                )
                if should_stop():
                    return

    def _mails(self) -> Iterator[Listed]:
        """Of the next window, and of those behind it that are listed in time."""
        while True:
            mails = self._take()
            yield from mails[:BEFORE_LISTING]
            self._list_ahead()
            yield from mails[BEFORE_LISTING:]
            if self._ahead is None or not self._ahead.is_whole:
                return

    def _hear(self, told: Answer | re.Match[bytes]) -> None:
        if self._ahead:
            self._ahead.hear(told)

    def _take(self) -> list[Listed]:
        uids, ahead = self._next or [], self._ahead
        self._next, self._ahead = next(self._plan, None), None
        return self.choose(uids, ahead.listed() if ahead else self._listed(uids))

    def _listed(self, uids: Sequence[int]) -> list[Listed]:
        return list_sizes(self.wire, sorted(uids), self.items, self.pace.depth)

    def _list_ahead(self) -> None:
        if self._next is not None and self.may_list_ahead and self.pace.may_send_ahead:
            self._ahead = Listing(self.wire, sorted(self._next), self.items)


def windows(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    start = 0
    for size in chain(WINDOWS, repeat(WINDOW)):
        if start >= len(uids):
            return
        yield uids[start : start + size]
        start += size
