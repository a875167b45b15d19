"""A poll: the accounts that are to be looked at for one minute, and how late that may be.

minute 10:05, second 23        the message rests in SyncQueue till 10:05:23: a minute's polls do not
                               all start at once. A worker that slept instead would be paid for it.
10:10:23, interval 5           the next poll of these accounts is due: this one is dropped.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from ablage.accounts import INTERVALS
from ablage.tenancy import TenantId

MISSED_MINUTES = 60
ACCOUNTS_PER_MESSAGE = 100
SPREAD_SECONDS = 55  # of the minute; the rest is for the tick itself

AccountKey = tuple[TenantId, str]
Due = Callable[[int, int], Iterable[AccountKey]]  # interval, minute -> accounts, by tenant


@dataclass(frozen=True)
class Poll:
    """`interval` in minutes; `second` of the minute is when it is due."""

    minute: datetime
    interval: int
    tenant: TenantId
    accounts: Sequence[str]
    second: int = 0

    def body(self) -> dict[str, Any]:
        """As `sync.work` reads it."""
        minute = f"{self.minute.astimezone(UTC):%Y-%m-%dT%H:%M}:00Z"
        known = {"minute": minute, "second": self.second, "interval": self.interval}
        return {"kind": "poll", "tenant": self.tenant, "accounts": [*self.accounts]} | known

    def lag(self, now: float) -> int:
        """Seconds since it was due."""
        return max(int(now - self.minute.timestamp()) - self.second, 0)

    def is_stale(self, now: float) -> bool:
        """The next one of these accounts is due."""
        return self.lag(now) >= self.interval * 60

    def account_keys(self) -> list[AccountKey]:
        return [(self.tenant, account_id) for account_id in self.accounts]


def minutes(before: int | None, minute: int) -> range:
    """Those not sent yet, at most MISSED_MINUTES."""
    first = minute if before is None else max(before + 1, minute - MISSED_MINUTES + 1)
    return range(first, minute + 1)


def polls_of(due: Due, before: int | None, minute: int) -> Iterator[Poll]:
    """What the tick of `minute` sends when `before` is the last that was sent. A missed minute's
    poll that is older than its interval is not sent: the worker would drop it."""
    for each in minutes(before, minute):
        for interval in INTERVALS:
            if minute - each < interval:
                yield from polls(due(interval, each), interval, each)


def polls(accounts: Iterable[AccountKey], interval: int, minute: int) -> Iterator[Poll]:
    """One tenant a message (fair queues), up to ACCOUNTS_PER_MESSAGE accounts. `accounts` come
    sorted by tenant."""
    at = datetime.fromtimestamp(minute * 60, UTC)
    for tenant, group in groupby(accounts, key=lambda account: account[0]):
        ids = [account_id for _, account_id in group]
        for start in range(0, len(ids), ACCOUNTS_PER_MESSAGE):
            part = ids[start : start + ACCOUNTS_PER_MESSAGE]
            second = second_of(tenant, part[0])
            yield Poll(at, interval, tenant, part, second)


def second_of(tenant: TenantId, account_id: str) -> int:
    """Of the minute: the same at each tick while the first account of the message is."""
    digest = hashlib.sha256(f"second#{tenant}#{account_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SPREAD_SECONDS
