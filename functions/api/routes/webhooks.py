"""Webhooks: where events are sent to. We write settings and seal secrets; the webhook function
connects."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from aws_lambda_powertools.event_handler import Response

from ablage.errors import Conflict
from ablage.events import TYPES
from ablage.settings import settings
from ablage.store import webhooks
from ablage.store.aws import client
from ablage.store.secrets import Secret, seal
from ablage.store.storage import storage
from ablage.store.table import ConditionFailed, Item
from ablage.store.webhooks import Hook
from ablage.tenancy import TenantId
from ablage.webhook_wire import SECRET_BYTES, secret_text, target
from ablage.webhooks import Webhook
from api.clock import epoch_text, now_epoch, now_text
from api.operations import operation
from api.schemas import (
    Expected,
    IfMatch,
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
    SecretView,
    WebhookBody,
    WebhookMade,
    WebhookPatch,
    WebhookView,
    webhook_made,
    webhook_view,
)
from api.webhook_wakes import now_moment, wake

Done = TypeVar("Done")
Write = Callable[[Hook], Done]

_ROUNDS = 5
SHOWN_ONCE = "secret"


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
        position=now_moment(),
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
    wake(caller.tenant, webhook)
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


def _shown(hook: Hook) -> Response[WebhookView]:
    return answer(webhook_view(hook, now_epoch()), version=hook.config.version)
