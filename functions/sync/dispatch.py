"""Every minute: who is due? Polls to SyncQueue, leftover work and jobs to BackfillQueue, batches to
MatchQueue, webhooks that go on to WebhookQueue.

checkpoint 10:02           tick of 10:05 |--- 10:03, 10:04, 10:05 are sent, then the checkpoint
moves to 10:05. A tick that dies in between is repeated by the next; a poll sent twice looks twice,
nothing more."""

import ablage.starting  # noqa: F401  before all else

# isort: split
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ablage.observability import POLL_LAG, Summary, service_logger
from ablage.store import due, webhooks
from ablage.store.queues import BATCH, TenantBody
from ablage.store.storage import Storage, storage
from sync.polls import AccountKey, Poll, polls_of

THREADS = 16  # 2,000 batch sends of 10 ms each within seconds [write-path 16]
AHEAD_MINUTES = (
    5  # a checkpoint further ahead of a tick is wrong, and would stop every poll till then
)
BACKFILL_CONCURRENCY = 10  # MaximumConcurrency of BackfillQueue's event source
MORE_PER_TICK = 2 * BACKFILL_CONCURRENCY
WEBHOOKS_PER_TICK = 500

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
    _wake_webhooks(store, int(at.timestamp()), summary)


def _send_polls(
    store: Storage, before: int | None, minute: int, summary: Summary, threads: int
) -> None:
    def accounts_due(interval: int, at: int) -> list[AccountKey]:
        return due.due_accounts(store.table, interval, at)

    polls = list(polls_of(accounts_due, before, minute))
    _send(store, [_body_of(poll) for poll in polls], threads)
    summary.count("polls", len(polls))
    summary.count("accounts", sum(len(poll.accounts) for poll in polls))
    if not polls:
        summary.measure(POLL_LAG, 0)  # else the worker does: a stack without any is not silent


def _body_of(poll: Poll) -> TenantBody:
    return TenantBody(poll.tenant, poll.body(), poll.second)


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


def _wake_webhooks(store: Storage, now: int, summary: Summary) -> None:
    """Those that are tried again, or were left with more: their function writes to no queue."""
    found = due.waiting_webhooks(store.table, now, WEBHOOKS_PER_TICK)
    store.queues.webhooks([webhooks.wake(*each) for each in found])
    summary.count("webhooks", len(found))


def _body(entry: due.Waiting, now: int) -> dict[str, Any]:
    if entry.job_id:
        return {"kind": "job", "tenant": entry.tenant, "job": entry.job_id, "sent": now}
    return {"kind": "more", "tenant": entry.tenant, "account": entry.account_id, "sent": now}
