"""Blocklist entries. An item's presence blocks; its sort key is the entry's id, in base64url."""

import base64
import binascii
from dataclasses import dataclass

from ablage.blocklist import Entry
from ablage.store import keys, quotas
from ablage.store.keys import Key
from ablage.store.table import ConditionFailed, Item, Table, delete_action, put_action
from ablage.tenancy import TenantId

SCHEMA = 1
_QUOTA = "blocklist"
_KINDS = {"ADDRESS": "address", "DOMAIN": "domain"}


@dataclass(frozen=True)
class BlockedEntry:
    """An entry as it stands on the list; `added_at` is RFC 3339 UTC."""

    entry_id: str
    kind: str
    value: str
    typed: str
    note: str
    added_at: str
    added_by: str


def add(
    table: Table,
    tenant: TenantId,
    entry: Entry,
    *,
    note: str,
    added_at: str,
    added_by: str,
    most: int = 10_000,
) -> tuple[BlockedEntry, bool]:
    """The entry and True; or the one that stands there already, unchanged, and False. Raises
    Conflict `quota_exceeded` beyond `most` entries."""
    key = _key(tenant, entry)
    item = {"entry": entry.typed, "note": note, "added_at": added_at, "added_by": added_by}
    is_new = put_action(key, item | {"schema": SCHEMA}, "attribute_not_exists(pk)")
    try:
        table.transact([is_new, quotas.one_more(tenant, _QUOTA, most)])
    except ConditionFailed:
        standing = table.get(key, consistent=True)
        if standing is None:
            raise quotas.exceeded("blocklist entries", most) from None
        return _blocked(key[1], standing), False
    return _blocked(key[1], item), True


def is_blocked(table: Table, tenant: TenantId, entry: Entry) -> bool:
    """Whether this very entry stands on the list."""
    return table.get(_key(tenant, entry), consistent=True) is not None


def page(
    table: Table, tenant: TenantId, after: str | None, limit: int
) -> tuple[list[BlockedEntry], str | None]:
    """Entries in the order of their sort keys, and the sort key to go on after."""
    items = table.query(keys.blocklist(tenant), after=after, limit=limit)
    more = items[-1]["sk"] if len(items) == limit else None
    return [_blocked(item["sk"], item) for item in items], more


def remove(table: Table, tenant: TenantId, entry_id: str) -> bool:
    """False if there is no such entry, also where the id is none of ours."""
    sk = _sort_key(entry_id)
    if sk is None:
        return False
    is_there = delete_action((keys.blocklist(tenant), sk), "attribute_exists(pk)")
    try:
        table.transact([is_there, quotas.one_less(tenant, _QUOTA)])
    except ConditionFailed:
        return False
    return True


def _key(tenant: TenantId, entry: Entry) -> Key:
    if entry.kind == "address":
        return keys.blocked_address(tenant, entry.value)
    return keys.blocked_domain(tenant, entry.value)


def _blocked(sk: str, item: Item) -> BlockedEntry:
    kind, _, value = sk.partition("#")
    return BlockedEntry(
        entry_id=base64.urlsafe_b64encode(sk.encode()).rstrip(b"=").decode(),
        kind=_KINDS[kind],
        value=value,
        typed=item["entry"],
        note=item["note"],
        added_at=item["added_at"],
        added_by=item["added_by"],
    )


def _sort_key(entry_id: str) -> str | None:
    try:
        padded = entry_id + "=" * (-len(entry_id) % 4)
        sk = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return sk if sk.partition("#")[0] in _KINDS and len(sk.encode()) <= 1024 else None
