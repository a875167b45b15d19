"""Accounts: the config the API writes, the state, cursors and lease that sync writes.

Two writers, two items: the API alone writes the config, sync alone writes the state, except that
the API creates the state with its due keys and removes these keys when `sync` goes off. Every sync
write is therefore an update of what is there: it can neither create an account nor put a removed
due key back."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from ablage.accounts import Account, AccountState, Folder, slot
from ablage.events import ACCOUNT
from ablage.habit import Habit
from ablage.store import feed, keys
from ablage.store.table import ConditionFailed, Item, Table, update_action
from ablage.tenancy import TenantId

SCHEMA = 2
SUGGESTIONS = 20
_TUPLES = ("viewers", "aliases")
_COUNTS = ("tries", "refusals", "login_version", "not_before", "backfill_after", "slow_until")
_STORED = tuple(
    field.name for field in fields(Account) if field.name not in {"tenant", "account_id"}
)


def account_item(account: Account) -> Item:
    """The config item at `keys.account`, without its key; what is None is absent."""
    item = {name: getattr(account, name) for name in _STORED}
    item |= {name: list(item[name]) for name in _TUPLES}
    item["folder_modes"] = dict(account.folder_modes)
    return {"schema": SCHEMA} | {name: value for name, value in item.items() if value is not None}


def account_from_item(tenant: TenantId, account_id: str, item: Item) -> Account:
    known = _without_folder_lists(item)
    known = {name: known[name] for name in _STORED if name in known}
    known |= {name: tuple(known[name]) for name in _TUPLES if name in known}
    return Account(tenant=tenant, account_id=account_id, **known)


def _without_folder_lists(item: Item) -> Item:
    """Schema 1 had the ids of `folders` to sync, none for Inbox and Sent, and `private_folders`."""
    if item.get("schema", 1) > 1:
        return item
    modes = dict.fromkeys(item.get("folders", ()), "auto")
    modes |= dict.fromkeys(item.get("private_folders", ()), "private")
    sync_folders = "chosen" if item.get("folders") else "inbox_and_sent"
    return item | {"folder_modes": modes, "sync_folders": sync_folders}


def get_account(
    table: Table, tenant: TenantId, account_id: str, *, consistent: bool = False
) -> Account | None:
    item = table.get(keys.account(tenant, account_id), consistent=consistent)
    return account_from_item(tenant, account_id, item) if item else None


def by_id(table: Table, tenant: TenantId, account_ids: Iterable[str]) -> dict[str, Account]:
    """Accounts as they are at this moment, deleted ones too. One call up to 100 ids."""
    wanted = {keys.account(tenant, account_id): account_id for account_id in account_ids}
    found = table.batch_get(wanted, consistent=True) if wanted else {}
    return {
        wanted[key]: account_from_item(tenant, wanted[key], item) for key, item in found.items()
    }


def due_keys(tenant: TenantId, account_id: str, interval: int) -> dict[str, str]:
    """The attributes that make dispatch poll the account; the API adds them to the state while
    `sync` is on."""
    return {
        "due": keys.due_slot(interval, slot(tenant, account_id, interval)),
        "due_sk": keys.due_account(tenant, account_id),
    }


def state_item(state: AccountState) -> Item:
    """The item at `keys.account_state`, without its key and its due keys."""
    item: dict[str, Any] = {
        "schema": SCHEMA,
        "status": state.status,
        "code": state.code,
        "detail": state.detail,
        "since": state.since,
        "interval": state.interval,
        "warnings": list(state.warnings),
        "checked_at": state.checked_at,
        "folder_list": [_folder_value(folder) for folder in state.folders],
        "habit": _habit_value(state.habit),
        "gmail": state.gmail or None,
    }
    item |= {name: getattr(state, name) or None for name in _COUNTS}
    return {name: value for name, value in item.items() if value is not None}


def state_from_item(item: Item) -> AccountState:
    return AccountState(
        status=item["status"],
        code=item.get("code"),
        detail=item.get("detail"),
        since=item.get("since"),
        interval=item["interval"],
        warnings=tuple(item.get("warnings", ())),
        checked_at=item.get("checked_at"),
        folders=tuple(_folder(value) for value in item.get("folder_list", ())),
        habit=habit_from_item(item),
        gmail=item.get("gmail", False),
        **{name: item.get(name, 0) for name in _COUNTS},
    )


def get_state(table: Table, tenant: TenantId, account_id: str) -> AccountState | None:
    item = table.get(keys.account_state(tenant, account_id))
    return state_from_item(item) if item else None


def write_state(
    table: Table,
    tenant: TenantId,
    account_id: str,
    state: AccountState,
    before: AccountState | None = None,
) -> bool:
    """Write what sync knows; `warnings` belong to the API and stay. Another status is told the feed
    in the same transaction, by whoever really changes it. False when the account is gone."""
    values = {name: value for name, value in state_item(state).items() if name != "warnings"}
    may_go = ("code", "detail", "since", "gmail", *_COUNTS)
    cleared = [name for name in may_go if name not in values]
    sets = ", ".join(f"#{name} = :{name}" for name in values)
    removes = " REMOVE " + ", ".join(f"#{name}" for name in cleared) if cleared else ""
    write = _Write(
        tenant,
        account_id,
        state,
        f"SET {sets}{removes}",
        {f":{name}": value for name, value in values.items()},
        {f"#{name}": name for name in (*values, *cleared)},
    )
    known = before.status if before else None
    while known is None or not _written(table, write, known):
        standing = table.get(write.key, consistent=True)
        if standing is None:
            return False
        known = str(standing["status"])
    if before is None or before.interval != state.interval:
        _move_due(table, tenant, account_id, state.interval)
    return True


@dataclass(frozen=True)
class _Write:
    """One conditional update of an account's state."""

    tenant: TenantId
    account_id: str
    state: AccountState
    expression: str
    values: dict[str, Any]
    names: dict[str, str]

    @property
    def key(self) -> keys.Key:
        return keys.account_state(self.tenant, self.account_id)

    def told(self, previous: str, at: int) -> feed.Happened:
        facts = {"account": self.account_id, "status": self.state.status, "previous": previous}
        name = f"account#{self.account_id}#{at}"
        return feed.fact(self.tenant, at, ACCOUNT, name, facts | {"code": self.state.code})


