"""Jobs: long work a caller asked for. Sync lists and stores, match ticks off each copy, a reader
sees the sum.

A sync job is done when sync has listed everything (`synced`) and every copy it counted (`total`)
was ticked (`done`): computed on read. Of the two writers the last tells the feed, once (`told`)."""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from ablage import events
from ablage.errors import NotFound
from ablage.store import feed, keys
from ablage.store.table import ConditionFailed, Item, Table, put_action, update_action
from ablage.tenancy import TenantId

SCHEMA = 1
JOB_DAYS = 30  # how long a job can be read; also the TTL of its ticks
CLAIM_SECONDS = 150  # as long as a lease: longer than sync's timeout
_IS_UNTOLD = "attribute_exists(pk) AND attribute_not_exists(told)"


class Ending(Protocol):
    """A job of any kind, as its event names it."""

    @property
    def tenant(self) -> TenantId: ...
    @property
    def job_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def account_id(self) -> str: ...


@dataclass(frozen=True)
class Job:
    """`kind` is `check|folders|sync|discover|revoke`, or that of a batch (`ablage.batches`);
    `state` is `queued|running|done|failed`, of a batch also `undone`. `progress` is sync's own:
    folder id -> {uidvalidity, high, count, failed, finished, stuck, stuck_tries}. `attempts` are
    claims since it last got on. Put off until `due_at` (epoch seconds), it `waits_for` what this
    code names. What is below `preview` is of batches alone."""

    tenant: TenantId
    job_id: str
    kind: str
    account_id: str
    state: str = "queued"
    done: int = 0
    total: int = 0
    failed: int = 0
    synced: bool = False
    since: str | None = None
    folders: tuple[str, ...] = ()
    created_at: str = ""
    result: dict[str, Any] | None = None
    code: str | None = None
    detail: str | None = None
    progress: dict[str, dict[str, int]] = field(default_factory=dict)
    attempts: int = 0
    waits_for: str = ""
    due_at: int = 0
    preview: dict[str, Any] | None = None
    undo_until: str = ""
    undone_by: str = ""

    @property
    def shown_state(self) -> str:
        """What a caller sees: a sync job is done when its mails are matched."""
        if self.state == "running" and self.synced and self.done >= self.total:
            return "done"
        return self.state


def job_item(job: Job, now: int) -> Item:
    """The item of a new job, without its key, for a transaction; due at once."""
    item: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": job.kind,
        "account": job.account_id,
        "state": job.state,
        "done": 0,
        "total": 0,
        "failed": 0,
        "synced": False,
        "since": job.since,
        "folders": list(job.folders),
        "created_at": job.created_at,
        "preview": job.preview,
        "expires": now + JOB_DAYS * 86400,
        "due": keys.DUE_MORE,
        "due_sk": due_sk(job.tenant, job.job_id, now),
    }
    return {name: value for name, value in item.items() if value is not None}


def due_sk(tenant: TenantId, job_id: str, at: int) -> str:
    """Oldest first: the epoch second it may next be served, ten digits."""
    return f"{at:010d}#{tenant}#job:{job_id}"


def create(table: Table, job: Job, now: int) -> None:
    table.put(
        keys.job(job.tenant, job.job_id),
        job_item(job, now),
        condition="attribute_not_exists(pk)",
    )


def get(table: Table, tenant: TenantId, job_id: str) -> Job:
    """Raises NotFound `job_not_found`."""
    item = table.get(keys.job(tenant, job_id), consistent=True)
    if item is None:
        raise unknown()
    return _job(tenant, job_id, item)


def unknown() -> NotFound:
    return NotFound("job_not_found", "There is no such job; jobs are kept for 30 days.")


def _job(tenant: TenantId, job_id: str, item: Item) -> Job:
    return Job(
        tenant=tenant,
        job_id=job_id,
        kind=item["kind"],
        account_id=item["account"],
        state=item["state"],
        done=item["done"],
        total=item["total"],
        failed=item["failed"],
        synced=item["synced"],
        since=item.get("since"),
        folders=tuple(item.get("folders", ())),
        created_at=item.get("created_at", ""),
        result=item.get("result"),
        code=item.get("code"),
        detail=item.get("detail"),
        progress=item.get("progress", {}),
        attempts=item.get("attempts", 0),
        waits_for=item.get("waits_for", ""),
        due_at=int(item.get("due_sk", "0")[:10]),
        preview=item.get("preview"),
        undo_until=item.get("undo_until", ""),
        undone_by=item.get("undone_by", ""),
    )


def claim(table: Table, tenant: TenantId, job_id: str, now: int) -> Job | None:
    """Take the job for CLAIM_SECONDS by moving its due key ahead; None when it is finished, gone or
    taken.

    now                          now + 150 s
     |--- mine: due_sk is ahead ---|--- dispatch sends it again, the next claim takes it
    """
    is_due = "attribute_exists(due) AND due_sk <= :latest"
    try:
        item = table.update(
            keys.job(tenant, job_id),
            "SET due_sk = :ahead, #state = :running REMOVE waits_for ADD attempts :one",
            condition=is_due,
            names={"#state": "state"},
            values={
                ":latest": due_sk(tenant, job_id, now),
                ":ahead": due_sk(tenant, job_id, now + CLAIM_SECONDS),
                ":running": "running",
                ":one": 1,
            },
        )
    except ConditionFailed:
        return None
    return _job(tenant, job_id, item)


