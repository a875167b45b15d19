"""Every minute: who is due? Polls to SyncQueue, leftover work and jobs to BackfillQueue, batches to
MatchQueue.

checkpoint 10:02           tick of 10:05 |--- 10:03, 10:04, 10:05 are sent, then the checkpoint
moves to 10:05. A tick that dies in between is repeated by the next; a poll sent twice looks twice,
nothing more."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ablage.accounts import INTERVALS
from ablage.observability import Summary, service_logger
from ablage.store import due
from ablage.store.queues import BATCH, TenantBody
from ablage.store.storage import Storage, storage
from ablage.tenancy import TenantId

THREADS = 16  # 2,000 batch sends of 10 ms each within seconds [write-path 16]
MISSED_MINUTES = 60
AHEAD_MINUTES = (
    5  # a checkpoint further ahead of a tick is wrong, and would stop every poll till then
)
ACCOUNTS_PER_MESSAGE = 100
BACKFILL_CONCURRENCY = 10  # MaximumConcurrency of BackfillQueue's event source
MORE_PER_TICK = 2 * BACKFILL_CONCURRENCY

logger = service_logger("dispatch")


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - Lambda's signature
    summary = Summary()
    dispatch(storage(), datetime.fromisoformat(event["time"]), summary)
    summary.log(logger)


def dispatch(store: Storage, at: datetime, summary: Summary, threads: int = THREADS) -> None:
    """The tick of `at`: the event's own time, for a late tick is still its minute's. What waits is
    sent at every tick, also at one repeated."""
    minute = int(at.timestamp()) // 60
    stands = due.last_minute(store.table)
    before = None if stands is not None and stands > minute + AHEAD_MINUTES else stands
    if before is not None and before >= minute:
        summary.count("ticks_repeated")
    else:
        _send_polls(store, before, minute, summary, threads)
        due.advance(store.table, minute, stands)
    _send_waiting(store, int(at.timestamp()), summary)


def _send_polls(
    store: Storage, before: int | None, minute: int, summary: Summary, threads: int
) -> None:
    polls = [poll for m in minutes(before, minute) for poll in _polls(store, m, minute)]
    _send(store, polls, threads)
    summary.count("polls", len(polls))
    summary.count("accounts", sum(len(poll.body["accounts"]) for poll in polls))


def minutes(before: int | None, minute: int) -> range:
    """Those not sent yet, at most MISSED_MINUTES."""
    first = minute if before is None else max(before + 1, minute - MISSED_MINUTES + 1)
    return range(first, minute + 1)


def _polls(store: Storage, minute: int, current: int) -> Iterator[TenantBody]:
    """A missed minute's poll that is older than its interval is not sent: the worker would drop
    it."""
    for interval in INTERVALS:
        if current - minute < interval:
            accounts = due.due_accounts(store.table, interval, minute)
            yield from messages(accounts, interval, minute)


def messages(
    accounts: Iterable[tuple[TenantId, str]], interval: int, minute: int
) -> Iterator[TenantBody]:
    """One tenant a message (fair queues), up to ACCOUNTS_PER_MESSAGE accounts. `accounts` come
    sorted by tenant."""
    at = datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")
    for tenant, group in groupby(accounts, key=lambda account: account[0]):
        ids = [account_id for _, account_id in group]
        for start in range(0, len(ids), ACCOUNTS_PER_MESSAGE):
            body = {
                "kind": "poll",
                "minute": at,
                "interval": interval,
                "tenant": tenant,
                "accounts": ids[start : start + ACCOUNTS_PER_MESSAGE],
            }
            yield TenantBody(tenant, body)


def _send(store: Storage, polls: list[TenantBody], threads: int) -> None:
    batches = [polls[start : start + BATCH] for start in range(0, len(polls), BATCH)]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        list(pool.map(store.queues.sync_batch, batches))


def _send_waiting(store: Storage, now: int, summary: Summary) -> None:
    """Oldest first; what is not served this minute is older the next."""
    found = due.waiting(store.table, now, MORE_PER_TICK)
    batches = [entry for entry in found if entry.batch_id]
    others = [entry for entry in found if not entry.batch_id]
    store.queues.backfill_batch([TenantBody(entry.tenant, _body(entry, now)) for entry in others])
    store.queues.match_batch(
        [{"batch": {"tenant": entry.tenant, "job": entry.batch_id}} for entry in batches]
    )
    summary.count("waiting", len(found))


def _body(entry: due.Waiting, now: int) -> dict[str, Any]:
    if entry.job_id:
        return {"kind": "job", "tenant": entry.tenant, "job": entry.job_id, "sent": now}
    return {"kind": "more", "tenant": entry.tenant, "account": entry.account_id, "sent": now}
