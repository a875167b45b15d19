"""Which accounts are polled when: even load, lost, doubled and late ticks, a backlog.

A simulated month of SyncQueue: ticks send what `polls_of` says, workers drop what is stale."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from ablage.accounts import INTERVALS, slot
from ablage.tenancy import TenantId
from sync.polls import (
    ACCOUNTS_PER_MESSAGE,
    SPREAD_SECONDS,
    AccountKey,
    Poll,
    minutes,
    polls_of,
    second_of,
)

NOON = 29_670_000  # a minute since the epoch, of no meaning
TENANTS = (TenantId("acme"), TenantId("other"))


def accounts(count: int) -> list[AccountKey]:
    return [(tenant, f"box{n:05d}") for tenant in TENANTS for n in range(count // 2)]


@dataclass
class House:
    """Dispatch and its queue. `looks`: the minutes in which each account was looked at."""

    interval: int
    known: list[AccountKey]
    checkpoint: int | None = None
    queue: list[Poll] = field(default_factory=list)
    looks: dict[AccountKey, list[int]] = field(default_factory=dict)
    stale: int = 0

    def due(self, interval: int, minute: int) -> Iterable[AccountKey]:
        if interval != self.interval:
            return []
        wanted = minute % interval
        return [account for account in self.known if slot(*account, interval) == wanted]

    def tick(self, minute: int) -> None:
        if self.checkpoint is None or self.checkpoint < minute:
            self.queue += polls_of(self.due, self.checkpoint, minute)
            self.checkpoint = minute

    def work(self, minute: int) -> None:
        """At the end of the minute, when the delayed messages have come too."""
        now = minute * 60 + 59
        for poll in self.queue:
            self.stale += poll.is_stale(now)
            for account in [] if poll.is_stale(now) else poll.account_keys():
                self.looks.setdefault(account, []).append(minute)
        self.queue.clear()

    def gaps(self) -> set[int]:
        return {b - a for found in self.looks.values() for a, b in pairwise(found)}

    def exactly(self, count: int) -> bool:
        return len(self.looks) == len(self.known) and all(
            len(found) == count for found in self.looks.values()
        )


@pytest.fixture(params=INTERVALS)
def house(request: pytest.FixtureRequest) -> House:
    return House(request.param, accounts(60), checkpoint=NOON - 1)


def test_every_account_is_looked_at_once_an_interval(house: House) -> None:
    for minute in range(NOON, NOON + 120):
        house.tick(minute)
        house.work(minute)

    assert house.exactly(120 // house.interval)
    assert house.gaps() == {house.interval}


def test_a_lost_tick_is_worked_off_by_the_next(house: House) -> None:
    for minute in range(NOON, NOON + 120):
        if minute not in (NOON + 7, NOON + 61):
            house.tick(minute)
        house.work(minute)

    lost = 2 if house.interval == 1 else 0  # their next look is due at once
    assert house.exactly(120 // house.interval - lost)
    assert max(house.gaps()) <= house.interval + 1


def test_a_doubled_tick_changes_nothing(house: House) -> None:
    for minute in range(NOON, NOON + 120):
        house.tick(minute)
        house.tick(minute)
        house.work(minute)

    assert house.exactly(120 // house.interval)


def test_a_tick_that_comes_forty_minutes_late_sends_nothing(house: House) -> None:
    for minute in range(NOON, NOON + 120):
        if minute != NOON + 20:
            house.tick(minute)
        if minute == NOON + 60:
            house.tick(NOON + 20)
        house.work(minute)

    assert house.exactly(120 // house.interval - (house.interval == 1))


def test_ticks_that_all_come_forty_minutes_late_look_once(house: House) -> None:
    for minute in range(NOON, NOON + 41):
        house.tick(minute)
    house.work(NOON + 40)

    assert house.exactly(1) or house.interval == 60
    assert all(len(found) == 1 for found in house.looks.values())
    assert (house.stale > 0) == (house.interval < 40)


def test_after_forty_minutes_without_ticks_each_account_is_looked_at_once(house: House) -> None:
    house.tick(NOON + 40)
    house.work(NOON + 40)

    due = min(41, house.interval) * len(house.known) / house.interval
    assert len(house.looks) == pytest.approx(due, abs=0.35 * len(house.known))
    assert house.interval == 60 or house.exactly(1)
    assert house.stale == 0


def test_a_backlog_of_half_an_hour_is_dropped_but_for_the_last_interval(house: House) -> None:
    for minute in range(NOON, NOON + 31):
        house.tick(minute)
    sent = sum(len(poll.accounts) for poll in house.queue)
    house.work(NOON + 30)
    for minute in range(NOON + 31, NOON + 121):
        house.tick(minute)
        house.work(minute)

    assert sent >= len(house.known) * (31 // house.interval)
    assert max(house.gaps()) <= house.interval
    assert all(found[0] >= NOON + 30 for found in house.looks.values())
    assert all(len(found) == len(set(found)) for found in house.looks.values())


def test_an_hour_at_most_is_worked_off() -> None:
    assert minutes(None, 5000) == range(5000, 5001)
    assert minutes(4990, 5000) == range(4991, 5001)
    assert minutes(1, 5000) == range(4941, 5001)


@pytest.mark.parametrize("interval", [5, 15, 60])
def test_accounts_lie_evenly_in_the_minutes_of_their_interval(interval: int) -> None:
    known = accounts(20_000)

    per_slot = Counter(slot(*account, interval) for account in known)

    mean = len(known) / interval
    assert set(per_slot) == set(range(interval))
    assert all(abs(count - mean) < 5 * mean**0.5 for count in per_slot.values())


def test_messages_lie_evenly_in_the_seconds_of_the_minute() -> None:
    per_second = Counter(second_of(*account) for account in accounts(11_000))

    assert set(per_second) == set(range(SPREAD_SECONDS))
    assert all(abs(count - 200) < 5 * 200**0.5 for count in per_second.values())


def test_a_poll_is_late_from_its_own_second_on() -> None:
    house = House(1, accounts(2))
    house.tick(NOON)
    poll = replace(house.queue[0], second=50)
    due = NOON * 60 + 50

    assert [poll.lag(due + n) for n in (-50, 0, 7)] == [0, 0, 7]
    assert not poll.is_stale(due + 59)
    assert poll.is_stale(due + 60)


WORKERS, BATCH, SIDE_BY_SIDE, LOOK_SECONDS = 20, 10, 32, 1.0  # the template's, and a slow server


def test_a_herd_of_ten_thousand_is_served_within_an_interval() -> None:
    """R24: an hour without ticks, then every five-minute account is due at once."""
    house = House(5, accounts(10_000), checkpoint=NOON - 60)
    house.tick(NOON)
    batches = [house.queue[n : n + BATCH] for n in range(0, len(house.queue), BATCH)]
    free = [0.0] * WORKERS

    for batch in batches:
        looks = -(-sum(len(poll.accounts) for poll in batch) // SIDE_BY_SIDE)
        worker = free.index(min(free))
        free[worker] += looks * LOOK_SECONDS

    polled = Counter(account for poll in house.queue for account in poll.account_keys())
    assert set(polled.values()) == {1}
    assert len(polled) == 10_000
    assert all(len(poll.accounts) <= ACCOUNTS_PER_MESSAGE for poll in house.queue)
    assert max(free) <= 5 * 60
