"""Truth first, its rows after: how a contact, customer or account gets into what is read by others.

    repair message (60 s ahead) -> truth, version n+1, `pending`, `lost` -> rows -> settled

`lost` is what rows may still say of any version since the last settled one. Rows are made from the
item alone and carry its version. Killed anywhere, the repair message does the rest; overtaken, a
writer reads the item again and projects what it says now.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ablage.errors import Conflict
from ablage.store.keys import Key
from ablage.store.table import ConditionFailed, Item, Table

ROW_TOMBSTONE_SECONDS = 24 * 3600
REPAIR_DELAY = 60  # seconds; longer than an API call takes
_ROUNDS = 25

Build = Callable[[Item | None], Item | None]
Project = Callable[[Item], None]


@dataclass(frozen=True)
class Written:
    """`before` is None when nothing stood there. `changed` is False where nothing was to do."""

    before: Item | None
    after: Item
    changed: bool


def write_truth(
    table: Table,
    key: Key,
    build: Build,
    *,
    tracked: Sequence[str],
    announce: Callable[[], None],
) -> Written:
    """Version n+1 of the item, by compare-and-set; `build` makes its content from the item that
    stands there (None: leave it) and may raise. `tracked` names the lists whose elements have rows.

    `announce` sends the repair message, once, before the first write. Raises Conflict `busy`.
    """
    announced = False
    for round_ in range(_ROUNDS):
        before = table.get(key, consistent=True)
        body = build(before)
        if body is None and before is not None and not before.get("pending"):
            return Written(before, before, changed=False)
        if not announced:
            announce()
            announced = True
        if body is None and before is not None:
            return Written(before, before, changed=False)
        after = next_version(before, body or {}, tracked)
        condition, values = unchanged_since(before)
        try:
            table.put(key, after, condition=condition, values=values)
        except ConditionFailed:
            time.sleep(random.uniform(0, 0.01 * min(round_, 10)))  # noqa: S311  jitter, no secret
        else:
            return Written(before, after, changed=True)
    raise Conflict("busy", "Too many writers of one item; try again.")


def next_version(before: Item | None, body: Item, tracked: Sequence[str]) -> Item:
    """`body` as the version after `before`: pending, with everything rows may still say."""
    old = before or {}
    owed = old.get("lost", {})
    lost = {
        name: sorted({*owed.get(name, ()), *old.get(name, ())} - set(body.get(name, ())))
        for name in tracked
    }
    return body | {"version": old.get("version", 0) + 1, "pending": True, "lost": lost}


def unchanged_since(before: Item | None) -> tuple[str, Item | None]:
    """Condition and values: nobody wrote since `before` was read."""
    if before is None:
        return "attribute_not_exists(pk)", None
    return "version = :seen", {":seen": before["version"]}


def settle(table: Table, key: Key, project: Project) -> None:
    """Rows as the item says, until nobody wrote meanwhile. Raises Conflict `busy`."""
    for _ in range(_ROUNDS):
        item = table.get(key, consistent=True)
        if item is None or not item.get("pending"):
            return
        project(item)
        try:
            table.update(
                key,
                "REMOVE pending, lost",
                condition="version = :mine",
                values={":mine": item["version"]},
            )
        except ConditionFailed:
            continue
        return
    raise Conflict("busy", "Too many writers of one item; it is repaired within minutes.")


def put_row(table: Table, key: Key, version: int, *, gone: bool = False) -> None:
    """A row of this version, unless a newer one stands there. `gone`: a tombstone, which readers
    skip and TTL removes."""
    is_new = "attribute_not_exists(pk)"
    is_older = "version <= :version"
    is_outlived = "expires <= :now"
    now = int(time.time())
    content = {"gone": True, "expires": now + ROW_TOMBSTONE_SECONDS} if gone else {}
    try:
        table.put(
            key,
            content | {"version": version},
            condition=f"{is_new} OR {is_older} OR {is_outlived}",
            values={":version": version, ":now": now},
        )
    except ConditionFailed:
        return


def is_live(row: Item, now: int) -> bool:
    """No tombstone, not expired: TTL may take days to delete."""
    return not row.get("gone") and int(row.get("expires", now + 1)) > now
