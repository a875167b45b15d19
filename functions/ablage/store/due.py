"""What dispatch reads and writes: the due index and its own checkpoint."""

from dataclasses import dataclass

from ablage.store import keys
from ablage.store.table import DUE_INDEX, ConditionFailed, Item, Table
from ablage.tenancy import TenantId

SCHEMA = 1


@dataclass(frozen=True)
class Waiting:
    """Work left over, a job for sync, or a batch for match: due since `at` (epoch seconds)."""

    at: int
    tenant: TenantId
    account_id: str = ""
    job_id: str = ""
    batch_id: str = ""


def due_accounts(table: Table, interval: int, minute: int) -> list[tuple[TenantId, str]]:
    """Tenant and account of every account of this interval polled in this minute, tenants
    together."""
    slot = keys.due_slot(interval, minute % interval)
    return [_account(item["due_sk"]) for item in table.query_all(slot, index=DUE_INDEX)]


def _account(due_sk: str) -> tuple[TenantId, str]:
    tenant, _, account_id = due_sk.partition("#")
    return TenantId(tenant), account_id


def waiting(table: Table, now: int, limit: int) -> list[Waiting]:
    """What is due, oldest first; what is claimed lies ahead of `now` and stays out."""
    items = table.query(keys.DUE_MORE, index=DUE_INDEX, limit=limit)
    found = [_waiting(item) for item in items]
    return [entry for entry in found if entry.at <= now]


def _waiting(item: Item) -> Waiting:
    """The sort key tells what it is: an account may be called `job:1` too."""
    at, tenant, rest = item["due_sk"].split("#", 2)
    if item["sk"] == "MORE":
        return Waiting(int(at), TenantId(tenant), account_id=rest)
    if rest.startswith("batch:"):
        return Waiting(int(at), TenantId(tenant), batch_id=rest.removeprefix("batch:"))
    return Waiting(int(at), TenantId(tenant), job_id=rest.removeprefix("job:"))


def waiting_webhooks(table: Table, now: int, limit: int) -> list[tuple[TenantId, str]]:
    """Tenant and id of the webhooks to be woken, those that wait longest first."""
    items = table.query(keys.DUE_WEBHOOKS, index=DUE_INDEX, limit=limit)
    found = [item["due_sk"].split("#", 2) for item in items]
    return [(TenantId(tenant), webhook_id) for at, tenant, webhook_id in found if int(at) <= now]


def last_minute(table: Table) -> int | None:
    """The last minute (since the epoch) that was sent; None before the first."""
    item = table.get(keys.DISPATCH_CHECKPOINT, consistent=True)
    return int(item["minute"]) if item else None


def advance(table: Table, minute: int, before: int | None) -> bool:
    """Minutes up to `minute` are sent. False when another dispatch was faster."""
    is_first, is_next = "attribute_not_exists(pk)", "#minute = :before"
    try:
        table.put(
            keys.DISPATCH_CHECKPOINT,
            {"schema": SCHEMA, "minute": minute},
            condition=is_first if before is None else is_next,
            names=None if before is None else {"#minute": "minute"},
            values=None if before is None else {":before": before},
        )
    except ConditionFailed:
        return False
    return True
