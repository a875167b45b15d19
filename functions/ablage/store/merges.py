"""Contacts merged into others: the id is given up for good, addresses and parents join, a batch
moves the archive."""

from ablage.batches import DELETE_ARCHIVE, MERGE_CONTACT
from ablage.errors import Conflict, InvalidInput
from ablage.messages import Entity
from ablage.records import CONTACT, Record, joined
from ablage.store import owed_batches, projection
from ablage.store.owed_batches import owed
from ablage.store.record_writes import write_item
from ablage.store.records import SCHEMA, record_item, record_key, standing_record
from ablage.store.storage import Storage
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId

_ROUNDS = 5


def archive_place(table: Table, tenant: TenantId, contact_id: str, but: str) -> str | None:
    """Whose archive holds the contact's mail: its own, or that of the one it was merged into. None
    where it was deleted with the contact, by another batch than `but`."""
    for _ in range(_ROUNDS):
        key = record_key(tenant, Entity(CONTACT, contact_id))
        item = table.get(key, consistent=True) or {}
        if "merged_into" not in item:
            asked = item.get("batch", {})
            gone = item.get("deleted") and asked.get("kind") == DELETE_ARCHIVE
            return None if gone and asked["job"] != but else contact_id
        contact_id = item["merged_into"]
    return contact_id


def merge_contact(
    storage: Storage, tenant: TenantId, contact_id: str, into: str, by: str = ""
) -> str:
    """The id of the batch that moves the archive; merging again answers the same.

    Raises InvalidInput `merged_into_itself`, `too_many_addresses`, `too_many_customers`, NotFound
    `not_found`, Merged into another, Conflict `busy`."""
    if contact_id == into:
        raise InvalidInput("merged_into_itself", "Name another contact.", "/into")
    contact = Entity(CONTACT, contact_id)
    for _ in range(_ROUNDS):
        before = storage.table.get(record_key(tenant, contact), consistent=True)
        if before is None or before.get("merged_into") != into:
            source = standing_record(tenant, contact, before)
            _join(storage, source, Entity(CONTACT, into))
        written = _give_up(storage, tenant, contact, before, into=into, by=by)
        if written is not None:
            return str(written.after["batch"]["job"])
    raise Conflict("busy", "Somebody else keeps writing this contact; try again.")


def _join(storage: Storage, source: Record, into: Entity) -> None:
    """Asks for no back-filling: mail of these addresses was filed at the source."""

    def build(before: Item | None) -> Item | None:
        standing = standing_record(source.tenant, into, before)
        wanted = joined(standing, source)
        return None if wanted == standing else record_item(wanted) | owed_batches.kept(before)

    write_item(storage, source.tenant, into, build)


def _give_up(
    storage: Storage, tenant: TenantId, contact: Entity, seen: Item | None, *, into: str, by: str
) -> projection.Written | None:
    """None where somebody wrote the contact since it was `seen`."""
    where = {"entity_type": contact.kind, "entity_id": contact.entity_id, "into": into}
    item = {"schema": SCHEMA, "deleted": True, "merged_into": into}

    def build(before: Item | None) -> Item | None:
        if (before or {}).get("version") != (seen or {}).get("version"):
            raise _Changed
        is_merged = (before or {}).get("merged_into") == into
        return None if is_merged else item | owed(MERGE_CONTACT, by, **where)

    try:
        return write_item(storage, tenant, contact, build)
    except _Changed:
        return None


class _Changed(Exception):
    """The contact is not what was read."""
