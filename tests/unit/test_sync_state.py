"""What an account shows: unchanged when nothing changed, clear about a fault, patient with a broken
one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ablage.accounts import AccountState, Folder
from ablage.mailbox.faults import fault
from sync.account_state import faulty, healthy

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
FOLDERS = (Folder("0123456789abcdef", "INBOX", "inbox", "INBOX"),)
ACTIVE = AccountState("active", checked_at="2026-11-24T02:00:00Z", folders=FOLDERS, interval=15)


def test_a_good_look_at_a_good_account_changes_nothing() -> None:
    assert healthy(ACTIVE, FOLDERS, NOW) == ACTIVE


def test_the_first_good_look_makes_it_active() -> None:
    state = healthy(AccountState(), FOLDERS, NOW)

    assert (state.status, state.folders, state.checked_at) == (
        "active",
        FOLDERS,
        "2026-11-24T03:00:00Z",
    )


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
    assert replace(state, checked_at=None, interval=15) == replace(ACTIVE, checked_at=None)
