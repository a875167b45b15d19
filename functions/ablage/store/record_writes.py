"""Records written: the item is the truth; index entries, the row with each parent, the list are its
rows, and so is the batch a version asks for: `batch` in the item is started by whoever settles it.

Children are rows of the parent, so a record that is deleted makes its children leave it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ablage.batches import DELETE_ARCHIVE
from ablage.messages import Entity
from ablage.records import Record
from ablage.source_versions import is_stale
from ablage.store import address_index, keys, owed_batches, projection
from ablage.store.keys import Key
from ablage.store.owed_batches import new_addresses, owed
from ablage.store.records import (
    SCHEMA,
    record_item,
    record_key,
    record_of,
    refuse_merged,
    standing_record,
)
from ablage.store.storage import Storage
from ablage.store.table import Item
from ablage.tenancy import TenantId

DELETED_SECONDS = 30 * 86400  # how long the versions of a deleted record are remembered
_TRACKED = ("keys", "parents")


@dataclass(frozen=True)
class Saved:
    """`backfill`: id of the batch that files earlier mail of its new addresses, if there is any.

    `stale`: nothing changed, for what stands is as new; `record` is what stands, and `deleted`
    where that is nothing."""

    record: Record
    created: bool = False
    changed: bool = False
    backfill: str | None = None
    stale: bool = False
    deleted: bool = False


@dataclass(frozen=True)
class Deleted:
    """`archive`: id of the batch that takes the archive apart. `stale` as in Saved."""

    archive: str | None = None
    stale: bool = False


def save_record(
    storage: Storage,
    wanted: Record,
    check: Callable[[Record | None], None],
    by: str = "",
    *,
    shows: Callable[[Entity], bool] = lambda _: True,
    backfill: bool = True,
) -> Saved:
    """Puts the record and brings its rows up to date. Saving what is there already writes nothing,
    nor does a source version that is not newer.

    `check` sees what stands there and may raise; parents that `shows` leaves out stay. Raises
    Merged, Conflict `busy`.
    """
    tenant, entity = wanted.tenant, wanted.entity
    saved = Saved(wanted)

    def build(before: Item | None) -> Item | None:
        nonlocal saved
        refuse_merged(before)
        standing = record_of(tenant, entity, before)
        check(standing)
        if is_stale(wanted.source, (before or {}).get("source")):
            nothing = Record(tenant, entity, version=(before or {}).get("version", 0))
            saved = Saved(standing or nothing, stale=True, deleted=standing is None)
            return None
        full = _completed(wanted, standing, before, shows)
        saved = Saved(full, created=standing is None)
        if standing is not None and standing == replace(full, version=standing.version):
            return None
        carried = standing.active_keys if standing else ()
        fresh = new_addresses(before, carried, full.active_keys, by, {"record": str(entity)})
        return record_item(full) | (fresh if backfill else owed_batches.kept(before))

    written = write_item(storage, tenant, entity, build)
    if saved.stale:
        return saved
    record = replace(saved.record, version=written.after["version"])
    started = written.after if written.changed and backfill else None
    batch = owed_batches.started(storage.table, tenant, started)
    created = written.changed and saved.created
    return Saved(record, created, written.changed, batch)


def _completed(
    wanted: Record, standing: Record | None, before: Item | None, shows: Callable[[Entity], bool]
) -> Record:
    kept = tuple(p for p in standing.parents if not shows(p)) if standing else ()
    source = wanted.source or (before or {}).get("source")
    return replace(wanted, parents=(*wanted.parents, *kept), source=source)


def delete_record(
    storage: Storage,
    tenant: TenantId,
    entity: Entity,
    now: int,
    *,
    with_archive: bool = False,
    by: str = "",
    source: str | None = None,
    only_version: int | None = None,
    check: Callable[[int], None] = lambda _: None,
) -> Deleted:
    """No new filings, neither through its addresses nor through its children; what is filed stays,
    or goes by a batch: also that of a record deleted before.

    With a source version also what is not there is remembered as deleted, so that a late write
    does not bring it. `only_version`: stale where another stands, unless deleted too. `check` sees
    the version that stands, 0 for none, and may raise. Raises NotFound `not_found`, Merged."""
    deleted = Deleted()

    def build(before: Item | None) -> Item | None:
        nonlocal deleted
        refuse_merged(before)
        known = before or {}
        check(0 if known.get("deleted") else known.get("version", 0))
        if only_version is not None and known.get("deleted"):
            return None
        is_other = only_version is not None and known.get("version") != only_version
        deleted = Deleted(stale=is_other or is_stale(source, known.get("source")))
        if deleted.stale:
            return None
        again = bool(known.get("deleted")) and with_archive
        if source is None and not again:
            standing_record(tenant, entity, before)
        item = {"schema": SCHEMA, "deleted": True, "expires": now + DELETED_SECONDS}
        where = {"entity_type": entity.kind, "entity_id": entity.entity_id}
        asked = owed(DELETE_ARCHIVE, by, **where) if with_archive else {}
        earlier = owed_batches.kept(before) if known.get("deleted") else {}
        return item | {"source": source or known.get("source")} | earlier | asked

    written = write_item(storage, tenant, entity, build)
    if deleted.stale:
        return deleted
    return Deleted(owed_batches.started(storage.table, tenant, written.after))


def repair_record(storage: Storage, tenant: TenantId, entity: Entity) -> None:
    """Finishes what a killed writer left. Raises Conflict `busy`: try again later."""
    projection.settle(
        storage.table,
        record_key(tenant, entity),
        lambda item: _project(storage, tenant, entity, item),
    )


def write_item(
    storage: Storage, tenant: TenantId, entity: Entity, build: projection.Build
) -> projection.Written:
    written = _write_truth(storage, tenant, entity, build)
    if written.after.get("pending"):
        repair_record(storage, tenant, entity)
    return written


def _write_truth(
    storage: Storage, tenant: TenantId, entity: Entity, build: projection.Build
) -> projection.Written:
    repair = {"repair": {"tenant": tenant, "record": str(entity)}}
    return projection.write_truth(
        storage.table,
        record_key(tenant, entity),
        build,
        tracked=_TRACKED,
        announce=lambda: storage.queues.match(repair, projection.REPAIR_DELAY),
    )


def _project(storage: Storage, tenant: TenantId, entity: Entity, item: Item) -> None:
    """Index first: it decides what is filed; then parents, by them a deleted one finds us; the
    batch last: it files by the index."""
    table, version, lost = storage.table, item["version"], item["lost"]
    parents: list[str] = item.get("parents", [])
    active = {"gone": True} if item.get("archived") else {"k": parents}
    entries = {key: {"v": version, **active} for key in item.get("keys", ())}
    entries |= {key: {"v": version, "gone": True} for key in lost["keys"]}
    for address, entry in entries.items():
        address_index.write(
            table, tenant, address, group="records", entity=str(entity), entry=entry
        )
    is_deleted = bool(item.get("deleted"))
    row = keys.record_row(tenant, entity.kind, entity.entity_id)
    projection.put_row(table, row, version, gone=is_deleted)
    for parent in (*parents, *lost["parents"]):
        key = _child_row(tenant, Entity.parse(parent), entity)
        projection.put_row(table, key, version, gone=parent not in parents)
    if is_deleted:
        _let_children_leave(storage, tenant, entity, item.get("merged_into"))
    owed_batches.start(table, tenant, item)


def _child_row(tenant: TenantId, parent: Entity, child: Entity) -> Key:
    return keys.child_row(tenant, (parent.kind, parent.entity_id), (child.kind, child.entity_id))


def _let_children_leave(
    storage: Storage, tenant: TenantId, parent: Entity, merged_into: str | None
) -> None:
    into = Entity(parent.kind, merged_into) if merged_into else None
    pk, _ = record_key(tenant, parent)
    for row in storage.table.query_all(pk, prefix="CHILD#"):
        if not row.get("gone"):
            child = Entity.parse(row["sk"].removeprefix("CHILD#"))
            _leave(storage, tenant, child, parent, into)


def _leave(
    storage: Storage, tenant: TenantId, child: Entity, parent: Entity, into: Entity | None
) -> None:
    """The parent is deleted, or merged `into` another: the child's mail is filed there no more.

    A child that was deleted itself and is pending has a repair of its own: going into it from here
    could come back."""

    def build(before: Item | None) -> Item | None:
        standing = record_of(tenant, child, before)
        if standing is None or parent not in standing.parents:
            return None
        parents = [into if p == parent else p for p in standing.parents]
        kept = tuple(dict.fromkeys(p for p in parents if p is not None and p != child))
        return record_item(replace(standing, parents=kept)) | owed_batches.kept(before)

    if storage.table.get(record_key(tenant, child), consistent=True) is None:
        storage.table.delete(_child_row(tenant, parent, child))
        return
    after = _write_truth(storage, tenant, child, build).after
    if after.get("pending") and not after.get("deleted"):
        repair_record(storage, tenant, child)
