"""How many requests a tenant may make: limits by class of route, in one table.

A function fetches a hundredth of a minute's allowance at a time and counts it down in memory: a
write for every twelve reads, not for each. Where the counter cannot be had, everybody gets in, and
it is logged (`allowance_unread`), for a limit protects nothing that is worth an outage.

What is left is told as draft-ietf-httpapi-ratelimit-headers has it: as far as this function knows,
from when it last asked."""

import functools
from dataclasses import dataclass, field

from aws_lambda_powertools import Logger

from ablage.settings import Settings, settings
from ablage.store import rates, usage
from ablage.store.aws import unavailable
from ablage.store.storage import storage
from ablage.store.table import Table
from ablage.tenancy import TenantId
from api.operations import Operation

WINDOW_SECONDS = 60
CHUNKS = 100  # of a minute's allowance
TENANTS = 2000  # remembered by one function

# What reads much or starts long work, whatever its scope says.
HEAVY = frozenset(
    {
        ("POST", "/v1/batches"),
        ("POST", "/v1/batches/{job}/undo"),
        ("POST", "/v1/explain"),
        ("POST", "/v1/previews"),
        ("POST", "/v1/accounts/{account}/sync"),
        ("POST", "/v1/accounts/discover"),
        ("POST", "/v1/exports"),
        ("POST", "/v1/imports"),
        ("POST", "/v1/imports/{job}/start"),
        ("POST", "/v1/contacts/batch"),
        ("POST", "/v1/customers/batch"),
        ("POST", "/v1/records/batch"),
        ("POST", "/v1/filings/batch"),
        ("POST", "/v1/webhooks/{webhook}/replay"),
        ("POST", "/v1/webhooks/{webhook}/test"),
        ("GET", "/v1/trace"),
        ("GET", "/v1/messages/{message}/html"),
        ("GET", "/v1/messages/{message}/attachments/{number}"),
    }
)

logger = Logger(service="api", child=True)


def class_of(operation: Operation) -> str:
    """`heavy`, `read` or `write`."""
    if (operation.method, operation.path) in HEAVY:
        return "heavy"
    return "read" if operation.method == "GET" else "write"


@dataclass
class _Left:
    """`requests` of this function's part; `others` were left for all functions when it was
    fetched."""

    window: int
    requests: int
    others: int = 0


@dataclass
class Allowances:
    """One per warm function; `now` is epoch seconds."""

    table: Table
    limits: Settings
    _left: dict[tuple[TenantId, str], _Left] = field(default_factory=dict)
    _used: dict[TenantId, int] = field(default_factory=dict)

    def take(self, tenant: TenantId, operation: Operation, now: int) -> None:
        """One request. Raises TooMany `too_many_requests`."""
        name = class_of(operation)
        window = now - now % WINDOW_SECONDS
        left = self._left.get((tenant, name))
        if left is None or left.window != window or not left.requests:
            left = self._fetched(tenant, name, window, now)
        left.requests -= 1
        self._used[tenant] = self._used.get(tenant, 0) + 1

    def headers(self, tenant: TenantId, operation: Operation, now: int) -> dict[str, str]:
        """For the answer to a request that was taken, or refused for being too many."""
        name = class_of(operation)
        left = self._left.get((tenant, name)) or _Left(now - now % WINDOW_SECONDS, 0)
        ends = max(1, left.window + WINDOW_SECONDS - now)
        return {
            "RateLimit-Policy": f'"{name}";q={self._most(name)};w={WINDOW_SECONDS}',
            "RateLimit": f'"{name}";r={left.requests + left.others};t={ends}',
        }

    def _most(self, name: str) -> int:
        most: int = getattr(self.limits, f"rate_{name}")
        return most

    def _fetched(self, tenant: TenantId, name: str, window: int, now: int) -> _Left:
        most = self._most(name)
        size, others = max(1, most // CHUNKS), 0
        rate = rates.Rate(most, WINDOW_SECONDS)
        if len(self._left) >= TENANTS:
            self._left.clear()
        self._left[tenant, name] = _Left(window, 0)  # where it is refused
        with unavailable() as failed:
            others = rates.reserve(self.table, tenant, f"api-{name}", rate, now, size=size)
            usage.add(self.table, tenant, now, calls=self._used.pop(tenant, 0))
        if failed:
            logger.warning("allowance_unread", extra={"error": failed[0]})
        self._left[tenant, name] = _Left(window, size, others // size * size)
        return self._left[tenant, name]


@functools.cache
def allowances() -> Allowances:
    return Allowances(storage().table, settings())
