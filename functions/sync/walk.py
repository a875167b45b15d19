"""One pass over UIDs of an open folder, upwards (new mail) or downwards (a first import, newest
first), safe to be cut off anywhere.

listed   11  12  13  14  15        11, 12 and 14 are settled: S3 has them
settled   x   x   .   x            `edge` is 12: the longest prefix without a gap
                                   commit() may write 12, never 14: 13 would be lost

What is asked for, or read and not yet safe, is at most WINDOW_BYTES: so much is fetched again after
a kill. A mail is safe once a cursor behind it is written, or, where S3 is asked what it has before
anything is fetched (`sync.kept`), once it is sent to S3."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ablage.errors import AccountFault
from ablage.mailbox.faults import fault
from ablage.mailbox.pull import Fetched, Missed, Result
from ablage.mailbox.session import Session
from ablage.mailbox.status import Listed
from ablage.store.cursors import Problem
from sync.folder_run import FolderRun
from sync.uploads import Settled

WINDOW_BYTES = 29 * 256 * 1024  # with TLS round it and what is listed again, 8 MiB
AHEAD_BYTES = 6 * 1024 * 1024  # read and not yet behind a written cursor
COMMIT_BYTES = 2 * 1024 * 1024
KEPT_BYTES = 32 * 1024 * 1024  # the same, where S3 is asked
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

    @contextmanager
    def part(self, of: int) -> Iterator["Slice"]:
        """One of `of` equal parts of what is left; what it does not use is left to the others."""
        left = self.seconds - (self.clock() - self.began)
        part = Slice(left / of, -(-self.bytes_left // of), self.clock)
        before = part.bytes_left
        try:
            yield part
        finally:
            self.spend(before - part.bytes_left)


class Takes(Protocol):
    """As `sync.uploads.Deposit`."""

    @property
    def underway(self) -> int: ...
    @property
    def unsent(self) -> int: ...
    def put(self, mail: Fetched) -> None: ...
    def settled(self, *, wait: bool = False) -> list[Settled]: ...
    def abandon(self) -> None: ...


@dataclass
class Walk:
    """`edge` follows the work; `problems` are mails passed over, at most `room` of them to be tried
    again; `since` drops older mail; `alone` (a UID at which an earlier session broke) is fetched
    before the others, by itself (`is_alone_done`); `passed` are UIDs that are done already; `sift`
    says which of the listed are fetched at all, in the order of the walk; `is_kept` where it leaves
    out what S3 has. `has_mail` once a body came. `aside` runs a commit beside the reading, one at a
    time; without it the reading waits for each."""

    session: Session
    share: Slice
    deposit: Takes
    ran: FolderRun
    edge: int = 0
    since: datetime | None = None
    alone: int = 0
    room: int = 2**31
    passed: frozenset[int] = frozenset()
    sift: Callable[[list[Listed]], list[Listed]] = list
    is_kept: bool = False
    aside: Callable[[Callable[[], None]], "Future[None]"] | None = None
    problems: list[Problem] = field(default_factory=list)
    broken_at: int = 0
    has_mail: bool = False
    is_alone_done: bool = False
    _may_blame: bool = True
    _open: list[int] = field(default_factory=list)
    _done: set[int] = field(default_factory=set)  # of those open
    _sizes: dict[int, int] = field(default_factory=dict)
    _ahead: int = 0  # bytes read and not yet behind a written cursor
    _behind: int = 0  # of these, bytes a commit would put there
    _committed: float = 0.0
    _writing: "Future[None] | None" = None
    _written: int = 0  # bytes the commit that runs aside puts behind the cursor

    def run(self, uids: Sequence[int], commit: Callable[[], None]) -> bool:
        """Every UID of `uids`, in this order: settled before `commit` is called with `edge` at or
        beyond it. False when the share was used up. Raises AccountFault after a last commit;
        `broken_at` is then the UID at which the session broke, if it did while mails were
        fetched."""
        try:
            return self._run(uids, commit)
        finally:
            self.deposit.abandon()
            if self._writing:
                wait([self._writing])

    def _run(self, uids: Sequence[int], commit: Callable[[], None]) -> bool:
        self._open, self._done = list(reversed(uids)), set()
        self._committed = self.share.clock()
        try:
            self._finish(set())
            self._fetch(uids, commit)
            self._settle_all()
        except AccountFault:
            self.session.pace.trouble()
            self._settle_all()
            self.broken_at = self._suspect()
            self._commit(commit)
            raise
        self._commit(commit)
        return not self._open

    def _suspect(self) -> int:
        """0 where no mail is to blame."""
        suspect = self.session.pace.suspect
        if suspect is None or not self._may_blame or not self._open:
            return 0
        return suspect if suspect in self._open else self._open[-1]

    def _fetch(self, uids: Sequence[int], commit: Callable[[], None]) -> None:
        for result in self._pulled(uids):
            self._take(result)
            self._settle(self.deposit.settled())
            self._commit_when_due(commit)
            while self._is_far_ahead() and (self.deposit.underway or self._writing):
                if self._writing:
                    self._end_commit()
                else:
                    self._settle(self.deposit.settled(wait=True))
                self._commit_when_due(commit)

    def _pulled(self, uids: Sequence[int]) -> Iterator[Result]:
        is_over, others = self.share.is_over, [uid for uid in uids if uid not in self.passed]
        if self.alone in others:
            others.remove(self.alone)
            yield from self.session.fetch([self.alone], self._choose, is_over)
        yield from self.session.fetch(others, self._choose, is_over, self._flight_room)

    def _choose(self, uids: Sequence[int], listed: list[Listed]) -> list[Listed]:
        """In the order of the walk. What is gone or too old is done."""
        already = self.ran.already
        there = {mail.uid: mail for mail in listed if self._is_wanted(mail)}
        wanted = self.sift([there[uid] for uid in uids if uid in there])
        known = self.ran.already - already
        self.ran.gone += len(uids) - len(listed)
        self.ran.left_out += len(listed) - len(wanted) - known
        self._finish(set(uids) - {mail.uid for mail in wanted})
        return wanted

    def _is_wanted(self, mail: Listed) -> bool:
        return self.since is None or mail.received_at is None or mail.received_at >= self.since

    def _flight_room(self) -> int:
        return WINDOW_BYTES - (self.deposit.unsent if self.is_kept else self._ahead)

    def _is_far_ahead(self) -> bool:
        return not self.is_kept and self._ahead > AHEAD_BYTES

    def _take(self, result: Result) -> None:
        if isinstance(result, Fetched):
            self._sizes[result.uid] = result.size
            self._ahead += result.size
            self.share.spend(result.size)
            self.deposit.put(result)
            self.has_mail = True
            self.ran.bytes += result.size
            return
        if result.code == "gone":
            self.ran.gone += 1
        else:
            self._pass_over(result)
        self._finish({result.uid})

    def _pass_over(self, missed: Missed) -> None:
        """Raises AccountFault: what cannot be remembered is not passed over."""
        problem = Problem(missed.uid, missed.code)
        if problem.is_open and self.room <= 0:
            self._may_blame = False
            raise fault("mail_unreadable")
        self.room -= problem.is_open
        self.problems.append(problem)
        self.ran.parked += 1

    def _settle_all(self) -> None:
        while self.deposit.underway:
            self._settle(self.deposit.settled(wait=True))

    def _settle(self, settled: Iterable[Settled]) -> None:
        for mail in settled:
            self.ran.stored += mail.is_new
            self.ran.already += not mail.is_new
            self._finish({mail.uid})

    def _finish(self, uids: set[int]) -> None:
        self._done |= uids
        self.is_alone_done |= self.alone in uids
        while self._open and (self._open[-1] in self._done or self._open[-1] in self.passed):
            self.edge = self._open.pop()
            self._done.discard(self.edge)
            self.ran.parked += self.edge in self.passed
            self._behind += self._sizes.pop(self.edge, 0)
            self.ran.passed(self.edge)

    def _commit_when_due(self, commit: Callable[[], None]) -> None:
        if self._writing:
            if not self._writing.done():
                return
            self._end_commit()
        is_late = self.share.clock() - self._committed >= COMMIT_SECONDS
        if not (is_late or self._is_much()):
            return
        if self.aside is None:
            self._commit(commit)
            return
        self._written, self._behind = self._behind, 0
        self._committed = self.share.clock()
        self._writing = self.aside(commit)

    def _is_much(self) -> bool:
        least = KEPT_BYTES if self.is_kept else COMMIT_BYTES
        return self._behind >= least or (self._is_far_ahead() and self._behind > 0)

    def _end_commit(self) -> None:
        """Raises what the commit raised."""
        if self._writing:
            writing, self._writing = self._writing, None
            writing.result()
            self._ahead -= self._written

    def _commit(self, commit: Callable[[], None]) -> None:
        self._end_commit()
        commit()
        self._ahead -= self._behind
        self._behind = 0
        self._committed = self.share.clock()
