"""What webhooks were sent; a test call and a replay, which are asked for here and sent by the
webhook function."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from ablage import webhooks as domain
from ablage.errors import InvalidInput, NotFound
from ablage.store import feed, webhook_deliveries, webhooks
from ablage.store.storage import storage
from ablage.store.table import ConditionFailed
from ablage.store.webhooks import Hook
from ablage.tenancy import TenantId
from ablage.webhooks import Delivery
from api import cursors
from api.clock import now_epoch
from api.operations import operation
from api.schemas import Cursor, Limit, Page, PathId, answer
from api.tenant import Calling
from api.visibility import ALL_MAILBOXES
from api.webhook_schemas import (
    DeliveryStatus,
    DeliveryView,
    ReplayBody,
    ReplayView,
    delivery_view,
)
from api.webhook_wakes import now_moment, wake

OneStatus = Annotated[DeliveryStatus | None, Query(description="Only these.")]


@operation("POST", "/v1/webhooks/{webhook}/test", "manage", also=ALL_MAILBOXES, status=202)
def test_webhook(webhook: PathId, caller: Calling) -> Response[DeliveryView]:
    """Send an event of the type Test, also to a webhook that is paused or disabled.

    What came of it stands under the answered `id` in the deliveries, within seconds."""
    hook = webhooks.get(storage().table, caller.tenant, webhook)
    test = Delivery(domain.trial(secrets.token_hex(16), now_moment()))
    _ask(caller.tenant, hook, [test])
    return answer(delivery_view(test), status=202)


@operation("GET", "/v1/webhooks/{webhook}/deliveries", "manage", also=ALL_MAILBOXES)
def list_deliveries(
    webhook: PathId,
    caller: Calling,
    status: OneStatus = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Page[DeliveryView]:
    """What was sent in the last 30 days, and what came of it; the newest event first."""
    after = cursors.DELIVERIES.decode(cursor)
    webhooks.get(storage().table, caller.tenant, webhook)
    found, more = webhook_deliveries.deliveries_page(
        storage().table, caller.tenant, webhook, status=status, after=after, limit=limit
    )
    items = [delivery_view(delivery) for delivery in found]
    return Page(items=items, next=cursors.DELIVERIES.encode(more))


@operation("POST", "/v1/webhooks/{webhook}/replay", "manage", also=ALL_MAILBOXES, status=202)
def replay_webhook(webhook: PathId, body: ReplayBody, caller: Calling) -> Response[ReplayView]:
    """Send events again: all since a moment, or the deliveries named. Their ids are the same.

    A webhook that is paused or disabled hears of them once it is enabled."""
    if (body.since is None) == (body.deliveries is None):
        detail = "Send since, or deliveries."
        raise InvalidInput("since_or_deliveries", detail, "/since")
    hook = webhooks.get(storage().table, caller.tenant, webhook)
    view = ReplayView(id=webhook, since=None, deliveries=[])
    if body.since is not None:
        view.since = _replayed_since(caller.tenant, webhook, body.since)
    else:
        found = _found(caller.tenant, webhook, body.deliveries or [])
        _ask(caller.tenant, hook, found)
        view.deliveries = [delivery.delivery_id for delivery in found]
    return answer(view, status=202)


def _ask(tenant: TenantId, hook: Hook, deliveries: list[Delivery]) -> None:
    """Raises NotFound `webhook_not_found`."""
    with _there():
        webhooks.ask(storage().table, tenant, hook.webhook_id, deliveries, now_epoch())
    wake(tenant, hook.webhook_id)


def _replayed_since(tenant: TenantId, webhook_id: str, since: datetime) -> str:
    """The moment. Raises InvalidInput `invalid_since`, NotFound `webhook_not_found`."""
    now = datetime.now(UTC)
    if not now - timedelta(days=domain.KEPT_DAYS) <= since <= now:
        detail = f"A moment of the last {domain.KEPT_DAYS} days."
        raise InvalidInput("invalid_since", detail, "/since")
    moment = feed.moment(int(since.timestamp() * 1000))
    with _there():
        webhooks.replay_since(storage().table, tenant, webhook_id, moment, now_epoch())
    wake(tenant, webhook_id)
    return moment


def _found(tenant: TenantId, webhook_id: str, ids: Sequence[str]) -> list[Delivery]:
    """Each once. Raises NotFound `delivery_not_found`."""
    known = webhook_deliveries.deliveries_by_id(
        storage().table, tenant, webhook_id, dict.fromkeys(ids)
    )
    for number, name in enumerate(ids):
        if name not in known:
            detail = "There is no such delivery; they are kept for 30 days."
            raise NotFound("delivery_not_found", detail, f"/deliveries/{number}")
    return [known[name] for name in dict.fromkeys(ids)]


@contextmanager
def _there() -> Iterator[None]:
    """It was, a moment ago. Raises NotFound `webhook_not_found`."""
    try:
        yield
    except ConditionFailed:
        raise NotFound("webhook_not_found", "There is no such webhook.") from None
