"""Contacts: the item is the truth; index entries, members of customers, the list are its rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ablage.contacts import Contact
from ablage.errors import NotFound
from ablage.store import address_index, keys, projection
from ablage.store.storage import Storage
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId

SCHEMA = 1
DELETED_SECONDS = 30 * 86400  # how long the version of a deleted contact is remembered
_TRACKED = ("keys", "customers")

Edit = Callable[[Contact | None], Contact | None]


@dataclass(frozen=True)
class SavedContact:
    contact: Contact
    created: bool


def get_contact(table: Table, tenant: TenantId, contact_id: str) -> Contact | None:
    item = table.get(keys.contact(tenant, contact_id), consistent=True)
    return _contact(tenant, contact_id, item)


def get_contacts(table: Table, tenant: TenantId, contact_ids: tuple[str, ...]) -> list[Contact]:
    """In the order of the ids; those that are gone are left out."""
    items = table.batch_get(keys.contact(tenant, contact_id) for contact_id in contact_ids)
    found = (_contact(tenant, i, items.get(keys.contact(tenant, i))) for i in contact_ids)
    return [contact for contact in found if contact is not None]


def page_contacts(
    table: Table, tenant: TenantId, after: str | None, limit: int, now: int
) -> tuple[list[Contact], str | None]:
    """Contacts in the order of their ids, and the sort key to go on after."""
    rows = table.query(keys.contacts(tenant), after=after, limit=limit)
    ids = tuple(row["sk"].partition("#")[2] for row in rows if projection.is_live(row, now))
    return get_contacts(table, tenant, ids), rows[-1]["sk"] if len(rows) == limit else None


def save_contact(
    storage: Storage, wanted: Contact, check: Callable[[Contact | None], None]
) -> SavedContact:
    """Puts the contact and brings its rows up to date. Saving what is there already writes nothing.

    `check` sees what stands there and may raise. Raises Conflict `busy`.
    """
    tenant, contact_id = wanted.tenant, wanted.contact_id

    def edit(standing: Contact | None) -> Contact | None:
        check(standing)
        same = standing is not None and replace(standing, version=0) == replace(wanted, version=0)
        return None if same else wanted

    written = _write(storage, tenant, contact_id, edit)
    saved = replace(wanted, version=written.after["version"])
    created = written.changed and _contact(tenant, contact_id, written.before) is None
    return SavedContact(saved, created)


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


def delete_contact(storage: Storage, tenant: TenantId, contact_id: str, now: int) -> None:
    """No new filings; what is filed stays. Raises NotFound `not_found`."""

    def build(before: Item | None) -> Item | None:
        if _contact(tenant, contact_id, before) is None:
            raise NotFound("not_found", "There is no such contact.")
        return {"schema": SCHEMA, "deleted": True, "expires": now + DELETED_SECONDS}

    _write_item(storage, tenant, contact_id, build)


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
        return None if wanted is None else _item(wanted)

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
    """Index first: it decides what is filed; members last: by them a deleted customer finds us."""
    version, lost = item["version"], item["lost"]
    customers = item.get("customers", [])
    entries = {key: {"v": version, "k": customers} for key in item.get("keys", ())}
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


def _item(contact: Contact) -> Item:
    return {
        "schema": SCHEMA,
        "name": contact.name,
        "addresses": list(contact.addresses),
        "keys": list(contact.keys),
        "customers": list(contact.customers),
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
    )
