"""What a `{"repair": {...}}` message asks for, besides messages: rows of a killed writer."""

from collections.abc import Mapping

from ablage.messages import Entity
from ablage.store.connections import repair_account
from ablage.store.record_writes import repair_record
from ablage.store.storage import Storage
from ablage.tenancy import TenantId


def repair_rows(storage: Storage, tenant: TenantId, repair: Mapping[str, str]) -> None:
    """Finishes the record (`type#id`) or account named. Raises Conflict `busy`: try again later."""
    if "record" in repair:
        repair_record(storage, tenant, Entity.parse(repair["record"]))
    if "account" in repair:
        repair_account(storage, tenant, repair["account"])
