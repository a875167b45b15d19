"""One hook's slice: what was asked for, then what waits in the feed, in order, until nothing waits,
a try fails, or time is up.

    POST -> delivery's row -> position (or, of what was asked for, its mark)

A kill between two of them repeats the POST, with the same id, and the row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from ablage import webhook_wire
from ablage.errors import AccountFault, InvalidInput, NotFound
from ablage.events import Told, as_json, told
from ablage.observability import Summary
from ablage.store import feed, webhook_deliveries, webhooks
from ablage.store.table import ConditionFailed, Item, Table
from ablage.store.webhooks import Hook, Lease
from ablage.tenancy import TenantId
from ablage.webhooks import (
    DELIVERED,
    ENABLED,
    FAILED,
    PENDING,
    Delivery,
    Outcome,
    Progress,
    after,
    status_of,
)
from webhook.post import Receiver
from webhook.tools import Tools

SLICE_SECONDS = 30.0  # no try begins later; one takes 10 s
ROWS_AT_ONCE = 50
ROWS_SIFTED = 500  # the same, of a hook that does not hear all
_AHEAD = 60_000  # milliseconds: rows that come to be seen shortly, clocks that differ


def tell(tools: Tools, tenant: TenantId, webhook_id: str, summary: Summary) -> None:
    end = tools.clock() + SLICE_SECONDS
    while slice_ := _begun(tools, tenant, webhook_id, summary, end):
        if slice_.run() or tools.clock() >= end:
            return


def _begun(
    tools: Tools, tenant: TenantId, webhook_id: str, summary: Summary, end: float
) -> "_Slice | None":
    """None where there is nothing to do, or somebody else does it."""
    try:
        hook = webhooks.get(tools.table, tenant, webhook_id)
    except NotFound:
        summary.count("hooks_gone")
        return None
    now = int(tools.now())
    is_due = 0 < hook.due_at <= now
    is_on = status_of(hook.config, hook.progress) == ENABLED
    if not is_due and not (is_on and hook.progress.next_at <= now):
        summary.count("hooks_waiting")
        return None
    claimed = webhooks.claim(tools.table, hook, now)
    if claimed is None:
        summary.count("hooks_held")
        return None
    return _Slice(tools, *claimed, summary, end)


@dataclass(frozen=True)
class _Waiting:
    """An event of the feed, and the position behind it."""

    event: Told
    behind_it: str


class _Slice:
    """`end`: of the clock; no try begins later."""

    def __init__(
        self, tools: Tools, hook: Hook, lease: Lease, summary: Summary, end: float
    ) -> None:
        self._tools = tools
        self._hook = hook
        self._lease = lease
        self._summary = summary
        self._end = end
        self._receiver: Receiver | None = None

    def run(self) -> bool:
        """False where somebody asked for something meanwhile, or took over after our lease."""
        try:
            due_at = self._work()
            webhooks.release(self._tools.table, self._hook, self._lease, due_at)
        except ConditionFailed:
            self._summary.count("slices_overtaken")
            webhooks.give_up(self._tools.table, self._hook, self._lease)
            return False
        finally:
            if self._receiver:
                self._receiver.close()
        return True

    def _work(self) -> int:
        """When it goes on by itself, 0 for not before it is woken."""
        while self._has_time and (asked := self._asked()):
            for delivery, refusals in asked:
                if not self._has_time:
                    break
                if delivery.is_test:
                    self._test(delivery)
                elif self._may_tell:
                    self._told_again(delivery, refusals)
        if not self._has_time:
            return self._now
        if not self._is_on:
            return 0
        return self._feed() if self._may_tell else self._again_at

    def _asked(self) -> list[tuple[Delivery, int]]:
        return webhook_deliveries.asked(*self._place, tests_only=not self._may_tell)

    @property
    def _place(self) -> tuple[Table, TenantId, str]:
        return self._tools.table, self._hook.tenant, self._hook.webhook_id

    @property
    def _progress(self) -> Progress:
        return self._hook.progress

    @property
    def _is_on(self) -> bool:
        return status_of(self._hook.config, self._progress) == ENABLED

    @property
    def _may_tell(self) -> bool:
        return self._is_on and self._progress.next_at <= self._now and self._has_time

    @property
    def _has_time(self) -> bool:
        return self._tools.clock() < self._end

    @property
    def _now(self) -> int:
        return int(self._tools.now())

    @property
    def _again_at(self) -> int:
        """After a try that failed, or when time is up; of a hook that is off never."""
        return max(self._progress.next_at, self._now) if self._is_on else 0

    # ---- what was asked for ----------------------------------------------------------------------

    def _test(self, delivery: Delivery) -> None:
        """Tried once, and nothing follows from it."""
        outcome = self._post(delivery)
        self._put(delivery, outcome, DELIVERED if outcome.verdict == "delivered" else FAILED)
        webhook_deliveries.drop_asked(*self._place, delivery)

    def _told_again(self, delivery: Delivery, refusals: int) -> None:
        outcome = self._post(delivery)
        before = self._progress
        then = self._after(replace(before, refusals=refusals), outcome)
        self._put(delivery, outcome, _status(outcome, then))
        if then.attempts:
            webhook_deliveries.put_refusals(*self._place, delivery, then.refusals)
        else:
            webhook_deliveries.drop_asked(*self._place, delivery)
        self._save(replace(then, refusals=before.refusals))

    # ---- the feed --------------------------------------------------------------------------------

    def _feed(self) -> int:
        while self._has_time:
            waiting, due_at = self._read()
            if not waiting:
                return due_at
            for each in waiting:
                if not self._hook.config.hears(each.event.type):
                    self._hook = self._at(each.behind_it)
                elif not self._may_tell or not self._is_told(each):
                    self._hook = replace(
                        self._hook, progress=replace(self._progress, behind=each.event.at)
                    )
                    return self._again_at
        return self._now

    def _is_told(self, waiting: _Waiting) -> bool:
        """Whether to go on with the next one."""
        delivery = Delivery(as_json(waiting.event), attempts=self._progress.attempts)
        outcome = self._post(delivery)
        then = self._after(self._progress, outcome)
        self._put(delivery, outcome, _status(outcome, then))
        is_done = not then.attempts
        place = waiting.behind_it if is_done else then.position
        behind = "" if is_done else waiting.event.at
        self._save(replace(then, position=place, behind=behind))
        return is_done

    def _read(self) -> tuple[list[_Waiting], int]:
        """What waits behind the position. Where nothing does, when to look again: for a row that is
        too young to be passed, for a hook that not everything wakes yet."""
        at = feed.milliseconds(self._tools.now)
        until = feed.moment(at - feed.SEEN_AFTER)
        oldest = feed.moment(at - int(feed.KEPT.total_seconds() * 1000))
        begins = max(self._progress.position, oldest)
        row_key, _, done = begins.rpartition("#")
        start, done_there = (row_key, int(done)) if row_key else (begins, 0)
        limit = ROWS_SIFTED if self._hook.config.types else ROWS_AT_ONCE
        rows, _ = feed.rows_after(*self._place[:2], start, feed.moment(at + _AHEAD), limit)
        waiting = [
            each
            for row in rows
            if row["sk"] < until
            for each in _events(row, done_there if row["sk"] == start else 0)
        ]
        if waiting:
            return waiting, 0
        young = next((row["sk"] for row in rows if row["sk"] >= until), None)
        self._hook = self._at(max(begins, until))
        return [], self._look_at(young)

    def _look_at(self, young: str | None) -> int:
        if young:
            at = datetime.fromisoformat(young.partition("#")[0]).timestamp()
            return int(at) + feed.SEEN_AFTER // 1000 + 1
        return self._lease.young_until if self._lease.young_until > self._now else 0

    def _at(self, position: str) -> Hook:
        """Nothing waits before it."""
        return replace(self._hook, progress=replace(self._progress, position=position, behind=""))

    # ---- one try ---------------------------------------------------------------------------------

    def _post(self, delivery: Delivery) -> Outcome:
        content, now = webhook_wire.body(delivery.event), self._now
        try:
            secrets = self._tools.secrets.signing(self._hook, now)
            receiver = self._receiver or self._connected()
        except (AccountFault, InvalidInput) as error:
            return Outcome("outage", _code(error))
        headers = webhook_wire.headers(secrets, delivery.event["id"], now, content)
        return receiver.post(headers, content)

    def _connected(self) -> Receiver:
        """Raises InvalidInput where the URL is no target, by the rules of today."""
        network = self._tools.network
        where = webhook_wire.target(self._hook.config.url, network.local_hosts)
        self._receiver = Receiver(network, where, self._tools.clock)
        return self._receiver

    def _after(self, progress: Progress, outcome: Outcome) -> Progress:
        return after(progress, outcome, self._now, self._tools.jitter())

    def _put(self, delivery: Delivery, outcome: Outcome, status: str) -> None:
        self._summary.count(status)
        if outcome.code:
            self._summary.count(outcome.code)
        known = replace(
            delivery,
            status=status,
            attempts=delivery.attempts + 1,
            http_status=outcome.http_status,
            code=outcome.code,
            ms=outcome.ms,
            tried_at=self._now,
        )
        webhook_deliveries.put_delivery(*self._place, known)

    def _save(self, progress: Progress) -> None:
        self._hook = replace(self._hook, progress=progress)
        if progress.disabled:
            self._summary.count("hooks_disabled")
        webhooks.save(self._tools.table, self._hook, self._lease)


def _events(row: Item, done: int) -> Iterator[_Waiting]:
    """As in the cursor of `GET /v1/changes`: the row's sort key, and how many are done."""
    for number, event in enumerate(told(row), 1):
        if number > done:
            yield _Waiting(event, f"{row['sk']}#{number}")


def _status(outcome: Outcome, then: Progress) -> str:
    if outcome.verdict == "delivered":
        return DELIVERED
    return PENDING if then.attempts else FAILED


def _code(error: AccountFault | InvalidInput) -> str:
    return error.code if isinstance(error, AccountFault) else "address_refused"
