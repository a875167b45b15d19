"""Messages in the table: read whole, written under a version, projected into rows."""

import time
from collections.abc import Iterable

from ablage.messages import Entity, Message
from ablage.store import keys
from ablage.store.message_items import (
    Part,
    event_value,
    message_from_items,
    message_items,
    part_keys,
    with_settled,
)
from ablage.store.rows import TOMBSTONE_SECONDS, archive_key
from ablage.store.table import ConditionFailed, Item, Table
from ablage.tenancy import TenantId

_READ_TRIES = 5
_IS_NEW = "attribute_not_exists(pk)"
_IS_THAT_VERSION = "v = :version"
_IS_NOT_NEWER = "attribute_not_exists(pk) OR v <= :version OR expires <= :now"


def read(table: Table, tenant: TenantId, message_id: str) -> Message | None:
    """The message as its last writer left it, expired ones included."""
    key = keys.message(tenant, message_id)
    for _ in range(_READ_TRIES):
        item = table.get(key, consistent=True)
        if item is None:
            return None
        message = _whole(table, tenant, message_id, item)
        if message is not None:
            return message
    raise RuntimeError("the parts of a message changed at each of five reads")


def get(table: Table, tenant: TenantId, message_id: str, now: int) -> Message | None:
    """What a reader may see: None once it has expired (TTL deletes up to days late)."""
    message = read(table, tenant, message_id)
    return message if message and (message.expires is None or message.expires > now) else None


def read_messages(table: Table, tenant: TenantId, ids: Iterable[str], now: int) -> list[Message]:
    """Without those that are gone or have expired; each once. Eventually consistent."""
    wanted = {keys.message(tenant, message_id): message_id for message_id in ids}
    found = table.batch_get(wanted)
    known = (_found(table, tenant, i, found[key]) for key, i in wanted.items() if key in found)
    return [m for m in known if m is not None and (m.expires is None or m.expires > now)]


def _found(table: Table, tenant: TenantId, message_id: str, item: Item) -> Message | None:
    if "parts" in item:
        return read(table, tenant, message_id)
    return message_from_items(tenant, message_id, item)


def _whole(table: Table, tenant: TenantId, message_id: str, item: Item) -> Message | None:
    """None when a part is gone: a newer version has replaced it since the item was read."""
    message = message_from_items(tenant, message_id, item)
    if "parts" not in item:
        return message
    parts = [table.get(key, consistent=True) for key in part_keys(message, item)]
    if any(part is None for part in parts):
        return None
    return message_from_items(tenant, message_id, item, [part for part in parts if part])


def write(table: Table, message: Message) -> None:
    """Step 1: `message` as the version after the one it was made from. Raises ConditionFailed."""
    item, parts = message_items(message)
    if parts:
        spilled = zip(part_keys(message, item), parts, strict=True)
        for key, part in spilled:
            table.put(key, _part_item(message, part))
    before = message.version - 1
    table.put(
        keys.message(message.tenant, message.message_id),
        item,
        condition=_IS_THAT_VERSION if before else _IS_NEW,
        values={":version": before} if before else None,
    )


def _part_item(message: Message, part: Part) -> Item:
    return {"name": part.name, "entries": list(part.entries), "expires": message.expires}


def settle(table: Table, message: Message) -> Message:
    """Step 4: nothing is owed any more, if the version is still this. Raises ConditionFailed."""
    settled = with_settled(message)
    archived = {digest: bytes.fromhex(sha) for digest, sha in message.archived.items()}
    history = [event_value(event) for event in settled.history]
    kept = {name: value for name, value in {"ar": archived, "h": history}.items() if value}
    table.update(
        keys.message(message.tenant, message.message_id),
        "SET " + ", ".join(["st = :st", *(f"{name} = :{name}" for name in kept)]) + " REMOVE g, o",
        condition=_IS_THAT_VERSION,
        values={":st": True, ":version": message.version}
        | {f":{name}": value for name, value in kept.items()},
    )
    _drop_old_parts(table, message)
    return settled


def _drop_old_parts(table: Table, message: Message) -> None:
    """Parts of earlier versions. A reader that misses one reads the item again."""
    if not message.spilled:
        return
    pk, _ = keys.message(message.tenant, message.message_id)
    for item in table.query_all(pk, prefix="PART#"):
        if item["sk"] < keys.part_prefix(message.version):
            table.delete((pk, item["sk"]))


def put_tombstones(table: Table, message: Message, entities: Iterable[Entity]) -> None:
    """The rows of lost filings: readers see nothing, late writers of older versions are refused."""
    expires = int(time.time()) + TOMBSTONE_SECONDS
    for entity in sorted(entities):
        put_row(table, archive_key(message, entity), message, {"gone": True, "expires": expires})


def put_row(table: Table, key: keys.Key, message: Message, row: Item) -> None:
    """Unless a newer version's row is there."""
    try:
        table.put(
            key,
            row | {"v": message.version},
            condition=_IS_NOT_NEWER,
            values={":version": message.version, ":now": int(time.time())},
        )
    except ConditionFailed:
        return  # a newer version is there: its writer projects it
