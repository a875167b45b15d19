"""Webhooks: who is told what, how it stands with him, when he is tried again.

    enabled   told in the feed's order; while it fails, again and again after longer waits
    paused    by a person; its place in the feed is kept
    disabled  by us: nobody was reached for FAILING_SECONDS, or 410 was answered; place kept too

Config is what a person wrote, progress what came of it: two items, two writers.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ablage.events import TYPES

TEST = "Test"  # the type of an event that nothing happened for
ENABLED, PAUSED, DISABLED = "enabled", "paused", "disabled"
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
STATUSES = (PENDING, DELIVERED, FAILED)  # of a delivery

MINUTE, HOUR, DAY = 60, 3600, 86_400
WAITS = (5, 30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR)
MOST_STATED = 4 * HOUR  # of a Retry-After
REFUSALS = 5  # of one event, then the next one is told
FAILING_SECONDS = 3 * DAY
KEPT_DAYS = 30  # deliveries, as long as the feed

Verdict = Literal["delivered", "refused", "outage", "gone"]


@dataclass(frozen=True)
class Webhook:
    """Config. `types` empty: all. `version` is the ETag's; `secret_version` goes up with each new
    secret. `status` is `enabled` or `paused`; see `status_of`. `created_at` is RFC 3339 UTC."""

    webhook_id: str
    url: str
    types: tuple[str, ...] = ()
    description: str = ""
    status: str = ENABLED
    version: int = 1
    secret_version: int = 1
    created_at: str = ""

    def hears(self, event_type: str) -> bool:
        return event_type in (self.types or TYPES)


@dataclass(frozen=True)
class Failure:
    """The last one. `at` in epoch seconds; `http_status` 0 where nobody answered."""

    at: int
    code: str
    http_status: int = 0


@dataclass(frozen=True)
class Progress:
    """Times are epoch seconds, 0 for none. `position`: a moment, or a row's sort key and how many
    of its events are done, as the cursor of `GET /v1/changes`. `behind`: the moment of the first
    event that still waits, empty where none does. `attempts` and `refusals` are those of the event
    at hand, `failing_since` the first failure since the last success."""

    position: str
    behind: str = ""
    attempts: int = 0
    refusals: int = 0
    failing_since: int = 0
    next_at: int = 0
    last_success_at: int = 0
    last_failure: Failure | None = None
    disabled: str = ""
    disabled_since: int = 0


@dataclass(frozen=True)
class Delivery:
    """One event to one hook. `event` as `ablage.events.as_json` makes it; `tried_at` epoch
    seconds; `http_status`, `code` and `ms` are the last try's."""

    event: dict[str, Any]
    status: str = PENDING
    attempts: int = 0
    http_status: int = 0
    code: str = ""
    ms: int = 0
    tried_at: int = 0

    @property
    def delivery_id(self) -> str:
        """Sorts as its events do."""
        return f"{self.event['at']}.{self.event['id']}"

    @property
    def type(self) -> str:
        return str(self.event["type"])

    @property
    def is_test(self) -> bool:
        return self.type == TEST


@dataclass(frozen=True)
class Outcome:
    """What came of one try. `code` is one of CODES, empty where it was delivered; `stated` the
    seconds the receiver asks us to wait."""

    verdict: Verdict
    code: str = ""
    http_status: int = 0
    stated: int = 0
    ms: int = field(default=0, compare=False)


def status_of(hook: Webhook, progress: Progress) -> str:
    """A person's pause says more than our switching off."""
    return DISABLED if progress.disabled and hook.status == ENABLED else hook.status


def judged(status: int, stated: int = 0) -> Outcome:
    """An answer's status code. Redirects are not followed: nobody checked where they lead."""
    if 200 <= status < 300:
        return Outcome("delivered", http_status=status)
    if status == 410:
        return Outcome("gone", "gone", status)
    if 400 <= status < 500 and status != 429:
        return Outcome("refused", "refused", status)
    return Outcome("outage", _outage_code(status), status, stated)


def _outage_code(status: int) -> str:
    if status < 200:
        return "protocol_error"
    if status < 400:
        return "redirected"
    return "throttled" if status == 429 else "server_error"


def wait_seconds(attempts: int, jitter: float, stated: int = 0) -> int:
    """Before the next try, after `attempts` failed ones; `jitter` in [0, 1)."""
    grown = WAITS[min(attempts, len(WAITS)) - 1]
    return max(int(grown * (1 + jitter / 4)), min(stated, MOST_STATED))


def after(progress: Progress, outcome: Outcome, now: int, jitter: float) -> Progress:
    """Of one try, but for the place. Where `attempts` is 0 afterwards the event is done: delivered,
    or refused REFUSALS times."""
    if outcome.verdict == "delivered":
        return replace(
            progress, attempts=0, refusals=0, failing_since=0, next_at=0, last_success_at=now
        )
    refusals = progress.refusals + (outcome.verdict == "refused")
    since = progress.failing_since or now
    disabled = "failing" if now - since >= FAILING_SECONDS else ""
    disabled = "gone" if outcome.verdict == "gone" else disabled
    failed = replace(
        progress,
        failing_since=since,
        last_failure=Failure(now, outcome.code, outcome.http_status),
        disabled=disabled,
        disabled_since=now if disabled else 0,
    )
    if refusals >= REFUSALS:
        return replace(failed, attempts=0, refusals=0, next_at=0)
    attempts = progress.attempts + 1
    next_at = now + wait_seconds(attempts, jitter, outcome.stated)
    return replace(failed, attempts=attempts, refusals=refusals, next_at=next_at)


def trial(event_id: str, at: str) -> dict[str, str]:
    """The event of a test call."""
    return {"id": event_id, "type": TEST, "at": at}


CODES: dict[str, tuple[str, str]] = {
    "address_refused": (
        "The host resolves to an address that is not public.",
        "Give the host a public address, or correct the URL.",
    ),
    "host_unknown": ("The host name does not resolve.", "Correct the URL, or the host's DNS."),
    "connect_failed": ("No connection to port 443 of the host.", "Bring the receiver up."),
    "tls_failed": (
        "The receiver's TLS certificate could not be verified for this host name.",
        "Have the certificate renewed, with its whole chain; nothing turns verification off.",
    ),
    "timeout": (
        "No whole answer within ten seconds.",
        "Answer at once, and work on the event afterwards.",
    ),
    "server_hung_up": ("The receiver closed the connection.", "Look into the receiver's log."),
    "protocol_error": ("The answer is not HTTP/1.1.", "Look into the receiver's log."),
    "budget_exceeded": ("The answer's head is too long.", "Answer with a status alone."),
    "redirected": (
        "The receiver redirects; redirects are not followed.",
        "Set the URL to where it leads.",
    ),
    "server_error": ("The receiver answered 5xx.", "Look into the receiver's log."),
    "throttled": ("The receiver answered 429.", "Nothing; it is asked more slowly."),
    "refused": (
        "The receiver answered 4xx: it refuses this event.",
        "Correct the receiver, then replay the failed deliveries.",
    ),
    "gone": (
        "The receiver answered 410: it wants no events any more.",
        "Enable the webhook again, or delete it.",
    ),
    "failing": (
        "Nothing was delivered for three days.",
        "Mend the receiver, then enable the webhook again: it goes on where it stopped.",
    ),
    "secret_missing": (
        "The webhook's secret could not be opened.",
        "Make a new one: POST /v1/webhooks/{webhook}/secret.",
    ),
}
"""Of failures and of `disabled`: code, what it means, what to do."""
