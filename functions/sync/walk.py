"""One ascending pass over UIDs of an open folder, safe to be cut off anywhere.

listed   11  12  13  14  15        store(11), store(12), store(14) have returned
done      x   x   .   x            `high` is 12: the longest prefix without a gap
                                   commit() may write 12, never 14: 13 would be lost
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ablage.errors import AccountFault
from ablage.mailbox.faults import fault
from ablage.mailbox.pull import Fetched, Missed, Result
from ablage.mailbox.session import Session
from ablage.mailbox.status import Listed
from ablage.store.cursors import Problem

WINDOW = 1000  # UIDs listed at a time
COMMIT_SECONDS = 2.0


@dataclass
class Slice:
    """A fair share of a worker: seconds and bytes. `clock` counts seconds."""

    seconds: float
    bytes_left: int
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def spend(self, size: int) -> None:
        self.bytes_left -= size

    def is_over(self) -> bool:
        return self.bytes_left <= 0 or self.clock() - self.began > self.seconds


@dataclass
class Walk:
    """`high` follows the work; `problems` are mails passed over, at most `room` of them to be tried
    again; `since` drops older mail; `alone` (a UID at which an earlier session broke) is fetched
    before the others, by itself; `sift` says which of the listed
    are fetched at all. `gone`: listed by SEARCH, and expunged before they came."""

    session: Session
    share: Slice
    high: int
    since: datetime | None = None
    alone: int = 0
    room: int = 2**31
    sift: Callable[[list[Listed]], list[Listed]] = list
    problems: list[Problem] = field(default_factory=list)
    gone: int = 0
    broken_at: int = 0
    _may_blame: bool = False
    _open: list[int] = field(default_factory=list)
    _done: set[int] = field(default_factory=set)
    _committed: float = 0.0

    def run(
        self, uids: Sequence[int], store: Callable[[Fetched], None], commit: Callable[[], None]
    ) -> bool:
        """Every ascending UID of `uids`: stored before `commit` is called with `high` beyond it.
        False when the share was used up. Raises AccountFault after a last commit; `broken_at` is
        then the first UID not done, if the session broke while mails were fetched."""
        for start in range(0, len(uids), WINDOW):
            if self.share.is_over():
                return False
            self._window(uids[start : start + WINDOW], store, commit)
            if self._open:
                return False
        return True

    def _window(
        self, uids: Sequence[int], store: Callable[[Fetched], None], commit: Callable[[], None]
    ) -> None:
        self._open, self._done = list(reversed(uids)), set()
        self._committed = self.share.clock()
        self._may_blame = False
        try:
            listed = self.session.list_sizes(uids)
            self.gone += len(uids) - len(listed)
            self._may_blame = True
            wanted = self.sift([mail for mail in listed if self._is_wanted(mail)])
            self._finish(set(uids) - {mail.uid for mail in wanted})
            for result in self._pulled(wanted):
                self._take(result, store)
                self._commit_now_and_then(commit)
        except AccountFault:
            self.broken_at = self._open[-1] if self._open and self._may_blame else 0
            commit()
            raise
        commit()

    def _is_wanted(self, mail: Listed) -> bool:
        return self.since is None or mail.received_at is None or mail.received_at >= self.since

    def _pulled(self, wanted: list[Listed]) -> Iterator[Result]:
        suspects = [mail for mail in wanted if mail.uid == self.alone]
        if suspects:
            yield from self.session.pull(suspects, self.share.is_over)
        others = [mail for mail in wanted if mail.uid != self.alone]
        yield from self.session.pull(others, self.share.is_over)

    def _take(self, result: Result, store: Callable[[Fetched], None]) -> None:
        if isinstance(result, Fetched):
            store(result)
            self.share.spend(result.size)
        elif isinstance(result, Missed) and result.code == "gone":
            self.gone += 1
        elif isinstance(result, Missed):
            self._pass_over(Problem(result.uid, result.code))
        self._finish({result.uid})

    def _pass_over(self, problem: Problem) -> None:
        """Raises AccountFault: what cannot be remembered is not passed over."""
        if problem.is_open and self.room <= 0:
            self._may_blame = False
            raise fault("mail_unreadable")
        self.room -= problem.is_open
        self.problems.append(problem)

    def _finish(self, uids: set[int]) -> None:
        self._done |= uids
        while self._open and self._open[-1] in self._done:
            self.high = self._open.pop()

    def _commit_now_and_then(self, commit: Callable[[], None]) -> None:
        if self.share.clock() - self._committed >= COMMIT_SECONDS:
            commit()
            self._committed = self.share.clock()
