"""What a tenant used, by day: mails stored, their bytes, requests. For bills, not for limits.

Mails are counted with their run's row in the ledger, in one transaction: once, whatever is
repeated. Requests are counted by the function that served them, each time it fetches an allowance:
what it had not yet told when it ended is missing, less than a hundredth of a minute's allowance."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from ablage.store import keys
from ablage.store.keys import Key
from ablage.store.table import Table, update_action
from ablage.tenancy import TenantId

KEPT_DAYS = 800  # two years, and the month that is billed last
COUNTED = ("mails", "bytes", "calls")

Counts = dict[str, int]


def add(table: Table, tenant: TenantId, now: int, **counts: int) -> None:
    if any(counts.values()):
        key, change, values = _addition(tenant, now, counts)
        table.update(key, change, values=values)


def add_action(tenant: TenantId, now: int, **counts: int) -> dict[str, Any]:
    """For a transaction with what is counted."""
    key, change, values = _addition(tenant, now, counts)
    return update_action(key, change, values)


def _addition(tenant: TenantId, now: int, counts: Counts) -> tuple[Key, str, Counts]:
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    adds = ", ".join(f"{name}_used :{name}" for name in counts)
    values = {f":{name}": count for name, count in counts.items()}
    values[":expires"] = now + KEPT_DAYS * 86400
    return keys.usage(tenant, day), f"SET expires = :expires ADD {adds}", values


def days(table: Table, tenant: TenantId, since: date, until: date) -> list[tuple[str, Counts]]:
    """Days (`YYYY-MM-DD`) from `since` to `until`, both included, on which there was anything."""
    pk, prefix = keys.usage(tenant, "")
    before = since - min(timedelta(days=1), since - date.min)
    found: list[tuple[str, Counts]] = []
    for item in table.query_all(pk, prefix=prefix, after=f"{prefix}{before}"):
        day = item["sk"].removeprefix(prefix)
        if day > until.isoformat():
            break
        found.append((day, {name: item.get(f"{name}_used", 0) for name in COUNTED}))
    return found
