"""What a `{"repair": {...}}` message asks for, besides messages: rows of a killed writer."""

from collections.abc import Mapping

from ablage.store.connections import repair_account
from ablage.store.contacts import repair_contact
from ablage.store.customers import repair_customer
from ablage.store.storage import Storage
from ablage.tenancy import TenantId


def repair_rows(storage: Storage, tenant: TenantId, repair: Mapping[str, str]) -> None:
    """Finishes the contact, customer or account named. Raises Conflict `busy`: try again later."""
    if "contact" in repair:
        repair_contact(storage, tenant, repair["contact"])
    if "customer" in repair:
        repair_customer(storage, tenant, repair["customer"])
    if "account" in repair:
        repair_account(storage, tenant, repair["account"])
