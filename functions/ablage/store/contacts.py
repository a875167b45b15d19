"""Contacts: the item is the truth; index entries, members of customers, the list are its rows, and
so is the batch a version asks for: `batch` in the item is started by whoever settles it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ablage.batches import DELETE_ARCHIVE, MERGE_CONTACT
from ablage.contacts import Contact, joined
from ablage.errors import Conflict, InvalidInput, Merged, NotFound
from ablage.store import address_index, keys, owed_batches, projection
from ablage.store.owed_batches import new_addresses, owed
from ablage.store.storage import Storage
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId

SCHEMA = 1
DELETED_SECONDS = 30 * 86400  # how long the version of a deleted contact is remembered
_TRACKED = ("keys", "customers")
_MERGE_ROUNDS = 5

Edit = Callable[[Contact | None], Contact | None]


@dataclass(frozen=True)
class SavedContact:
    """`backfill`: id of the batch that files earlier mail of its new addresses, if there is any."""

    contact: Contact
    created: bool
    backfill: str | None = None


def get_contact(table: Table, tenant: TenantId, contact_id: str) -> Contact | None:
    item = table.get(keys.contact(tenant, contact_id), consistent=True)
    return _contact(tenant, contact_id, item)


def find_contact(table: Table, tenant: TenantId, contact_id: str) -> Contact:
    """Raises NotFound `not_found`, Merged."""
    item = table.get(keys.contact(tenant, contact_id), consistent=True)
    return _standing(tenant, contact_id, item)


def get_contacts(table: Table, tenant: TenantId, contact_ids: tuple[str, ...]) -> list[Contact]:
    """In the order of the ids; those that are gone are left out."""
    items = table.batch_get(keys.contact(tenant, contact_id) for contact_id in contact_ids)
    found = (_contact(tenant, i, items.get(keys.contact(tenant, i))) for i in contact_ids)
    return [contact for contact in found if contact is not None]


def archive_place(table: Table, tenant: TenantId, contact_id: str, but: str) -> str | None:
    """Whose archive holds the contact's mail: its own, or that of the one it was merged into. None
    where it was deleted with the contact, by another batch than `but`."""
    for _ in range(_MERGE_ROUNDS):
        item = table.get(keys.contact(tenant, contact_id), consistent=True) or {}
        if "merged_into" not in item:
            asked = item.get("batch", {})
            gone = item.get("deleted") and asked.get("kind") == DELETE_ARCHIVE
            return None if gone and asked["job"] != but else contact_id
        contact_id = item["merged_into"]
    return contact_id


def page_contacts(
    table: Table, tenant: TenantId, after: str | None, limit: int, now: int
) -> tuple[list[Contact], str | None]:
    """Contacts in the order of their ids, and the sort key to go on after."""
    rows = table.query(keys.contacts(tenant), after=after, limit=limit)
    ids = tuple(row["sk"].partition("#")[2] for row in rows if projection.is_live(row, now))
    return get_contacts(table, tenant, ids), rows[-1]["sk"] if len(rows) == limit else None


def save_contact(
    storage: Storage,
    wanted: Contact,
    check: Callable[[Contact | None], None],
    by: str = "",
) -> SavedContact:
    """Puts the contact and brings its rows up to date. Saving what is there already writes nothing.

    `check` sees what stands there and may raise. Raises Merged, Conflict `busy`.
    """
    tenant, contact_id = wanted.tenant, wanted.contact_id

    def build(before: Item | None) -> Item | None:
        _refuse_merged(before)
        standing = _contact(tenant, contact_id, before)
        check(standing)
        if standing is not None and replace(standing, version=0) == replace(wanted, version=0):
            return None
        carried = standing.active_keys if standing else ()
        where = {"contact": contact_id}
        return _item(wanted) | new_addresses(before, carried, wanted.active_keys, by, where)

    written = _write_item(storage, tenant, contact_id, build)
    saved = replace(wanted, version=written.after["version"])
    created = written.changed and _contact(tenant, contact_id, written.before) is None
    started = written.after if written.changed else None
    return SavedContact(saved, created, owed_batches.started(storage.table, tenant, started))


def leave_customer(storage: Storage, tenant: TenantId, contact_id: str, customer_id: str) -> None:
    """The customer is deleted: its contacts file there no more."""

    def edit(standing: Contact | None) -> Contact | None:
        if standing is None or customer_id not in standing.customers:
            return None
        return replace(standing, customers=tuple(c for c in standing.customers if c != customer_id))

    key = keys.contact(tenant, contact_id)
    if storage.table.get(key, consistent=True) is None:
        row = keys.customer_member(tenant, customer_id, contact_id)
        storage.table.delete(row)
        return
    _write(storage, tenant, contact_id, edit)


def delete_contact(
    storage: Storage,
    tenant: TenantId,
    contact_id: str,
    now: int,
    *,
    with_archive: bool = False,
    by: str = "",
) -> str | None:
    """No new filings; what is filed stays, or goes by the batch whose id comes back: also that of a
    contact deleted before. Raises NotFound `not_found`, Merged."""

    def build(before: Item | None) -> Item | None:
        _refuse_merged(before)
        if not (with_archive and before is not None and before.get("deleted")):
            _standing(tenant, contact_id, before)
        item = {"schema": SCHEMA, "deleted": True, "expires": now + DELETED_SECONDS}
        where = {"entity_type": "contact", "entity_id": contact_id}
        return item | (owed(DELETE_ARCHIVE, by, **where) if with_archive else {})

    written = _write_item(storage, tenant, contact_id, build)
    return owed_batches.started(storage.table, tenant, written.after)


def merge_contact(
    storage: Storage, tenant: TenantId, contact_id: str, into: str, by: str = ""
) -> str:
    """Addresses and customers join `into`; a batch, whose id comes back, moves the archive.

    The id is given up for good. Merging again answers the same. Raises InvalidInput
    `merged_into_itself`, `too_many_addresses`, `too_many_customers`, NotFound `not_found`, Merged
    into another, Conflict `busy`."""
    if contact_id == into:
        raise InvalidInput("merged_into_itself", "Name another contact.", "/into")
    key = keys.contact(tenant, contact_id)
    for _ in range(_MERGE_ROUNDS):
        before = storage.table.get(key, consistent=True)
        if before is None or before.get("merged_into") != into:
            source = _standing(tenant, contact_id, before)
            _join(storage, source, into)
        written = _give_up(storage, tenant, contact_id, before, into=into, by=by)
        if written is not None:
            return str(written.after["batch"]["job"])
    raise Conflict("busy", "Somebody else keeps writing this contact; try again.")


def _join(storage: Storage, source: Contact, into: str) -> None:
    """Asks for no back-filling: mail of these addresses was filed at the source."""

    def build(before: Item | None) -> Item | None:
        standing = _standing(source.tenant, into, before)
        wanted = joined(standing, source)
        return None if wanted == standing else _item(wanted) | owed_batches.kept(before)

    _write_item(storage, source.tenant, into, build)


def _give_up(
    storage: Storage, tenant: TenantId, contact_id: str, seen: Item | None, *, into: str, by: str
) -> projection.Written | None:
    """None where somebody wrote the contact since it was `seen`."""
    where = {"entity_type": "contact", "entity_id": contact_id, "into": into}
    item = {"schema": SCHEMA, "deleted": True, "merged_into": into}

    def build(before: Item | None) -> Item | None:
        if (before or {}).get("version") != (seen or {}).get("version"):
            raise _Changed
        is_merged = (before or {}).get("merged_into") == into
        return None if is_merged else item | owed(MERGE_CONTACT, by, **where)

    try:
        return _write_item(storage, tenant, contact_id, build)
    except _Changed:
        return None


class _Changed(Exception):
    """The contact is not what was read."""


def repair_contact(storage: Storage, tenant: TenantId, contact_id: str) -> None:
    """Finishes what a killed writer left. Raises Conflict `busy`: try again later."""
    table = storage.table
    projection.settle(
        table,
        keys.contact(tenant, contact_id),
        lambda item: _project(table, tenant, contact_id, item),
    )


def _write(storage: Storage, tenant: TenantId, contact_id: str, edit: Edit) -> projection.Written:
    def build(before: Item | None) -> Item | None:
        wanted = edit(_contact(tenant, contact_id, before))
        return None if wanted is None else _item(wanted) | owed_batches.kept(before)

    return _write_item(storage, tenant, contact_id, build)


def _write_item(
    storage: Storage, tenant: TenantId, contact_id: str, build: projection.Build
) -> projection.Written:
    repair = {"repair": {"tenant": tenant, "contact": contact_id}}
    written = projection.write_truth(
        storage.table,
        keys.contact(tenant, contact_id),
        build,
        tracked=_TRACKED,
        announce=lambda: storage.queues.match(repair, projection.REPAIR_DELAY),
    )
    if written.after.get("pending"):
        repair_contact(storage, tenant, contact_id)
    return written


def _project(table: Table, tenant: TenantId, contact_id: str, item: Item) -> None:
    """Index first: it decides what is filed; then members, by them a deleted customer finds us; the
    batch last: it files by the index."""
    version, lost = item["version"], item["lost"]
    customers = item.get("customers", [])
    carried: list[str] = item.get("keys", [])
    active = {"gone": True} if item.get("archived") else {"k": customers}
    entries = {key: {"v": version, **active} for key in carried}
    entries |= {key: {"v": version, "gone": True} for key in lost["keys"]}
    for address, entry in entries.items():
        address_index.write(
            table, tenant, address, group="contacts", entity=contact_id, entry=entry
        )
    row = keys.contact_row(tenant, contact_id)
    projection.put_row(table, row, version, gone=bool(item.get("deleted")))
    for customer in (*customers, *lost["customers"]):
        key = keys.customer_member(tenant, customer, contact_id)
        projection.put_row(table, key, version, gone=customer not in customers)
    owed_batches.start(table, tenant, item)


def _item(contact: Contact) -> Item:
    return {
        "schema": SCHEMA,
        "name": contact.name,
        "addresses": list(contact.addresses),
        "keys": list(contact.keys),
        "customers": list(contact.customers),
        "archived": contact.archived or None,
    }


def _contact(tenant: TenantId, contact_id: str, item: Item | None) -> Contact | None:
    if item is None or item.get("deleted"):
        return None
    return Contact(
        tenant,
        contact_id,
        item["name"],
        tuple(item["addresses"]),
        tuple(item["keys"]),
        tuple(item["customers"]),
        item["version"],
        bool(item.get("archived")),
    )


def _standing(tenant: TenantId, contact_id: str, item: Item | None) -> Contact:
    """Raises NotFound `not_found`, Merged."""
    _refuse_merged(item)
    contact = _contact(tenant, contact_id, item)
    if contact is None:
        raise NotFound("not_found", "There is no such contact.")
    return contact


def _refuse_merged(item: Item | None) -> None:
    if item is not None and "merged_into" in item:
        raise Merged(item["merged_into"])
