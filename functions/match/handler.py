"""MatchQueue: mails to file (S3 ObjectCreated, or sent again by sync), and repairs.

A whole batch is read first, each mail in its own guard, then known in one round, then filed one by
one. A record that fails is retried alone; every step before it stands and is not done twice.
Slices of batches come last and take what time is left.
"""

import ablage.starting  # noqa: F401  before all else

# isort: split
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.typing import LambdaContext

from ablage.errors import NotFound
from ablage.observability import FILED_DELAY, Summary, service_logger
from ablage.queue_records import Record, answer_for
from ablage.store.queues import Unsent
from ablage.store.raw_mail import RawKey, parse_key
from ablage.store.storage import Storage, storage
from ablage.tenancy import tenant_id
from match.file_message import Known, file_message, know, tick
from match.read_copy import ReadCopy, read_copy

RESERVE_SECONDS = 15  # of the invocation, for the message a slice is at

TOLD_SECONDS = 86_400  # a mail older than that was moved here, not received

logger = service_logger("match")


@dataclass
class Task:
    """One queue record: its copies, or what stopped them from being read."""

    copies: list[ReadCopy] = field(default_factory=list)
    expired: list[tuple[RawKey, str | None]] = field(default_factory=list)
    repair: dict[str, str] | None = None
    batch: dict[str, str] | None = None
    error: Exception | None = None


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    where = replace(storage(), queues=Unsent())
    tasks = {record["messageId"]: _read(where, record["body"]) for record in event["Records"]}
    known = know(where, [copy for task in tasks.values() for copy in task.copies])
    summary = Summary()

    def handle(record: Record) -> None:
        task = tasks[record["messageId"]]
        _do(where, task, known)
        _measure(task, known, summary)
        _work_off(where, task, context)

    records = sorted(event["Records"], key=lambda r: tasks[r["messageId"]].batch is not None)
    answer = answer_for(records, handle, logger)
    summary.count("records", len(tasks))
    summary.count("failed", len(answer["batchItemFailures"]))
    summary.log(logger, "matched")
    return answer


def _read(where: Storage, body: str) -> Task:
    """The guard round one message: what cannot be read fails alone, and is tried again."""
    task = Task()
    try:
        _read_into(where, task, json.loads(body))
    except Exception as error:
        task.error = error
    return task


def _read_into(where: Storage, task: Task, body: dict[str, Any]) -> None:
    task.repair = body.get("repair")
    task.batch = body.get("batch")
    for key, job in _keys(where, body):
        try:
            task.copies.append(read_copy(where, key, job))
        except NotFound:
            task.expired.append((key, job))


def _keys(where: Storage, body: dict[str, Any]) -> Iterator[tuple[RawKey, str | None]]:
    """`s3:TestEvent`, other events and objects that are not ours name no mail."""
    again = body.get("match")
    if again and (key := parse_key(again["key"])):
        yield key, again.get("job")
    for record in body.get("Records", ()):
        created = record.get("eventName", "").startswith("ObjectCreated:")
        if created and record["s3"]["bucket"]["name"] == where.raw.bucket:
            key = parse_key(unquote_plus(record["s3"]["object"]["key"]))
            if key:
                yield key, None


def _do(where: Storage, task: Task, known: Known) -> None:
    if task.error:
        raise task.error
    for copy in task.copies:
        if file_message(where, copy, known) is None:
            logger.warning("unknown_account", extra={"tenant": copy.key.tenant})
    for key, job in task.expired:
        logger.warning("raw_missing", extra={"tenant": key.tenant})
        tick(where, key.tenant, job, key.copy_id)
    if task.repair:
        from match.repair import repair  # noqa: PLC0415  no part of a cold start

        repair(where, task.repair)


def _measure(task: Task, known: Known, summary: Summary) -> None:
    """How long new mail took from its receipt to here. What a first import or a job brought was not
    new, nor is what a person moved."""
    now = time.time()
    for copy in task.copies:
        account, received_at = known.account(copy), copy.copy.received_at
        if account is None or copy.job or copy.copy.role != "inbox":
            continue
        delay = int(now - datetime.fromisoformat(received_at).timestamp())
        if received_at >= account.created_at and delay < TOLD_SECONDS:
            summary.measure(FILED_DELAY, max(delay, 0))


def _work_off(where: Storage, task: Task, context: LambdaContext) -> None:
    """A slice there is no time for comes with the next tick: its job stays due."""
    left = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    if task.batch and left > 0:
        from match.batches import SLICE_SECONDS, run_batch  # noqa: PLC0415  as in `_do`

        tenant = tenant_id(task.batch["tenant"])
        batch = run_batch(where, tenant, task.batch["job"], seconds=min(left, SLICE_SECONDS))
        if batch is not None:
            counts = {"kind": batch.kind, "done": batch.done, "failed": batch.failed}
            logger.info("batch", extra={"tenant": tenant, "job": batch.job_id, "counts": counts})
