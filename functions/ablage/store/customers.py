"""Customers: the item is the truth; index entries and the list are its rows. Members are rows of
contacts, so a deleted customer makes its contacts leave it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ablage.contacts import Customer
from ablage.errors import NotFound
from ablage.store import address_index, keys, projection
from ablage.store.contacts import DELETED_SECONDS, SCHEMA, leave_customer
from ablage.store.storage import Storage
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId

_MEMBER = "MEMBER#"
_TRACKED = ("keys",)


@dataclass(frozen=True)
class SavedCustomer:
    customer: Customer
    created: bool


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
    storage: Storage, wanted: Customer, check: Callable[[Customer | None], None]
) -> SavedCustomer:
    """As `save_contact`."""
    tenant, customer_id = wanted.tenant, wanted.customer_id

    def build(before: Item | None) -> Item | None:
        standing = _customer(tenant, customer_id, before)
        check(standing)
        same = standing is not None and replace(standing, version=0) == replace(wanted, version=0)
        return None if same else _item(wanted)

    written = _write(storage, tenant, customer_id, build)
    saved = replace(wanted, version=written.after["version"])
    created = written.changed and _customer(tenant, customer_id, written.before) is None
    return SavedCustomer(saved, created)


def delete_customer(storage: Storage, tenant: TenantId, customer_id: str, now: int) -> None:
    """No new filings, neither through its addresses nor through its contacts; what is filed stays.

    Raises NotFound `not_found`."""

    def build(before: Item | None) -> Item | None:
        if _customer(tenant, customer_id, before) is None:
            raise NotFound("not_found", "There is no such customer.")
        return {"schema": SCHEMA, "deleted": True, "expires": now + DELETED_SECONDS}

    _write(storage, tenant, customer_id, build)


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
