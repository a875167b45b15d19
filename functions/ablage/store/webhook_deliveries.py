"""What a webhook was told, a row each, and what of it is asked for again (`store.webhooks.ask`)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from ablage.store import keys
from ablage.store.feed import ROWS_SURE
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId
from ablage.webhooks import KEPT_DAYS, PENDING, Delivery

SCHEMA = 1
_DELIVERY, _ASKED = "DELIVERY#", "ASKED#"
_ROWS_READ = 1000  # of one request for deliveries of one status


def put_delivery(table: Table, tenant: TenantId, webhook_id: str, delivery: Delivery) -> None:
    item = {
        "schema": SCHEMA,
        "event": delivery.event,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "http_status": delivery.http_status or None,
        "code": delivery.code or None,
        "ms": delivery.ms,
        "tried_at": delivery.tried_at or None,
        "expires": _expires(delivery),
    }
    table.put(keys.delivery(tenant, webhook_id, delivery.delivery_id), item)


def deliveries_page(
    table: Table,
    tenant: TenantId,
    webhook_id: str,
    *,
    status: str | None = None,
    after: str | None = None,
    limit: int,
) -> tuple[list[Delivery], str | None]:
    """Newest first, after the delivery id `after`, and the id to go on after. With a `status` a
    page may be short, or empty, while there is more."""
    pk, at_once = keys.deliveries(tenant, webhook_id), _ROWS_READ if status else limit
    last = keys.delivery(tenant, webhook_id, after)[1] if after else None
    rows = table.query(pk, prefix=_DELIVERY, after=last, newest_first=True, limit=at_once)
    found = [_delivery(row) for row in rows]
    kept = [each for each in found if status in (None, each.status)]
    if len(kept) > limit or len(rows) == limit == len(kept):
        return kept[:limit], kept[limit - 1].delivery_id
    is_whole = len(rows) < min(at_once, ROWS_SURE)
    return kept, None if is_whole or not found else found[-1].delivery_id


def deliveries_by_id(
    table: Table, tenant: TenantId, webhook_id: str, delivery_ids: Iterable[str]
) -> dict[str, Delivery]:
    """Those that are there."""
    wanted = [keys.delivery(tenant, webhook_id, each) for each in delivery_ids]
    found = table.batch_get(wanted, consistent=True) if wanted else {}
    return {each.delivery_id: each for each in map(_delivery, found.values())}


def asked(
    table: Table, tenant: TenantId, webhook_id: str, *, tests_only: bool = False
) -> list[tuple[Delivery, int]]:
    """What was asked for and is not done, oldest event first, a hundred at most; each with how
    often it was refused."""
    pk = keys.deliveries(tenant, webhook_id)
    rows = table.query(pk, prefix=_ASKED, limit=_ROWS_READ, consistent=True)
    wanted = [row for row in rows if not tests_only or "is_test" in row][:100]
    refusals = {row["sk"].removeprefix(_ASKED): row["refusals"] for row in wanted}
    found = deliveries_by_id(table, tenant, webhook_id, refusals)
    return [(found[name], times) for name, times in refusals.items() if name in found]


def put_asked(table: Table, tenant: TenantId, webhook_id: str, delivery: Delivery) -> None:
    """It waits, as if it had never been tried."""
    put_delivery(table, tenant, webhook_id, replace(delivery, status=PENDING, attempts=0))
    place = keys.asked_delivery(tenant, webhook_id, delivery.delivery_id)
    is_test = delivery.is_test or None
    table.put(place, {"refusals": 0, "is_test": is_test, "expires": _expires(delivery)})


def put_refusals(
    table: Table, tenant: TenantId, webhook_id: str, delivery: Delivery, refusals: int
) -> None:
    """How often what was asked for was refused."""
    place = keys.asked_delivery(tenant, webhook_id, delivery.delivery_id)
    table.put(place, {"refusals": refusals, "expires": _expires(delivery)})


def drop_asked(table: Table, tenant: TenantId, webhook_id: str, delivery: Delivery) -> None:
    table.delete(keys.asked_delivery(tenant, webhook_id, delivery.delivery_id))


def _expires(delivery: Delivery) -> int:
    """As the feed's row."""
    at = datetime.fromisoformat(delivery.event["at"])
    return int(at.timestamp()) + KEPT_DAYS * 86_400


def _delivery(item: Item) -> Delivery:
    return Delivery(
        event=item["event"],
        status=item["status"],
        attempts=item["attempts"],
        http_status=item.get("http_status", 0),
        code=item.get("code", ""),
        ms=item["ms"],
        tried_at=item.get("tried_at", 0),
    )
