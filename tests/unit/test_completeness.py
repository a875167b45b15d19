"""Is anything missing between A and B? From how account and folder stand."""

from dataclasses import replace
from typing import Any

import pytest

from ablage.completeness import AccountStanding, FolderStanding, Parked, what_is_open

A, B, LOOK = "2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-24T10:05:00Z"
ACCOUNT = AccountStanding(reads_from="2026-10-01T00:00:00Z", looked_at=LOOK)
FOLDER = FolderStanding(is_listed=True, is_synced=True, is_read=True)
TOO_LARGE = Parked(7, "too_large", 1, is_open=False)


def codes(
    account: AccountStanding = ACCOUNT,
    folder: FolderStanding = FOLDER,
    since: str = A,
    until: str = B,
) -> list[str]:
    return [each.code for each in what_is_open(account, folder, since, until)]


def test_a_folder_that_was_read_is_complete() -> None:
    assert codes() == []
    assert codes(until=LOOK) == []
    assert codes(since=ACCOUNT.reads_from) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_listed": False}, "folder_missing"),
        ({"is_synced": False}, "not_synced"),
        ({"is_read": False}, "never_read"),
        ({"importing": (10, 90)}, "importing"),
        ({"parked": (TOO_LARGE,)}, "parked"),
        ({"moved": 2}, "moved_before_sync"),
    ],
)
def test_what_is_open_in_the_folder_is_told(change: dict[str, Any], code: str) -> None:
    assert codes(folder=replace(FOLDER, **change)) == [code]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"looked_at": None}, "not_looked_at"),
        ({"looked_at": A}, "not_looked_at"),
        ({"reads_from": B, "looked_at": LOOK}, "before_sync_since"),
        ({"is_synced": False}, "paused"),
        ({"fault": "timeout", "fault_since": "2026-11-02T00:00:00Z"}, "timeout"),
        ({"has_more": True, "looked_at": LOOK}, "waiting"),
    ],
)
def test_what_is_open_in_the_account_is_told(change: dict[str, Any], code: str) -> None:
    assert codes(replace(ACCOUNT, **({"looked_at": A} | change))) == [code]


def test_mail_after_the_last_look_is_not_vouched_for() -> None:
    assert codes(until="2026-11-24T10:05:01Z") == ["not_looked_at"]


@pytest.mark.parametrize("change", [{"fault": "timeout"}, {"is_synced": False}])
def test_what_was_read_before_an_outage_stays_complete(change: dict[str, Any]) -> None:
    account = replace(ACCOUNT, fault_since="2026-11-24T10:30:00Z", **change)

    assert codes(account, until=B) == []
    assert codes(account, until="2026-11-24T10:31:00Z") != []


def test_everything_that_is_open_is_told_at_once() -> None:
    account = replace(ACCOUNT, has_more=True, looked_at=A)
    folder = replace(FOLDER, importing=(1, 2), parked=(TOO_LARGE,))

    assert codes(account, folder) == ["importing", "not_looked_at", "waiting", "parked"]