def _written(table: Table, write: _Write, known: str) -> bool:
    """False where another status than `known` stands there, or none."""
    condition, values = "#status = :known", write.values | {":known": known}
    try:
        if known == write.state.status:
            table.update(
                write.key, write.expression, condition=condition, names=write.names, values=values
            )
        else:
            row = write.told(known, feed.milliseconds(time.time))
            action = update_action(write.key, write.expression, values, condition, write.names)
            feed.put_with(table, row, [action])
    except ConditionFailed:
        return False
    return True


def suggest_alias(table: Table, tenant: TenantId, account_id: str, address: str) -> None:
    """The mailbox sends as `address` without having declared it: remembered once, at most
    SUGGESTIONS of them. Nothing is learned by itself: a person declares it, or does not."""
    is_news = (
        "attribute_exists(pk) AND NOT contains(alias_hints, :address)"
        " AND (attribute_not_exists(alias_hints) OR size(alias_hints) < :most)"
    )
    values = {":one": {address}, ":address": address, ":most": SUGGESTIONS}
    try:
        table.update(
            keys.account_state(tenant, account_id),
            "ADD alias_hints :one",
            condition=is_news,
            values=values,
        )
    except ConditionFailed:
        return


def _move_due(table: Table, tenant: TenantId, account_id: str, interval: int) -> None:
    """Follow a changed interval. An account without due keys is switched off: it stays off."""
    due = due_keys(tenant, account_id, interval)["due"]
    is_synced_elsewhere = "attribute_exists(due) AND due <> :due"
    try:
        table.update(
            keys.account_state(tenant, account_id),
            "SET due = :due",
            condition=is_synced_elsewhere,
            values={":due": due},
        )
    except ConditionFailed:
        return


def _folder_value(folder: Folder) -> dict[str, Any]:
    """What is not told is absent."""
    value = {
        "id": folder.folder_id,
        "name": folder.name,
        "role": folder.role,
        "raw": folder.raw,
        "foreign": folder.foreign or None,
        "messages": folder.messages,
        "uidvalidity": folder.uidvalidity,
        "uidnext": folder.uidnext,
    }
    return {name: told for name, told in value.items() if told is not None}


def _folder(value: dict[str, Any]) -> Folder:
    return Folder(
        value["id"],
        value["name"],
        value["role"],
        value.get("raw", ""),
        foreign=value.get("foreign", False),
        messages=value.get("messages"),
        uidvalidity=value.get("uidvalidity"),
        uidnext=value.get("uidnext"),
    )


def _habit_value(habit: Habit) -> dict[str, Any]:
    return {
        "since": habit.since,
        "hours": habit.hours,
        "recent": list(habit.recent),
        "awake": habit.awake,
    }


def habit_from_item(item: Item) -> Habit:
    """Of a state item; a mailbox never looked at has none."""
    value = item.get("habit")
    if value is None:
        return Habit()
    return Habit(value["since"], value["hours"], tuple(value["recent"]), value["awake"])
