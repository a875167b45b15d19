"""Webhooks: where events are sent to. We write settings and seal secrets; the webhook function
connects."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from ablage import webhooks as domain
from ablage.errors import Conflict, InvalidInput, NotFound
from ablage.events import TYPES
from ablage.settings import settings
from ablage.store import feed, webhooks
from ablage.store.aws import client
from ablage.store.secrets import Secret, seal
from ablage.store.storage import storage
from ablage.store.table import ConditionFailed, Item
from ablage.store.webhooks import Hook
from ablage.tenancy import TenantId
from ablage.webhook_wire import SECRET_BYTES, secret_text, target
from ablage.webhooks import Delivery, Webhook
from api import cursors
from api.clock import epoch_text, now_epoch, now_text
from api.operations import operation
from api.schemas import (
    Cursor,
    Expected,
    IfMatch,
    Limit,
    Page,
    PathId,
    answer,
    check_version,
    expected_version,
    no_content,
)
from api.tenant import Caller, Calling
from api.visibility import ALL_MAILBOXES
from api.webhook_schemas import (
    DeliveryStatus,
    DeliveryView,
    ReplayBody,
    ReplayView,
    SecretView,
    WebhookBody,
    WebhookMade,
    WebhookPatch,
    WebhookView,
    delivery_view,
    webhook_made,
    webhook_view,
)

Done = TypeVar("Done")
Write = Callable[[Hook], Done]

_ROUNDS = 5
SHOWN_ONCE = "secret"

OneStatus = Annotated[DeliveryStatus | None, Query(description="Only these.")]


@operation("POST", "/v1/webhooks", "manage", also=ALL_MAILBOXES, status=201, shown_once=SHOWN_ONCE)
def create_webhook(body: WebhookBody, caller: Calling) -> Response[WebhookMade]:
    """Have events sent to a URL of yours, from now on. The answer shows the secret, this once.

    A webhook hears of everything in the tenant, so these routes need `mailboxes:all` as well."""
    target(body.url, settings().local_hosts)
    now, webhook_id = now_epoch(), f"wh-{secrets.token_hex(10)}"
    config = Webhook(
        webhook_id,
        body.url,
        types=_chosen(body.types),
        description=body.description,
        created_at=now_text(),
    )
    secret, sealed = _new_secret(caller.tenant, webhook_id)
    webhooks.create(
        storage().table,
        caller.tenant,
        config,
        sealed,
        position=_moment(),
        now=now,
        most=settings().quota_webhooks,
    )
    made = webhooks.get(storage().table, caller.tenant, webhook_id)
    view = webhook_made(made, now, secret)
    return answer(view, status=201, version=config.version)


@operation("GET", "/v1/webhooks", "manage", also=ALL_MAILBOXES)
def list_webhooks(caller: Calling) -> Page[WebhookView]:
    """All of them, and how each one goes; oldest first, on one page."""
    found = webhooks.listed(storage().table, caller.tenant)
    return Page(items=[webhook_view(hook, now_epoch()) for hook in found])


@operation("GET", "/v1/webhooks/{webhook}", "manage", also=ALL_MAILBOXES)
def get_webhook(webhook: PathId, caller: Calling) -> Response[WebhookView]:
    """One webhook: how it goes, since when, and what to do about it."""
    return _shown(webhooks.get(storage().table, caller.tenant, webhook))


@operation("PATCH", "/v1/webhooks/{webhook}", "manage", also=ALL_MAILBOXES)
def change_webhook(
    webhook: PathId, body: WebhookPatch, caller: Calling, if_match: IfMatch = None
) -> Response[WebhookView]:
    """Change it, pause it, or enable it again. Whatever waits is tried at once."""
    if body.url is not None:
        target(body.url, settings().local_hosts)

    def write(hook: Hook) -> None:
        config = _edited(hook.config, body)
        webhooks.change(storage().table, caller.tenant, config, now_epoch())

    _written(caller, webhook, expected_version(if_match), write)
    _wake(caller.tenant, webhook)
    return _shown(webhooks.get(storage().table, caller.tenant, webhook))


@operation("DELETE", "/v1/webhooks/{webhook}", "manage", also=ALL_MAILBOXES, status=204)
def delete_webhook(webhook: PathId, caller: Calling, if_match: IfMatch = None) -> Response[None]:
    """Send nothing there any more, and forget the secret."""

    def write(hook: Hook) -> None:
        version = hook.config.version
        webhooks.delete(storage().table, caller.tenant, webhook, version)

    _written(caller, webhook, expected_version(if_match), write)
    return no_content()


@operation(
    "POST",
    "/v1/webhooks/{webhook}/secret",
    "manage",
    also=ALL_MAILBOXES,
    shown_once=SHOWN_ONCE,
)
def renew_webhook_secret(webhook: PathId, caller: Calling) -> Response[SecretView]:
    """A new secret. The one before it signs too for 24 hours: two signatures, one has to fit."""
    now = now_epoch()
    secret, sealed = _new_secret(caller.tenant, webhook)

    def write(hook: Hook) -> Webhook:
        return webhooks.new_secret(storage().table, caller.tenant, hook.config, sealed, now)

    changed = _written(caller, webhook, None, write)
    until = epoch_text(now + webhooks.OLD_SECRET_SECONDS)
    view = SecretView(id=webhook, secret=secret, former_until=until, version=changed.version)
    return answer(view, version=changed.version)


@operation("POST", "/v1/webhooks/{webhook}/test", "manage", also=ALL_MAILBOXES, status=202)
def test_webhook(webhook: PathId, caller: Calling) -> Response[DeliveryView]:
    """Send an event of the type Test, also to a webhook that is paused or disabled.

    What came of it stands under the answered `id` in the deliveries, within seconds."""
    hook = webhooks.get(storage().table, caller.tenant, webhook)
    test = Delivery(domain.trial(secrets.token_hex(16), _moment()))
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
    found, more = webhooks.deliveries_page(
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


# ---- writing -------------------------------------------------------------------------------------


def _written(
    caller: Caller, webhook_id: str, expected: Expected | None, write: Write[Done]
) -> Done:
    """Raises NotFound `webhook_not_found`, PreconditionFailed, Conflict `busy`."""
    for _ in range(_ROUNDS):
        hook = webhooks.get(storage().table, caller.tenant, webhook_id)
        check_version(hook.config.version, expected)
        try:
            return write(hook)
        except ConditionFailed:
            continue
    raise Conflict("busy", "Somebody else keeps changing this webhook; try again.")


def _edited(config: Webhook, body: WebhookPatch) -> Webhook:
    sent = body.model_dump(include=body.model_fields_set - {"types"}, exclude_none=True)
    types = _chosen(body.types) if "types" in body.model_fields_set else config.types
    return replace(config, types=types, **sent)


def _chosen(types: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(name for name in TYPES if name in (types or ()))


def _new_secret(tenant: TenantId, webhook_id: str) -> tuple[str, Item]:
    """The text to be shown, and sealed."""
    text = secret_text(secrets.token_bytes(SECRET_BYTES))
    secret, owner = Secret(webhooks.SECRET_KIND, text), webhooks.secret_owner(webhook_id)
    return text, seal(client("kms"), settings().secrets_key_id, tenant, owner, secret)


def _ask(tenant: TenantId, hook: Hook, deliveries: list[Delivery]) -> None:
    """Raises NotFound `webhook_not_found`."""
    with _there():
        webhooks.ask(storage().table, tenant, hook.webhook_id, deliveries, now_epoch())
    _wake(tenant, hook.webhook_id)


def _replayed_since(tenant: TenantId, webhook_id: str, since: datetime) -> str:
    """The moment. Raises InvalidInput `invalid_since`, NotFound `webhook_not_found`."""
    now = datetime.now(UTC)
    if not now - timedelta(days=domain.KEPT_DAYS) <= since <= now:
        detail = f"A moment of the last {domain.KEPT_DAYS} days."
        raise InvalidInput("invalid_since", detail, "/since")
    moment = feed.moment(int(since.timestamp() * 1000))
    with _there():
        webhooks.replay_since(storage().table, tenant, webhook_id, moment, now_epoch())
    _wake(tenant, webhook_id)
    return moment


def _found(tenant: TenantId, webhook_id: str, ids: Sequence[str]) -> list[Delivery]:
    """Each once. Raises NotFound `delivery_not_found`."""
    known = webhooks.deliveries_by_id(storage().table, tenant, webhook_id, dict.fromkeys(ids))
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


def _wake(tenant: TenantId, webhook_id: str) -> None:
    """At once; should the message be lost, dispatch finds it due."""
    storage().queues.webhooks([webhooks.wake(tenant, webhook_id)])


def _moment() -> str:
    return feed.moment(feed.milliseconds(time.time))


def _shown(hook: Hook) -> Response[WebhookView]:
    return answer(webhook_view(hook, now_epoch()), version=hook.config.version)
