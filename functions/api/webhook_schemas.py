"""Bodies and views of webhooks."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictStr

from ablage.store.webhooks import Hook
from ablage.webhook_wire import URL_CHARACTERS
from ablage.webhooks import CODES, DISABLED, KEPT_DAYS, Delivery, status_of
from api.clock import epoch_text
from api.cursors import DELIVERIES
from api.schemas import Body, Moment

REPLAYED_AT_ONCE = 100

EventType = Literal[
    "EmailFiled", "EmailUnfiled", "EmailHeld", "AccountStatusChanged", "JobFinished"
]
Url = Annotated[
    StrictStr,
    Field(
        max_length=URL_CHARACTERS,
        description="https, port 443, a public host name; no user, no fragment. The name is "
        "resolved for each connection, and all of its addresses have to be public.",
    ),
]
Types = Annotated[
    list[EventType],
    Field(min_length=1, max_length=20, description="What it hears of; null: everything."),
]
Description = Annotated[StrictStr, Field(max_length=200, description="Your own words.")]
DeliveryId = Annotated[StrictStr, Field(pattern=f"^{DELIVERIES.pattern.pattern}$")]
DeliveryStatus = Literal["pending", "delivered", "failed"]


class WebhookBody(Body):
    url: Url
    types: Types | None = None
    description: Description = ""


class WebhookPatch(Body):
    url: Url | None = Field(None, description="As of the POST; null: as it is.")
    types: Types | None = None
    description: Description | None = Field(None, description="null: as it is.")
    status: Literal["enabled", "paused"] | None = Field(
        None, description="paused: it keeps its place; enabled: it goes on from there."
    )


class ReplayBody(Body):
    """Exactly one of the two."""

    since: Moment | None = Field(
        None, description="Everything from this moment on, at most 30 days back, in its order."
    )
    deliveries: (
        Annotated[list[DeliveryId], Field(min_length=1, max_length=REPLAYED_AT_ONCE)] | None
    ) = Field(None, description="These, before what waits.")


class LastFailure(BaseModel):
    at: str
    code: str = Field(description="As `status_code`.")
    detail: str = Field(description="The same in words.")
    http_status: int | None = Field(description="Of the answer; null where there was none.")


class WebhookView(BaseModel):
    id: str
    url: str
    types: list[str] | None = Field(description="null: everything.")
    description: str
    status: Literal["enabled", "paused", "disabled"] = Field(
        description="disabled: by us, as nothing was delivered for three days, or 410 was "
        "answered. Any PATCH that does not pause it enables it again, and it goes on where it "
        f"stopped, at most {KEPT_DAYS} days back."
    )
    status_code: str | None = Field(
        description="What is wrong, if something is: " + ", ".join(CODES) + "."
    )
    status_detail: str | None = Field(description="The same in words.")
    status_action: str | None = Field(description="What to do about it.")
    status_since: str | None = Field(description="Since when something is wrong.")
    next_attempt_at: str | None = Field(description="It is not tried again before.")
    last_success_at: str | None
    last_failure: LastFailure | None
    waiting_since: str | None = Field(
        description="`at` of the oldest event that waits, as of the last try; null: none does."
    )
    lag_seconds: int = Field(description="How long that one has been waiting; 0: none does.")
    created_at: str
    version: int


class WebhookMade(WebhookView):
    secret: str | None = Field(
        description="`whsec_` and the base64 of 32 bytes. Shown this once: null in a repeat by "
        "Idempotency-Key."
    )


class SecretView(BaseModel):
    id: str = Field(description="The webhook's.")
    secret: str | None = Field(
        description="Signs from now on. Shown this once: null in a repeat by Idempotency-Key."
    )
    former_until: str = Field(description="The one before signs too until then.")
    version: int


class DeliveryView(BaseModel):
    id: str
    event: dict[str, Any] = Field(description="`data` of the body, see events.schema.json.")
    status: DeliveryStatus = Field(description="failed: refused five times, and left behind.")
    attempts: int
    tried_at: str | None = Field(description="Of the last try.")
    http_status: int | None = Field(description="Of the last answer; null where there was none.")
    code: str | None = Field(description="What went wrong at the last try, as `status_code`.")
    detail: str | None = Field(description="The same in words.")
    ms: int = Field(description="How long the last try took.")


class ReplayView(BaseModel):
    id: str = Field(description="The webhook's.")
    since: str | None
    deliveries: list[str]


def webhook_view(hook: Hook, now: int) -> WebhookView:
    return WebhookView(**_fields(hook, now))


def webhook_made(hook: Hook, now: int, secret: str) -> WebhookMade:
    return WebhookMade(**_fields(hook, now), secret=secret)


def delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.delivery_id,
        event=delivery.event,
        status=delivery.status,
        attempts=delivery.attempts,
        tried_at=_time(delivery.tried_at),
        http_status=delivery.http_status or None,
        code=delivery.code or None,
        detail=_meaning(delivery.code),
        ms=delivery.ms,
    )


def _fields(hook: Hook, now: int) -> dict[str, Any]:
    config, progress = hook.config, hook.progress
    code, since = _wrong(hook)
    failure = progress.last_failure
    return {
        "id": hook.webhook_id,
        "url": config.url,
        "types": list(config.types) or None,
        "description": config.description,
        "status": status_of(config, progress),
        "status_code": code or None,
        "status_detail": _meaning(code),
        "status_action": CODES[code][1] if code else None,
        "status_since": _time(since),
        "next_attempt_at": _time(progress.next_at),
        "last_success_at": _time(progress.last_success_at),
        "last_failure": LastFailure(
            at=epoch_text(failure.at),
            code=failure.code,
            detail=_meaning(failure.code) or "",
            http_status=failure.http_status or None,
        )
        if failure
        else None,
        "waiting_since": progress.behind or None,
        "lag_seconds": _lag(progress.behind, now),
        "created_at": config.created_at,
        "version": config.version,
    }


def _wrong(hook: Hook) -> tuple[str, int]:
    """Code and since when, while it is disabled or fails; else ("", 0)."""
    progress = hook.progress
    if status_of(hook.config, progress) == DISABLED:
        return progress.disabled, progress.disabled_since
    if progress.failing_since and progress.last_failure:
        return progress.last_failure.code, progress.failing_since
    return "", 0


def _lag(behind: str, now: int) -> int:
    return max(0, now - int(datetime.fromisoformat(behind).timestamp())) if behind else 0


def _meaning(code: str) -> str | None:
    return CODES[code][0] if code else None


def _time(epoch: int) -> str | None:
    return epoch_text(epoch) if epoch else None
