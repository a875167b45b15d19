"""A mailbox's habit, over simulated calendars: how often it is looked at, when silence is odd."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablage.accounts import INTERVALS
from ablage.habit import DAY, HOUR, MEMORY, WEEK, Habit

MONDAY = int(datetime(2026, 9, 7, tzinfo=UTC).timestamp())
CONNECTED = Habit().woken(MONDAY)


def office(weeks: int, begin: int = MONDAY) -> Iterator[int]:
    """Mail at ten minutes past each hour from 8 to 17, Monday to Friday."""
    for day in range(7 * weeks):
        if day % 7 < 5:
            yield from (begin + day * DAY + hour * HOUR + 600 for hour in range(8, 18))


def after(*arrivals: int) -> Habit:
    habit = CONNECTED
    for at in arrivals:
        habit = habit.noted(at)
    return habit


def warned_at(habit: Habit, hours: int) -> list[int]:
    """Hours after the last mail at which the silence is odd."""
    return [n for n in range(hours) if habit.silent_since(habit.last_mail + n * HOUR) is not None]


def test_a_mailbox_just_connected_is_looked_at_every_minute_for_an_hour() -> None:
    assert CONNECTED.interval(MONDAY) == 1
    assert CONNECTED.interval(MONDAY + HOUR) == 5


def test_a_mailbox_with_mail_in_three_hours_is_live() -> None:
    nine = MONDAY + 9 * HOUR

    assert after(nine, nine + HOUR).interval(nine + HOUR) == 5
    live = after(nine, nine + HOUR, nine + 2 * HOUR)
    assert [live.interval(nine + n * HOUR) for n in (2, 3, 4)] == [1, 1, 5]


@pytest.mark.parametrize(
    ("quiet", "interval"),
    [
        (timedelta(hours=5), 5),
        (timedelta(hours=71), 5),
        (timedelta(days=3), 15),
        (timedelta(days=13), 15),
        (timedelta(days=14), 60),
        (timedelta(days=900), 60),
    ],
)
def test_a_mailbox_without_mail_is_looked_at_less_and_less(quiet: timedelta, interval: int) -> None:
    habit = after(*office(1))

    assert habit.interval(habit.last_mail + int(quiet.total_seconds())) == interval


def test_the_first_new_mail_brings_a_dormant_mailbox_back() -> None:
    habit = after(*office(1))
    later = habit.last_mail + 100 * DAY
    assert habit.interval(later) == 60

    assert habit.noted(later).interval(later) == 5


def test_somebody_who_asks_for_a_sync_brings_it_back_too() -> None:
    later = MONDAY + 100 * DAY

    watched = CONNECTED.woken(later)

    assert (watched.interval(later), watched.interval(later + HOUR)) == (1, 5)


def test_a_weekend_does_not_make_an_office_mailbox_seldom() -> None:
    habit = after(*office(1))

    assert habit.interval(MONDAY + WEEK + 8 * HOUR) == 5


def test_a_hundred_mails_an_hour_change_the_memory_once() -> None:
    first = CONNECTED.noted(MONDAY + 10)

    assert all(first.noted(MONDAY + 10 + n * 35) is first for n in range(100))


def test_the_memory_fades() -> None:
    habit = after(*office(60))

    assert max(habit.hours) <= 12
    assert habit.last_mail - habit.since <= MEMORY


@given(st.lists(st.integers(0, 400 * DAY), max_size=40))
def test_the_memory_is_bounded_and_the_interval_a_tier(steps: list[int]) -> None:
    habit, now = CONNECTED, MONDAY
    for step in steps:
        now += step
        habit = habit.noted(now)

    assert (len(habit.hours), len(habit.recent) <= 3) == (168, True)
    assert habit.interval(now) in INTERVALS
    assert habit.silent_since(now) is None


@pytest.mark.parametrize("weeks", [2, 3, 8, 30])
def test_an_office_mailbox_may_be_silent_over_a_weekend_and_a_holiday(weeks: int) -> None:
    friday_to_tuesday_morning = 5 + 3 * 24 + 8 + 10

    assert warned_at(after(*office(weeks), MONDAY + weeks * WEEK), 16) == []
    assert warned_at(after(*office(weeks)), 63) == []
    assert warned_at(after(*office(weeks)), friday_to_tuesday_morning - 24) == []


@pytest.mark.parametrize("weeks", [3, 8, 30])
def test_an_office_mailbox_silent_for_two_working_days_is_odd(weeks: int) -> None:
    habit = after(*office(weeks))
    tuesday_evening = 3 * 24 + 24

    assert warned_at(habit, 8 * 24)[0] < tuesday_evening
    assert habit.silent_since(habit.last_mail + 20 * DAY) == habit.last_mail


def test_a_mailbox_with_mail_every_hour_is_odd_after_a_day() -> None:
    habit = after(*range(MONDAY, MONDAY + 4 * WEEK, HOUR))

    assert warned_at(habit, 100)[0] == 24


def test_a_mailbox_with_two_mails_a_day_may_be_silent_for_days() -> None:
    mails = [
        MONDAY + day * DAY + (9 + day * 5 % 8) * HOUR + n * HOUR
        for day in range(42)
        if day % 7 < 5
        for n in (0, 3)
    ]
    habit = after(*mails)

    first = warned_at(habit, 30 * 24)[0]

    assert 4 * 24 < first < 14 * 24


def test_a_dormant_mailbox_is_never_odd() -> None:
    habit = after(*(MONDAY + week * WEEK + 9 * HOUR for week in range(12)))

    assert warned_at(habit, 80 * 24) == []


def test_a_mailbox_known_for_a_week_is_not_judged() -> None:
    assert warned_at(after(*office(1)), 20 * 24) == []


def test_new_mail_ends_the_warning() -> None:
    habit = after(*office(4))
    later = habit.last_mail + 10 * DAY
    assert habit.silent_since(later)

    assert habit.noted(later).silent_since(later + DAY // 2) is None
