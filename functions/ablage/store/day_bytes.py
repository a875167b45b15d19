"""Bytes fetched of an account on a day (UTC, `YYYY-MM-DD`), by whoever fetches: polls at the end of
their lease, jobs beside it. They stand in the lease's item, which polls read and write anyway."""

from collections.abc import Mapping
from typing import Any

from ablage.store import keys
from ablage.store.table import ConditionFailed, Item, Table
from ablage.tenancy import TenantId


def counted(item: Item, day: str) -> int:
    """Of the lease's item."""
    return int(item.get("day_bytes", 0)) if item.get("day") == day else 0


def get(table: Table, tenant: TenantId, account_id: str, day: str) -> int:
    return counted(table.get(keys.lease(tenant, account_id), consistent=True) or {}, day)


def add(table: Table, tenant: TenantId, account_id: str, day: str, size: int) -> None:
    add_with(table, tenant, account_id, day, size)


def add_with(
    table: Table,
    tenant: TenantId,
    account_id: str,
    day: str,
    size: int,
    *,
    also: str = "",
    condition: str = "",
    values: Mapping[str, Any] | None = None,
) -> bool:
    """`size` more, with what is `also` set. False where `condition` does not hold, or a later day
    has begun."""
    is_today, is_new = "#day = :day", "(attribute_not_exists(#day) OR #day < :day)"
    goes_on, begins = (is_today, "day_bytes + :size"), (is_new, ":size")
    for is_so, total in (goes_on, begins, goes_on):  # somebody else may begin the day meanwhile
        try:
            table.update(
                keys.lease(tenant, account_id),
                ", ".join(filter(None, (f"SET #day = :day, day_bytes = {total}", also))),
                condition=" AND ".join(filter(None, (is_so, condition))),
                names={"#day": "day"},
                values={":day": day, ":size": size, **(values or {})},
            )
        except ConditionFailed:
            continue
        return True
    return False
