"""Records as they stand: one, several, a page of a type, a record's children."""

from collections.abc import Iterable

from ablage.errors import Merged, NotFound
from ablage.messages import Entity
from ablage.records import Record
from ablage.store import keys, projection
from ablage.store.keys import Key
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId

SCHEMA = 1


def record_key(tenant: TenantId, entity: Entity) -> Key:
    return keys.record(tenant, entity.kind, entity.entity_id)


def get_record(table: Table, tenant: TenantId, entity: Entity) -> Record | None:
    item = table.get(record_key(tenant, entity), consistent=True)
    return record_of(tenant, entity, item)


def find_record(table: Table, tenant: TenantId, entity: Entity) -> Record:
    """Raises NotFound `not_found`, Merged."""
    item = table.get(record_key(tenant, entity), consistent=True)
    return standing_record(tenant, entity, item)


def get_records(table: Table, tenant: TenantId, entities: Iterable[Entity]) -> list[Record]:
    """In the order asked for; those that are gone are left out. Eventually consistent."""
    wanted = list(entities)
    items = table.batch_get(record_key(tenant, entity) for entity in wanted)
    found = (record_of(tenant, e, items.get(record_key(tenant, e))) for e in wanted)
    return [record for record in found if record is not None]


def page_records(
    table: Table, tenant: TenantId, kind: str, *, after: str | None, limit: int, now: int
) -> tuple[list[Record], str | None]:
    """Records of a type in the order of their ids, and the sort key to go on after."""
    rows = table.query(keys.records(tenant, kind), after=after, limit=limit)
    ids = (row["sk"].partition("#")[2] for row in rows if projection.is_live(row, now))
    found = get_records(table, tenant, (Entity(kind, one) for one in ids))
    return found, rows[-1]["sk"] if len(rows) == limit else None


def page_children(
    table: Table, tenant: TenantId, parent: Entity, kind: str, *, after: str | None, limit: int
) -> tuple[list[str], str | None]:
    """Ids of the children of one type, whether the parent exists or not, as `page_records`."""
    pk, _ = record_key(tenant, parent)
    prefix = keys.child_prefix(kind)
    rows = table.query(pk, prefix=prefix, after=after, limit=limit)
    ids = [row["sk"].removeprefix(prefix) for row in rows if not row.get("gone")]
    return ids, rows[-1]["sk"] if len(rows) == limit else None


def record_item(record: Record) -> Item:
    return {
        "schema": SCHEMA,
        "label": record.label,
        "url": record.url or None,
        "addresses": list(record.addresses),
        "keys": list(record.keys),
        "parents": [str(parent) for parent in record.parents],
        "archived": record.archived or None,
        "source": record.source,
    }


def record_of(tenant: TenantId, entity: Entity, item: Item | None) -> Record | None:
    """None where it is deleted."""
    if item is None or item.get("deleted"):
        return None
    return Record(
        tenant,
        entity,
        item["label"],
        tuple(item["addresses"]),
        tuple(item["keys"]),
        tuple(Entity.parse(parent) for parent in item["parents"]),
        item.get("url", ""),
        bool(item.get("archived")),
        item.get("source"),
        item["version"],
    )


def standing_record(tenant: TenantId, entity: Entity, item: Item | None) -> Record:
    """Raises NotFound `not_found`, Merged."""
    refuse_merged(item)
    record = record_of(tenant, entity, item)
    if record is None:
        raise NotFound("not_found", f"There is no such {entity.kind}.")
    return record


def refuse_merged(item: Item | None) -> None:
    if item is not None and "merged_into" in item:
        raise Merged(item["merged_into"])
