"""What an account shows: unchanged when nothing changed, clear about a fault, patient with a broken
one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ablage.accounts import AccountState, Folder
from ablage.habit import Habit
from ablage.mailbox.faults import fault
from sync.account_state import faulty, healthy, is_check_due, watched, with_news

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
FOLDERS = (Folder("0123456789abcdef", "INBOX", "inbox", "INBOX"),)
MAIL = Habit(since=1, recent=(int(NOW.timestamp()) - 7200,))
ACTIVE = AccountState(
    "active", checked_at="2026-11-24T02:00:00Z", folders=FOLDERS, interval=5, habit=MAIL
)


def test_a_good_look_at_a_good_account_changes_nothing() -> None:
    assert healthy(ACTIVE, FOLDERS, NOW) == ACTIVE


def test_the_first_good_look_makes_it_active() -> None:
    state = healthy(AccountState(), FOLDERS, NOW)

    assert (state.status, state.folders, state.checked_at) == (
        "active",
        FOLDERS,
        "2026-11-24T03:00:00Z",
    )
    assert (state.interval, state.habit.awake) == (1, int(NOW.timestamp()))


def test_changed_folders_are_news() -> None:
    more = (*FOLDERS, Folder("f" * 16, "Sent", "sent", "Sent"))

    assert healthy(ACTIVE, more, NOW).folders == more


def test_six_hours_later_the_look_is_noted() -> None:
    assert healthy(ACTIVE, FOLDERS, NOW + timedelta(hours=4, minutes=59)) == ACTIVE
    assert healthy(ACTIVE, FOLDERS, NOW + timedelta(hours=5)) != ACTIVE


def test_the_same_fault_again_changes_nothing() -> None:
    once = faulty(ACTIVE, fault("timeout"), NOW)

    assert faulty(once, fault("timeout"), NOW + timedelta(minutes=50)) == once
    assert (once.status, once.code, once.since) == ("degraded", "timeout", "2026-11-24T03:00:00Z")


def test_another_fault_begins_anew() -> None:
    once = faulty(ACTIVE, fault("timeout"), NOW)
    other = faulty(once, fault("tls_failed"), NOW + timedelta(hours=2))

    assert (other.code, other.since) == ("tls_failed", "2026-11-24T05:00:00Z")


@pytest.mark.parametrize(
    ("age", "interval"),
    [
        (timedelta(0), 5),
        (timedelta(minutes=59), 5),
        (timedelta(hours=1), 15),
        (timedelta(hours=23), 15),
        (timedelta(days=1), 60),
        (timedelta(days=90), 60),
    ],
)
def test_a_broken_account_is_polled_less_and_less(age: timedelta, interval: int) -> None:
    once = faulty(ACTIVE, fault("connect_failed"), NOW)

    assert faulty(once, fault("connect_failed"), NOW + age).interval == interval


def test_a_refused_login_is_not_repeated_every_five_minutes() -> None:
    state = faulty(ACTIVE, fault("login_refused"), NOW)

    assert (state.status, state.interval) == ("reauth_required", 60)


def test_a_good_look_clears_the_fault() -> None:
    broken = faulty(ACTIVE, fault("login_refused"), NOW)

    state = healthy(broken, FOLDERS, NOW)

    assert (state.code, state.detail, state.since, state.interval) == (None, None, None, 5)
    assert replace(state, checked_at=None) == replace(ACTIVE, checked_at=None)


@pytest.mark.parametrize(("interval", "hours"), [(1, 6), (5, 6), (15, 18), (60, 72)])
def test_at_most_one_idle_look_in_fifty_is_noted(interval: int, hours: int) -> None:
    state = replace(ACTIVE, interval=interval, checked_at="2026-11-24T03:00:00Z")

    assert not is_check_due(state, NOW + timedelta(hours=hours, seconds=-1))
    assert is_check_due(state, NOW + timedelta(hours=hours))
    assert hours * 60 / interval >= 50


def test_the_interval_follows_the_habit() -> None:
    later = NOW + timedelta(days=30)
    dormant = healthy(ACTIVE, FOLDERS, later)
    assert dormant.interval == 60

    assert with_news(dormant, later).interval == 5
    assert watched(dormant, later).interval == 1


@pytest.mark.parametrize(("quiet", "interval"), [(3, 5), (100, 15), (400, 60)])
def test_a_day_of_idle_looks_writes_once_in_fifty(quiet: int, interval: int) -> None:
    """Twelve days, for the slowest; from `quiet` hours without mail on."""
    mail = replace(MAIL, recent=(int(NOW.timestamp()) - quiet * 3600,))
    state = replace(ACTIVE, habit=mail, interval=interval)
    days = 12 if interval == 60 else 1
    looks = [NOW + timedelta(minutes=n) for n in range(0, days * 1440, interval)]

    writes = 0
    for at in looks:
        after = healthy(state, FOLDERS, at)
        writes += (after != state) + (after.interval != state.interval)
        state = after

    assert 1 <= writes <= 0.02 * len(looks)
