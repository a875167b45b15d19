"""The walk over UIDs: whatever breaks, the cursor never passes a mail that is not stored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablage.errors import AccountFault
from ablage.mailbox.pace import Pace
from ablage.mailbox.pull import Fetched, Missed, Result
from ablage.mailbox.session import Session
from ablage.mailbox.status import Listed
from ablage.mailbox.windows import Choose
from sync.folder_run import FolderRun
from sync.uploads import Settled
from sync.walk import AHEAD_BYTES, COMMIT_BYTES, KEPT_BYTES, WINDOW_BYTES, Slice, Walk


@dataclass
class FakeSession:
    """A folder: UIDs in the order they are answered; `breaks_at` ends the connection there. `asked`
    is what was to be fetched, `rooms` the room that was left behind each mail."""

    order: list[int]
    breaks_at: int = 0
    missed: dict[int, str] = field(default_factory=dict)
    dates: dict[int, datetime] = field(default_factory=dict)
    size: int = 10
    pace: Pace = field(default_factory=Pace)
    asked: list[list[int]] = field(default_factory=list)
    rooms: list[int] = field(default_factory=list)

    def fetch(
        self,
        uids: Sequence[int],
        choose: Choose,
        should_stop: Callable[[], bool],
        room: Callable[[], int] = lambda: WINDOW_BYTES,
    ) -> Iterator[Result]:
        self.asked.append(list(uids))
        there = [uid for uid in sorted(uids) if uid in self.order]
        listed = choose(uids, [Listed(uid, self.size, self.dates.get(uid)) for uid in there])
        wanted = {mail.uid for mail in listed}
        for uid in [uid for uid in self.order if uid in wanted]:
            if should_stop():
                return
            if uid == self.breaks_at:
                self.pace.suspect = uid
                raise AccountFault("server_hung_up", "")
            code = self.missed.get(uid)
            yield Missed(uid, code) if code else Fetched(uid, self.size, None, (), b"mail")
            self.rooms.append(room())


class FakeDeposit:
    """Settles what was put `lag` puts later, the newest first; `full` refuses that UID."""

    def __init__(self, lag: int = 0, full: int = 0) -> None:
        self.stored: list[int] = []
        self.read = 0  # bytes
        self._lag = lag
        self._full = full
        self._under: list[Settled] = []

    @property
    def underway(self) -> int:
        return len(self._under)

    @property
    def unsent(self) -> int:
        return 0

    def put(self, mail: Fetched) -> None:
        self.read += mail.size
        self._under.append(Settled(mail.uid, mail.size, is_new=True))

    def settled(self, *, wait: bool = False) -> list[Settled]:
        if not wait and len(self._under) <= self._lag:
            return []
        settled, self._under = self._under[::-1], []
        if any(mail.uid == self._full for mail in settled):
            raise OSError
        self.stored += [mail.uid for mail in settled]
        return settled

    def abandon(self) -> None:
        self._under = []


def walk(
    session: FakeSession, deposit: FakeDeposit, budget: int = 10**9, **changes: object
) -> Walk:
    share = Slice(1000, budget, lambda: 0.0)
    ran = FolderRun("f")
    return Walk(cast("Session", session), share, deposit, ran, **changes)  # type: ignore[arg-type] - fields by name


def run(walked: Walk, uids: list[int]) -> tuple[list[int], bool | None]:
    """Every `edge` committed, and the result; None after a fault."""
    committed: list[int] = []
    deposit = cast("FakeDeposit", walked.deposit)

    def commit() -> None:
        passed = uids[: uids.index(walked.edge) + 1] if walked.edge else []
        assert set(passed) <= set(deposit.stored)
        committed.append(walked.edge)

    try:
        finished: bool | None = walked.run(uids, commit)
    except AccountFault:
        finished = None
    return committed, finished


@given(
    st.permutations(list(range(1, 30))),
    st.integers(min_value=0, max_value=30),
    st.integers(min_value=0, max_value=9),
    st.booleans(),
)
def test_the_cursor_stays_behind_every_mail_not_stored(
    order: list[int], breaks_at: int, lag: int, is_down: bool
) -> None:
    deposit = FakeDeposit(lag)
    uids = sorted(order, reverse=is_down)

    committed, _ = run(walk(FakeSession(order, breaks_at), deposit), uids)

    passed = uids[: uids.index(committed[-1]) + 1] if committed[-1] else []
    assert set(passed) <= set(deposit.stored)
    assert all(uid in passed or uid not in deposit.stored for uid in uids[: len(passed) + 1])


@given(st.permutations(list(range(1, 30))), st.integers(min_value=1, max_value=29))
def test_a_fault_names_the_mail_it_came_at(order: list[int], breaks_at: int) -> None:
    deposit = FakeDeposit()
    walked = walk(FakeSession(order, breaks_at), deposit)

    _, finished = run(walked, sorted(order))

    assert finished is None
    assert walked.broken_at == breaks_at
    assert sorted(deposit.stored) == sorted(order[: order.index(breaks_at)])


@given(st.integers(min_value=1, max_value=400), st.booleans())
def test_slices_together_store_each_mail_once(budget: int, is_down: bool) -> None:
    left = list(range(1, 60))[:: -1 if is_down else 1]
    answered, stored = list(left), []

    for _ in range(100):
        deposit = FakeDeposit()
        walked = walk(FakeSession(answered), deposit, budget)
        finished = walked.run(left, lambda: None)
        stored += deposit.stored
        left = left[left.index(walked.edge) + 1 :] if walked.edge else left
        if finished:
            break

    assert stored == answered


@given(st.integers(min_value=0, max_value=100), st.integers(min_value=1, max_value=1_500_000))
def test_little_is_read_and_not_yet_behind_the_cursor(lag: int, size: int) -> None:
    uids = list(range(1, 200))
    deposit = FakeDeposit(lag)
    walked = walk(FakeSession(uids, size=size), deposit)
    written = [0]
    most = [0]
    put = deposit.put

    def note(mail: Fetched) -> None:
        put(mail)
        most[0] = max(most[0], deposit.read - written[0] * size)

    deposit.put = note  # type: ignore[method-assign]  a fake of this file

    def commit() -> None:
        written[0] = walked.edge

    walked.run(uids, commit)

    assert most[0] <= AHEAD_BYTES + size
    assert walked.edge == 199


@given(st.integers(min_value=0, max_value=3 * WINDOW_BYTES))
def test_where_s3_is_asked_what_is_not_sent_takes_room(unsent: int) -> None:
    class Sending(FakeDeposit):
        unsent = 0

        def put(self, mail: Fetched) -> None:
            super().put(mail)
            self.unsent = unsent

    session = FakeSession([1, 2, 3], size=AHEAD_BYTES)
    walked = walk(session, Sending(lag=9), is_kept=True)

    assert walked.run([1, 2, 3], lambda: None)
    assert session.rooms == [WINDOW_BYTES - unsent] * 3


def test_where_s3_is_asked_commits_are_rarer() -> None:
    committed: list[int] = []
    size = KEPT_BYTES // 4
    walked = walk(FakeSession(list(range(1, 11)), size=size), FakeDeposit(), is_kept=True)

    walked.run(list(range(1, 11)), lambda: committed.append(walked.edge))

    assert committed == [4, 8, 10]


def test_mails_are_sifted_in_the_order_of_the_walk() -> None:
    seen: list[list[int]] = []

    def sift(listed: list[Listed]) -> list[Listed]:
        seen.append([mail.uid for mail in listed])
        return [mail for mail in listed if mail.uid != 2]

    deposit = FakeDeposit()
    walked = walk(FakeSession([1, 2, 3]), deposit, sift=sift)

    assert walked.run([3, 2, 1], lambda: None)
    assert seen == [[3, 2, 1]]
    assert (sorted(deposit.stored), walked.edge) == ([1, 3], 1)


def test_commits_are_no_rarer_than_their_bytes() -> None:
    committed: list[int] = []
    size = COMMIT_BYTES // 2
    walked = walk(FakeSession(list(range(1, 9)), size=size), FakeDeposit())

    walked.run(list(range(1, 9)), lambda: committed.append(walked.edge))

    assert committed == [2, 4, 6, 8, 8]


def test_what_is_gone_or_missed_is_passed_over_and_recorded() -> None:
    missed = {2: "gone", 3: "unfetchable", 4: "too_large"}
    deposit = FakeDeposit()
    walked = walk(FakeSession([1, 2, 3, 4, 6], missed=missed), deposit)

    assert walked.run([1, 2, 3, 4, 5, 6], lambda: None)

    assert deposit.stored == [1, 6]
    assert walked.edge == 6
    assert [(p.uid, p.code) for p in walked.problems] == [(3, "unfetchable"), (4, "too_large")]


def test_what_ran_adds_up() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    dates = {7: datetime(2025, 12, 31, tzinfo=UTC)}
    session = FakeSession([1, 2, 3, 6, 7, 8], missed={2: "gone", 3: "unfetchable"}, dates=dates)
    passed = frozenset({8})
    walked = walk(session, FakeDeposit(), since=since, passed=passed)

    walked.run([8, 7, 6, 5, 3, 2, 1], lambda: None)

    assert walked.ran == FolderRun(
        "f", listed=7, stored=2, gone=2, left_out=1, parked=2, bytes=20, low=1, high=8
    )


def test_older_mail_is_passed_over() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    dates = {1: datetime(2025, 12, 31, tzinfo=UTC), 2: since}
    deposit = FakeDeposit()
    walked = walk(FakeSession([1, 2, 3], dates=dates), deposit, since=since)

    walked.run([1, 2, 3], lambda: None)

    assert deposit.stored == [2, 3]
    assert walked.edge == 3


def test_a_suspect_is_fetched_first_and_alone() -> None:
    session = FakeSession([1, 2, 3])

    walk(session, FakeDeposit(), alone=2).run([1, 2, 3], lambda: None)

    assert session.asked == [[2], [1, 3]]


def test_a_failing_store_does_not_move_the_cursor() -> None:
    walked = walk(FakeSession([1, 2, 3]), FakeDeposit(full=2))

    with pytest.raises(OSError):
        walked.run([1, 2, 3], lambda: None)

    assert walked.edge == 1
