"""The walk over UIDs: whatever breaks, the cursor never passes a mail that is not stored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablage.errors import AccountFault
from ablage.mailbox.pull import Fetched, Missed, Result
from ablage.mailbox.session import Session
from ablage.mailbox.status import Listed
from sync.walk import Slice, Walk


@dataclass
class FakeSession:
    """A folder: UIDs in the order they are answered; `breaks_at` ends the connection there."""

    order: list[int]
    breaks_at: int = 0
    missed: dict[int, str] = field(default_factory=dict)
    dates: dict[int, datetime] = field(default_factory=dict)

    def list_sizes(self, uids: Sequence[int]) -> list[Listed]:
        there = [uid for uid in uids if uid in self.order]
        return [Listed(uid, 10, self.dates.get(uid)) for uid in there]

    def pull(self, listed: Sequence[Listed], should_stop: Callable[[], bool]) -> Iterator[Result]:
        wanted = {mail.uid for mail in listed}
        for uid in [uid for uid in self.order if uid in wanted]:
            if should_stop():
                return
            if uid == self.breaks_at:
                raise AccountFault("server_hung_up", "")
            code = self.missed.get(uid)
            yield Missed(uid, code) if code else Fetched(uid, 10, None, (), b"mail")


def walk(session: FakeSession, budget: int = 10**6, **changes: object) -> Walk:
    share = Slice(1000, budget, lambda: 0.0)
    return Walk(cast("Session", session), share, high=0, **changes)  # type: ignore[arg-type] - fields by name


def run(walked: Walk, uids: list[int]) -> tuple[set[int], list[int], bool | None]:
    """What was stored, every `high` committed, and the result; None after a fault."""
    stored: set[int] = set()
    committed: list[int] = []

    def commit() -> None:
        assert all(uid in stored or uid not in uids for uid in range(1, walked.high + 1))
        committed.append(walked.high)

    try:
        finished: bool | None = walked.run(uids, lambda mail: stored.add(mail.uid), commit)
    except AccountFault:
        finished = None
    return stored, committed, finished


@given(st.permutations(list(range(1, 30))), st.integers(min_value=0, max_value=30))
def test_the_cursor_stays_behind_every_mail_not_stored(order: list[int], breaks_at: int) -> None:
    session = FakeSession(order, breaks_at)

    stored, committed, _ = run(walk(session), sorted(order))

    assert set(range(1, committed[-1] + 1)) <= stored
    assert committed == sorted(committed)


@given(st.permutations(list(range(1, 30))), st.integers(min_value=1, max_value=29))
def test_a_fault_names_the_first_mail_not_done(order: list[int], breaks_at: int) -> None:
    walked = walk(FakeSession(order, breaks_at))

    stored, committed, finished = run(walked, sorted(order))

    assert finished is None
    assert walked.broken_at == committed[-1] + 1
    assert walked.broken_at not in stored


@given(st.integers(min_value=1, max_value=400))
def test_slices_together_store_each_mail_once(budget: int) -> None:
    uids = list(range(1, 60))
    stored: list[int] = []
    high = 0

    for _ in range(100):
        walked = walk(FakeSession(uids), budget)
        walked.high = high
        left = [uid for uid in uids if uid > high]
        finished = walked.run(left, lambda mail: stored.append(mail.uid), lambda: None)
        high = walked.high
        if finished:
            break

    assert stored == uids


def test_what_is_gone_or_missed_is_passed_over_and_recorded() -> None:
    missed = {2: "gone", 3: "unfetchable", 4: "too_large"}
    walked = walk(FakeSession([1, 2, 3, 4, 6], missed=missed))

    stored: list[int] = []
    finished = walked.run([1, 2, 3, 4, 5, 6], lambda mail: stored.append(mail.uid), lambda: None)

    assert finished
    assert stored == [1, 6]
    assert walked.high == 6
    assert [(p.uid, p.code) for p in walked.problems] == [(3, "unfetchable"), (4, "too_large")]


def test_older_mail_is_passed_over() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    dates = {1: datetime(2025, 12, 31, tzinfo=UTC), 2: since}

    stored, committed, _ = run_with_dates(dates, since)

    assert stored == {2, 3}
    assert committed[-1] == 3


def run_with_dates(
    dates: dict[int, datetime], since: datetime
) -> tuple[set[int], list[int], bool | None]:
    walked = walk(FakeSession([1, 2, 3], dates=dates), since=since)
    stored: set[int] = set()
    committed: list[int] = []
    finished = walked.run(
        [1, 2, 3], lambda mail: stored.add(mail.uid), lambda: committed.append(walked.high)
    )
    return stored, committed, finished


def test_a_suspect_is_fetched_first_and_alone() -> None:
    asked: list[list[int]] = []

    class Watched(FakeSession):
        def pull(
            self, listed: Sequence[Listed], should_stop: Callable[[], bool]
        ) -> Iterator[Result]:
            asked.append([mail.uid for mail in listed])
            return super().pull(listed, should_stop)

    walk(Watched([1, 2, 3]), alone=2).run([1, 2, 3], lambda mail: None, lambda: None)

    assert asked == [[2], [1, 3]]


def test_a_failing_store_does_not_move_the_cursor() -> None:
    walked = walk(FakeSession([1, 2, 3]))

    def full(mail: Fetched) -> None:
        if mail.uid == 2:
            raise OSError

    with pytest.raises(OSError):
        walked.run([1, 2, 3], full, lambda: None)

    assert walked.high == 1
