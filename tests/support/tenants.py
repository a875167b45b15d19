"""A tenant's things put straight into the store: accounts and index entries."""

from collections.abc import Sequence
from typing import Any

from ablage.accounts import Account
from ablage.addresses import NORMALISER_VERSION
from ablage.store import address_index, keys
from ablage.store.accounts import account_item
from ablage.store.storage import Storage
from ablage.tenancy import TenantId


def connect_account(
    where: Storage, tenant: TenantId, account_id: str, address: str, *, filing: bool
) -> Account:
    account = Account(
        tenant=tenant,
        account_id=account_id,
        address=address,
        own=address,
        host="imap.own.de",
        port=993,
        username=address,
        version=1,
        filing_enabled=filing,
        filing_since="2026-01-01T00:00:00Z" if filing else None,
    )
    where.table.put(keys.account(tenant, account_id), account_item(account))
    address_index.write(
        where.table, tenant, address, group="own", entity=account_id, entry={"v": 1}
    )
    return account


def index_contact(
    where: Storage, tenant: TenantId, address: str, contact_id: str, customers: Sequence[str]
) -> None:
    address_index.write(
        where.table,
        tenant,
        address,
        group="records",
        entity=f"contact#{contact_id}",
        entry={"v": 1, "k": [f"customer#{customer}" for customer in customers]},
    )


def index_many_contacts(
    where: Storage,
    tenant: TenantId,
    address: str,
    contacts: Sequence[str],
    customers: Sequence[str],
) -> None:
    """As if each had been written by `index_contact`, in a call per item instead of several per
    contact; the address has no item yet."""
    full = address_index.CHUNK_ENTRIES
    chunks = [contacts[start : start + full] for start in range(0, len(contacts), full)]
    for number, names in enumerate(chunks):
        parents = [f"customer#{customer}" for customer in customers]
        entries = {f"contact#{name}": {"v": 1, "k": parents} for name in names}
        item: dict[str, Any] = {"records": entries}
        if number == 0:
            item |= {
                "own": {},
                "version": len(contacts),
                "normaliser": NORMALISER_VERSION,
                "chunks": len(chunks) - 1 or None,
            }
        where.table.put(keys.address(tenant, address, number), item)
