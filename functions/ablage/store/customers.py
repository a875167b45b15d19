"""Customers: the item is the truth; index entries and the list are its rows, and so is the batch a
version asks for. Members are rows of contacts, so a deleted customer makes its contacts leave it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ablage.batches import DELETE_ARCHIVE
from ablage.contacts import Customer
from ablage.errors import NotFound
from ablage.store import address_index, keys, owed_batches, projection
from ablage.store.contacts import DELETED_SECONDS, SCHEMA, leave_customer
from ablage.store.owed_batches import new_addresses, owed
from ablage.store.storage import Storage
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId

_MEMBER = "MEMBER#"
_TRACKED = ("keys",)


@dataclass(frozen=True)
class SavedCustomer:
    """`backfill`: id of the batch that files earlier mail of its new addresses, if there is any."""

    customer: Customer
    created: bool
    backfill: str | None = None


def get_customer(table: Table, tenant: TenantId, customer_id: str) -> Customer | None:
    item = table.get(keys.customer(tenant, customer_id), consistent=True)
    return _customer(tenant, customer_id, item)


def page_customers(
    table: Table, tenant: TenantId, after: str | None, limit: int, now: int
) -> tuple[list[Customer], str | None]:
    """Customers in the order of their ids, and the sort key to go on after."""
    rows = table.query(keys.customers(tenant), after=after, limit=limit)
    ids = [row["sk"].partition("#")[2] for row in rows if projection.is_live(row, now)]
    items = table.batch_get(keys.customer(tenant, customer_id) for customer_id in ids)
    found = (_customer(tenant, i, items.get(keys.customer(tenant, i))) for i in ids)
    more = rows[-1]["sk"] if len(rows) == limit else None
    return [customer for customer in found if customer is not None], more


def member_ids(table: Table, tenant: TenantId, customer_id: str, limit: int) -> tuple[str, ...]:
    """Ids of at most `limit` contacts that name the customer, whether it exists or not."""
    pk, _ = keys.customer(tenant, customer_id)
    rows = table.query(pk, prefix=_MEMBER, limit=limit)
    return tuple(row["sk"].removeprefix(_MEMBER) for row in rows if not row.get("gone"))


def save_customer(
    storage: Storage,
    wanted: Customer,
    check: Callable[[Customer | None], None],
    by: str = "",
) -> SavedCustomer:
    """As `save_contact`."""
    tenant, customer_id = wanted.tenant, wanted.customer_id

    def build(before: Item | None) -> Item | None:
        standing = _customer(tenant, customer_id, before)
        check(standing)
        same = standing is not None and replace(standing, version=0) == replace(wanted, version=0)
        if same:
            return None
        carried = standing.keys if standing else ()
        where = {"customer": customer_id}
        return _item(wanted) | new_addresses(before, carried, wanted.keys, by, where)

    written = _write(storage, tenant, customer_id, build)
    saved = replace(wanted, version=written.after["version"])
    created = written.changed and _customer(tenant, customer_id, written.before) is None
    started = written.after if written.changed else None
    return SavedCustomer(saved, created, owed_batches.started(storage.table, tenant, started))


def delete_customer(
    storage: Storage,
    tenant: TenantId,
    customer_id: str,
    now: int,
    *,
    with_archive: bool = False,
    by: str = "",
) -> str | None:
    """No new filings, neither through its addresses nor through its contacts; what is filed stays,
    or goes by the batch whose id comes back: also that of a customer deleted before.

    Raises NotFound `not_found`."""

    def build(before: Item | None) -> Item | None:
        is_deleted = before is not None and before.get("deleted")
        if _customer(tenant, customer_id, before) is None and not (with_archive and is_deleted):
            raise NotFound("not_found", "There is no such customer.")
        item = {"schema": SCHEMA, "deleted": True, "expires": now + DELETED_SECONDS}
        where = {"entity_type": "customer", "entity_id": customer_id}
        return item | (owed(DELETE_ARCHIVE, by, **where) if with_archive else {})

    written = _write(storage, tenant, customer_id, build)
    return owed_batches.started(storage.table, tenant, written.after)


def repair_customer(storage: Storage, tenant: TenantId, customer_id: str) -> None:
    """Finishes what a killed writer left. Raises Conflict `busy`: try again later."""
    projection.settle(
        storage.table,
        keys.customer(tenant, customer_id),
        lambda item: _project(storage, tenant, customer_id, item),
    )


def _write(
    storage: Storage, tenant: TenantId, customer_id: str, build: projection.Build
) -> projection.Written:
    repair = {"repair": {"tenant": tenant, "customer": customer_id}}
    written = projection.write_truth(
        storage.table,
        keys.customer(tenant, customer_id),
        build,
        tracked=_TRACKED,
        announce=lambda: storage.queues.match(repair, projection.REPAIR_DELAY),
    )
    if written.after.get("pending"):
        repair_customer(storage, tenant, customer_id)
    return written


def _project(storage: Storage, tenant: TenantId, customer_id: str, item: Item) -> None:
    table, version = storage.table, item["version"]
    entries = {key: {"v": version} for key in item.get("keys", ())}
    entries |= {key: {"v": version, "gone": True} for key in item["lost"]["keys"]}
    for address, entry in entries.items():
        address_index.write(
            table, tenant, address, group="customers", entity=customer_id, entry=entry
        )
    deleted = item.get("deleted")
    row = keys.customer_row(tenant, customer_id)
    projection.put_row(table, row, version, gone=bool(deleted))
    if deleted:
        _let_members_leave(storage, tenant, customer_id)
    owed_batches.start(table, tenant, item)


def _let_members_leave(storage: Storage, tenant: TenantId, customer_id: str) -> None:
    pk, _ = keys.customer(tenant, customer_id)
    for row in storage.table.query_all(pk, prefix=_MEMBER):
        if not row.get("gone"):
            leave_customer(storage, tenant, row["sk"].removeprefix(_MEMBER), customer_id)


def _item(customer: Customer) -> Item:
    return {
        "schema": SCHEMA,
        "name": customer.name,
        "addresses": list(customer.addresses),
        "keys": list(customer.keys),
    }


def _customer(tenant: TenantId, customer_id: str, item: Item | None) -> Customer | None:
    if item is None or item.get("deleted"):
        return None
    return Customer(
        tenant,
        customer_id,
        item["name"],
        tuple(item["addresses"]),
        tuple(item["keys"]),
        item["version"],
    )
