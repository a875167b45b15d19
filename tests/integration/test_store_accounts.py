"""Accounts: config and state by their two writers."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.mailboxes import OTHER, TENANT

from ablage.accounts import Account, AccountState, Folder, slot
from ablage.store import keys
from ablage.store.accounts import (
    account_from_item,
    account_item,
    due_keys,
    get_account,
    get_state,
    state_item,
    write_state,
)
from ablage.store.storage import Storage
from ablage.tenancy import TenantId

FULL = Account(
    tenant=TENANT,
    account_id="box",
    address="Info@Firma.de",
    own="info@firma.de",
    host="imap.firma.de",
    port=993,
    username="info",
    version=3,
    sync=False,
    filing_enabled=True,
    filing_since="2026-11-24T00:00:00Z",
    sync_since="2026-01-01T00:00:00Z",
    owner="u1",
    viewers=("u2", "u3"),
    aliases=("@firma.de",),
    sync_folders="chosen",
    folder_modes={"0123456789abcdef": "auto"},
    retention="90d",
    created_at="2026-11-24T00:00:00Z",
    deleted=True,
)
BARE = Account(TENANT, "box", "a@b.de", "a@b.de", "imap.b.de", 993, "a", 1)
STATE = AccountState(
    status="ok",
    interval=15,
    checked_at="2026-11-24T00:00:00Z",
    folders=(
        Folder("0123456789abcdef", "Aufträge", "sent", "Auftr&AOQ-ge"),
        Folder("f" * 16, "Shared", foreign=True, messages=0, uidvalidity=7, uidnext=1),
    ),
    gmail=True,
)


def keep_state(where: Storage, state: AccountState, tenant: TenantId = TENANT) -> None:
    item = state_item(state) | due_keys(tenant, "box", state.interval)
    where.table.put(keys.account_state(tenant, "box"), item)


@pytest.mark.parametrize(
    ("lists", "sync_folders", "modes"),
    [
        ({}, "inbox_and_sent", {}),
        (
            {"folders": ["f1", "f2"], "private_folders": ["f2", "f3"]},
            "chosen",
            {"f1": "auto", "f2": "private", "f3": "private"},
        ),
        ({"folders": [], "private_folders": ["f3"]}, "inbox_and_sent", {"f3": "private"}),
    ],
)
def test_an_account_of_schema_1_keeps_its_folders(
    lists: dict[str, Any], sync_folders: str, modes: dict[str, str]
) -> None:
    item = account_item(BARE)
    old = {name: item[name] for name in item if name not in {"sync_folders", "folder_modes"}}

    account = account_from_item(TENANT, "box", old | {"schema": 1} | lists)

    assert account == replace(BARE, sync_folders=sync_folders, folder_modes=modes)


@pytest.mark.parametrize("account", [FULL, BARE])
def test_an_account_comes_back_as_it_was(aws: Storage, account: Account) -> None:
    aws.table.put(keys.account(TENANT, "box"), account_item(account))

    assert get_account(aws.table, TENANT, "box") == account
    assert get_account(aws.table, OTHER, "box") is None


def test_a_field_added_later_has_its_default() -> None:
    old = account_item(BARE)
    del old["retention"]

    assert account_from_item(TENANT, "box", old) == BARE


def test_a_state_comes_back_as_it_was(aws: Storage) -> None:
    keep_state(aws, STATE)

    assert get_state(aws.table, TENANT, "box") == STATE
    assert get_state(aws.table, OTHER, "box") is None


def test_a_fault_is_written_and_cleared(aws: Storage) -> None:
    keep_state(aws, STATE)
    broken = replace(STATE, status="degraded", code="timeout", detail="d", since="s")

    assert write_state(aws.table, TENANT, "box", broken, STATE)
    assert get_state(aws.table, TENANT, "box") == broken
    assert write_state(aws.table, TENANT, "box", STATE, broken)
    assert get_state(aws.table, TENANT, "box") == STATE


def test_warnings_are_the_apis(aws: Storage) -> None:
    keep_state(aws, replace(STATE, warnings=("own_address",)))

    write_state(aws.table, TENANT, "box", replace(STATE, status="degraded"), STATE)

    state = get_state(aws.table, TENANT, "box")
    assert state is not None
    assert (state.status, state.warnings) == ("degraded", ("own_address",))


def test_a_changed_interval_moves_the_slot_of_its_own_tenant(aws: Storage) -> None:
    keep_state(aws, STATE)
    keep_state(aws, STATE, OTHER)

    write_state(aws.table, TENANT, "box", replace(STATE, interval=60), STATE)

    mine = aws.table.get(keys.account_state(TENANT, "box")) or {}
    theirs = aws.table.get(keys.account_state(OTHER, "box")) or {}
    assert mine["due"] == keys.due_slot(60, slot(TENANT, "box", 60))
    assert theirs["due"] == keys.due_slot(15, slot(OTHER, "box", 15))


def test_a_removed_state_is_not_written(aws: Storage) -> None:
    assert not write_state(aws.table, TENANT, "box", STATE)
    assert get_state(aws.table, TENANT, "box") is None


def test_slots_are_spread_and_stable() -> None:
    slots = [slot(TENANT, f"box{number}", 5) for number in range(500)]

    assert slots == [slot(TENANT, f"box{number}", 5) for number in range(500)]
    assert all(60 < slots.count(each) < 140 for each in range(5))