def save_progress(table: Table, job: Job) -> bool:
    """Store `progress`, `total`, `failed` and `attempts` of a claimed job; absolute values, so a
    repeat changes nothing. False when the job is finished or gone."""
    try:
        table.update(
            keys.job(job.tenant, job.job_id),
            "SET progress = :progress, #total = :total, #failed = :failed, attempts = :attempts",
            condition="attribute_exists(due)",
            names={"#total": "total", "#failed": "failed"},
            values={
                ":progress": job.progress,
                ":total": job.total,
                ":failed": job.failed,
                ":attempts": job.attempts,
            },
        )
    except ConditionFailed:
        return False
    return True


def yield_job(
    table: Table, tenant: TenantId, job_id: str, at: int, waits_for: str | None = None
) -> None:
    """Give it back unfinished: served again from `at` on, after everything that has waited
    longer."""
    values = {"due_sk": due_sk(tenant, job_id, at)}
    values |= {"waits_for": waits_for} if waits_for else {}
    try:
        table.update(
            keys.job(tenant, job_id),
            "SET " + ", ".join(f"{name} = :{name}" for name in values),
            condition="attribute_exists(due)",
            values={f":{name}": value for name, value in values.items()},
        )
    except ConditionFailed:
        return


def mark_synced(table: Table, job: Job) -> None:
    """Everything is listed and stored; from here match alone moves it. Where it has matched all of
    it already, this is the job's end."""
    values: dict[str, Any] = {
        ":true": True,
        ":total": job.total,
        ":failed": job.failed,
        ":progress": job.progress,
    }
    expression = (
        "SET synced = :true, #total = :total, #failed = :failed, progress = :progress"
        " REMOVE due, due_sk"
    )
    names = {"#total": "total", "#failed": "failed"}
    key = keys.job(job.tenant, job.job_id)
    while True:
        try:
            if get(table, job.tenant, job.job_id).done < job.total:
                is_left = "attribute_exists(pk) AND done < :total"
                table.update(key, expression, condition=is_left, names=names, values=values)
            else:
                is_first = f"attribute_exists(pk) AND done >= :total AND {_IS_UNTOLD}"
                told = f"{expression} ".replace("SET ", "SET told = :true, ", 1)
                end_with(table, job, "done", [update_action(key, told, values, is_first, names)])
        except ConditionFailed:
            if (table.get(key, consistent=True) or {}).get("told"):
                return
        else:
            return


def _end_if_matched(table: Table, tenant: TenantId, job_id: str) -> None:
    """Whoever ticks off the last copy ends the job, once."""
    try:
        job = get(table, tenant, job_id)
        if job.synced and job.shown_state == "done":
            key = keys.job(tenant, job_id)
            told = update_action(key, "SET told = :true", {":true": True}, _IS_UNTOLD)
            end_with(table, job, "done", [told])
    except (ConditionFailed, NotFound):
        return


def end_with(
    table: Table, job: "Ending", state: str, actions: list[dict[str, Any]], code: str | None = None
) -> None:
    """The writes that end a job, with its event. Raises ConditionFailed."""
    facts = {
        "job": job.job_id,
        "kind": job.kind,
        "state": state,
        "account": job.account_id,
        "code": code,
    }
    name = f"job#{job.job_id}"
    at = feed.milliseconds(time.time)
    feed.put_with(table, feed.fact(job.tenant, at, events.JOB, name, facts), actions)


def finish(table: Table, tenant: TenantId, job_id: str, result: dict[str, Any]) -> None:
    """A check or a folder listing has its answer. A finished job stays as it is."""
    _end(table, tenant, job_id, "done", {"result": result})


def fail(table: Table, tenant: TenantId, job_id: str, code: str, detail: str) -> None:
    _end(table, tenant, job_id, "failed", {"code": code, "detail": detail})


def _end(table: Table, tenant: TenantId, job_id: str, state: str, outcome: dict[str, Any]) -> None:
    values = {"state": state} | outcome
    try:
        action = update_action(
            keys.job(tenant, job_id),
            "SET " + ", ".join(f"#{name} = :{name}" for name in values) + " REMOVE due, due_sk",
            {f":{name}": value for name, value in values.items()},
            "attribute_exists(due)",
            {f"#{name}": name for name in values},
        )
        end_with(table, get(table, tenant, job_id), state, [action], outcome.get("code"))
    except (ConditionFailed, NotFound):
        return


def tick_copy(
    table: Table, tenant: TenantId, job_id: str, copy_id: str, now: int | None = None
) -> bool:
    """This copy is matched. True the first time; False when it was ticked before or the job is
    gone."""
    expires = (int(time.time()) if now is None else now) + JOB_DAYS * 86400
    tick = put_action(
        keys.job_copy(tenant, job_id, copy_id),
        {"expires": expires},
        condition="attribute_not_exists(pk)",
    )
    count = update_action(
        keys.job(tenant, job_id), "ADD done :one", {":one": 1}, condition="attribute_exists(pk)"
    )
    try:
        table.transact([tick, count])
    except ConditionFailed:
        is_first = False
    else:
        is_first = True
    _end_if_matched(table, tenant, job_id)
    return is_first
