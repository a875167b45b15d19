"""The address index: one item says whose an address is: records, own accounts.

A projection of records and accounts. Every entry carries the version of what wrote it
and gives way only to the same or a newer one; a removal leaves a stub for a day, so that a writer
who comes late cannot bring it back.

Item `0000` is the lock of the whole address: each write raises its `version` by a conditional
write. What does not fit there goes to chunks, changed in the same transaction:

    0000  {version, records, own, chunks: 2}
    0001  {records}   0002  {records}
"""

import json
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ablage.addresses import NORMALISER_VERSION
from ablage.errors import Conflict
from ablage.store import keys
from ablage.store.table import ConditionFailed, Item, Table, put_action
from ablage.tenancy import TenantId

Group = Literal["records", "own"]
Entry = dict[str, Any]

STUB_SECONDS = 24 * 3600
CHUNK_ENTRIES = 100
CHUNK_BYTES = 300_000  # DynamoDB: an item has at most 400 kB
_ROUNDS = 25
_GROUPS: tuple[Group, ...] = ("records", "own")


@dataclass(frozen=True)
class Owners:
    """Who carries an address now: records (`type#id`) with their parents, own accounts."""

    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()


def read(
    table: Table, tenant: TenantId, addresses: Iterable[str], *, consistent: bool = False
) -> dict[str, Owners]:
    """Of each address (exact key, or `@domain`) that has an item; one BatchGetItem round unless it
    has chunks. `consistent` reads one by one."""
    wanted = {keys.address(tenant, address): address for address in addresses}
    if consistent:
        found = {key: item for key in wanted if (item := table.get(key, consistent=True))}
    else:
        found = table.batch_get(wanted)
    chunk_keys = {
        keys.address(tenant, wanted[key], number): wanted[key]
        for key, item in found.items()
        for number in range(1, item.get("chunks", 0) + 1)
    }
    items: dict[str, list[Item]] = {wanted[key]: [item] for key, item in found.items()}
    for key, item in table.batch_get(chunk_keys).items() if chunk_keys else ():
        items[chunk_keys[key]].append(item)
    return {address: owners_of(parts) for address, parts in items.items()}


def owners_of(items: list[Item]) -> Owners:
    live = {
        group: {
            entity: entry
            for item in items
            for entity, entry in item.get(group, {}).items()
            if not entry.get("gone")
        }
        for group in _GROUPS
    }
    return Owners(
        records={record: tuple(e.get("k", ())) for record, e in live["records"].items()},
        own=frozenset(live["own"]),
    )


def write(
    table: Table, tenant: TenantId, address: str, *, group: Group, entity: str, entry: Entry
) -> None:
    """Puts `entry` (`v`, for records `k`, for a removal `gone`) unless a newer one stands there.

    Equal entries cost a read only. Raises Conflict `busy` where others always came first.
    """
    for round_ in range(_ROUNDS):
        chunks = _load(table, tenant, address)
        dirty = _apply(chunks, group, entity, dict(entry), int(time.time()))
        if not dirty:
            return
        try:
            _store(table, tenant, address, chunks, dirty)
        except ConditionFailed:
            time.sleep(random.uniform(0, 0.01 * min(round_, 10)))  # noqa: S311  jitter, no secret
        else:
            return
    raise Conflict("busy", "Too many writers of one address; try again.")


def _load(table: Table, tenant: TenantId, address: str) -> list[Item]:
    """Item 0000 and its chunks; a writer in between is noticed, as it raises 0000's version."""
    first = table.get(keys.address(tenant, address), consistent=True) or {"version": 0}
    others = [
        table.get(keys.address(tenant, address, number), consistent=True) or {}
        for number in range(1, first.get("chunks", 0) + 1)
    ]
    return [first, *others]


def _apply(chunks: list[Item], group: Group, entity: str, entry: Entry, now: int) -> set[int]:
    """Changes `chunks`; the numbers of those that changed, empty if there is nothing to do."""
    place = next((n for n, chunk in enumerate(chunks) if entity in chunk.get(group, {})), None)
    standing = chunks[place][group][entity] if place is not None else None
    if standing is not None and _wins(standing, entry, now):
        return set()
    if entry.get("gone"):
        entry["at"] = now
    dirty = set()
    if place is not None:
        del chunks[place][group][entity]
        dirty.add(place)
    target = _room(chunks, group, entry, now, place or 0)
    chunks[target].setdefault(group, {})[entity] = entry
    return dirty | {target}


def _wins(standing: Entry, entry: Entry, now: int) -> bool:
    """The standing entry stays: it says the same, or is newer and no stub that has had its day."""
    if {**standing, "at": None} == {**entry, "at": None}:
        return True
    return bool(standing["v"] > entry["v"]) and not _outlived(standing, now)


def _outlived(entry: Entry, now: int) -> bool:
    return bool(entry.get("gone")) and int(entry.get("at", 0)) < now - STUB_SECONDS


def _room(chunks: list[Item], group: Group, entry: Entry, now: int, first: int) -> int:
    """The number of a chunk that can take `entry`: `first`, the lowest with room, or a new one."""
    if group == "own":
        return 0
    numbers: list[int] = [first, *(n for n in range(len(chunks)) if n != first)]
    for number in numbers:
        _drop_outlived(chunks[number], now)
        if _fits(chunks[number], entry):
            return number
    chunks.append({})
    return len(chunks) - 1


def _drop_outlived(chunk: Item, now: int) -> None:
    for group in _GROUPS:
        if group in chunk:
            chunk[group] = {e: v for e, v in chunk[group].items() if not _outlived(v, now)}


def _fits(chunk: Item, entry: Entry) -> bool:
    entries = {group: chunk.get(group, {}) for group in _GROUPS}
    return (
        len(entries["records"]) < CHUNK_ENTRIES and len(json.dumps([entries, entry])) < CHUNK_BYTES
    )


def _store(
    table: Table, tenant: TenantId, address: str, chunks: list[Item], dirty: set[int]
) -> None:
    first = chunks[0]
    seen = int(first["version"])
    body = {group: first.get(group, {}) for group in _GROUPS} | {
        "version": seen + 1,
        "normaliser": NORMALISER_VERSION,
        "chunks": len(chunks) - 1 or None,
    }
    unchanged = "attribute_not_exists(pk)" if seen == 0 else "version = :seen"
    values = {":seen": seen} if seen else None
    key = keys.address(tenant, address)
    if dirty == {0}:
        table.put(key, body, condition=unchanged, values=values)
        return
    actions = [put_action(key, body, unchanged, values)]
    for number in sorted(dirty - {0}):
        chunk = {"records": chunks[number].get("records", {})}
        actions.append(put_action(keys.address(tenant, address, number), chunk))
    table.transact(actions)
