"""Killed before or after any AWS call, a batch and its undoing end as if nothing had happened."""

import json
import os
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.aws import received_bodies
from tests.support.aws_calls import aws_calls, killed_at
from tests.support.events import sqs_event
from tests.support.http_events import Context
from tests.support.stored_mail import SINCE, UNTIL, arrive
from tests.support.tenants import connect_account, index_contact

from ablage import batches as kinds
from ablage.observability import Summary
from ablage.store import batches, jobs, keys, messages
from ablage.store.batches import Batch
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from match.batches import ATTEMPTS, run_batch
from match.handler import lambda_handler as match
from sync.dispatch import dispatch

NOW = datetime.now(UTC).replace(microsecond=0)
START = int(NOW.timestamp())
LATER = jobs.CLAIM_SECONDS + 1
MAIL = {"contact#c1", "customer#k1"}


class Killed(BaseException):
    """The process is gone: nothing catches it, and nothing gets through after it."""


def a_batch(tenant: TenantId, kind: str = kinds.BACKFILL_CONTACT, **arguments: Any) -> Batch:
    return batches.new_batch(tenant, kind, arguments, at=NOW, job_id=f"job-{kind}")


def prepared(where: Storage, name: str) -> Batch:
    """A mail that hit nothing, and its contact's back-filling."""
    tenant = TenantId(name)
    connect_account(where, tenant, "anna", "anna@own.de", filing=True)
    arrive(where, 1, "max@kunde.de", "anna@own.de", tenant=name)
    index_contact(where, tenant, "max@kunde.de", "c1", ["k1"])
    batch = a_batch(tenant, contact="c1", keys=["max@kunde.de"], since=SINCE)
    batches.create(where.table, batch, START)
    return batch


def work_off(where: Storage, batch: Batch, tick: int = 0) -> Batch | None:
    return run_batch(
        where, batch.tenant, batch.job_id, now=lambda: START + tick * LATER, seconds=30
    )


def filed(where: Storage, batch: Batch) -> set[str]:
    rows = [
        row
        for entity in MAIL
        for row in where.table.query(keys.archive(batch.tenant, *entity.split("#")))
        if not row.get("gone")
    ]
    return {row["pk"].split("ENTITY#")[1] for row in rows}


def the_message(where: Storage, batch: Batch) -> Any:
    (row,) = where.table.query(keys.account_partition(batch.tenant, "anna"), prefix="MAIL#")
    return messages.read(where.table, batch.tenant, row["m"])


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
def test_a_kill_at_any_call_changes_neither_the_batch_nor_its_undoing(
    aws: Storage, moment: str
) -> None:
    counted = prepared(aws, "counted")
    with aws_calls() as calls:
        work_off(aws, counted)
    undo = a_batch(counted.tenant, kinds.UNDO, of=counted.job_id)
    batches.start_undo(aws.table, counted, undo, START)
    with aws_calls() as undo_calls:
        work_off(aws, undo)
    assert min(len(calls), len(undo_calls)) > 8

    for number in range(max(len(calls), len(undo_calls))):
        batch = prepared(aws, f"t{number}")
        with killed_at(number, moment):
            work_off(aws, batch)
        work_off(aws, batch, tick=1)
        work_off(aws, batch, tick=2)
        job = jobs.get(aws.table, batch.tenant, batch.job_id)
        assert (job.state, job.done, job.result) == ("done", 1, {"changed": 1}), number
        assert filed(aws, batch) == MAIL

        undo = a_batch(batch.tenant, kinds.UNDO, of=batch.job_id)
        batches.start_undo(aws.table, batch, undo, START)
        with killed_at(number, moment):
            work_off(aws, undo)
        work_off(aws, undo, tick=1)
        work_off(aws, undo, tick=2)
        assert jobs.get(aws.table, batch.tenant, undo.job_id).result == {"changed": 1}, number
        message = the_message(aws, batch)
        assert (message.settled, message.filings, filed(aws, batch)) == (True, {}, set())
        assert {str(entity) for entity in message.tombstones} == MAIL


def test_a_batch_is_worked_off_by_one_at_a_time_and_once(aws: Storage) -> None:
    batch = prepared(aws, "acme")
    claimed = batches.claim(aws.table, batch.tenant, batch.job_id, START)

    assert claimed is not None
    assert work_off(aws, batch) is None
    assert filed(aws, batch) == set()
    assert work_off(aws, batch, tick=1) is not None
    assert work_off(aws, batch, tick=2) is None
    assert the_message(aws, batch).version == 2


def test_a_slice_without_time_gives_the_batch_back_with_its_cursor(aws: Storage) -> None:
    batch = prepared(aws, "acme")
    arrive(aws, 2, "max@sub.de", "anna@own.de", tenant="acme")
    index_contact(aws, batch.tenant, "max@sub.de", "c1", ["k1"])
    wanted = a_batch(batch.tenant, kinds.REEVALUATE, since=SINCE, until=UNTIL)
    batches.create(aws.table, wanted, START)

    first = run_batch(aws, wanted.tenant, wanted.job_id, now=lambda: START, seconds=0)
    second = run_batch(aws, wanted.tenant, wanted.job_id, now=lambda: START, seconds=30)

    assert first is not None
    assert (first.done, first.cursor is not None) == (1, True)
    assert second is not None
    assert (second.done, second.outcome) == (2, {"changed": 2})


def test_a_batch_that_never_gets_on_fails(aws: Storage) -> None:
    batch = prepared(aws, "acme")
    for tick in range(ATTEMPTS):
        batches.claim(aws.table, batch.tenant, batch.job_id, START + tick * LATER)

    work_off(aws, batch, tick=ATTEMPTS)

    job = jobs.get(aws.table, batch.tenant, batch.job_id)
    assert (job.state, job.code) == ("failed", "internal")


def test_undoing_a_running_batch_waits_until_no_worker_is_at_it(aws: Storage) -> None:
    batch = prepared(aws, "acme")
    batches.claim(aws.table, batch.tenant, batch.job_id, START)
    undo = a_batch(batch.tenant, kinds.UNDO, of=batch.job_id)

    started = batches.start_undo(aws.table, batch, undo, START)

    assert started.due_at == START + jobs.CLAIM_SECONDS
    assert work_off(aws, undo) is None
    assert work_off(aws, batch, tick=1) is None
    assert work_off(aws, undo, tick=1) is not None
    assert filed(aws, batch) == set()


def test_what_was_planned_but_never_done_is_not_undone(aws: Storage) -> None:
    batch = prepared(aws, "acme")
    work_off(aws, batch)
    ghost = a_batch(batch.tenant, kinds.REEVALUATE)
    message = the_message(aws, batch)
    entry = kinds.Ledger(version=1, added=message.filings)
    batches.create(aws.table, ghost, START)
    batches.put_ledger(aws.table, ghost, message.message_id, entry, START)
    undo = a_batch(batch.tenant, kinds.UNDO, of=ghost.job_id)
    batches.start_undo(aws.table, ghost, undo, START)

    work_off(aws, undo)

    assert filed(aws, batch) == MAIL


def test_dispatch_sends_batches_to_match_and_jobs_to_backfill(aws: Storage) -> None:
    batch = prepared(aws, "acme")
    jobs.create(aws.table, jobs.Job(batch.tenant, "batch:1", "sync", "anna"), START)

    dispatch(aws, NOW, Summary(), threads=1)

    (to_match,) = received_bodies(os.environ["MATCH_QUEUE_URL"])
    (to_sync,) = received_bodies(os.environ["BACKFILL_QUEUE_URL"])
    assert json.loads(to_match) == {"batch": {"tenant": "acme", "job": batch.job_id}}
    assert json.loads(to_sync)["job"] == "batch:1"


def test_a_slice_comes_after_the_mails_of_its_event_and_only_if_there_is_time(
    aws: Storage,
) -> None:
    batch = prepared(aws, "acme")
    slice_ = {"batch": {"tenant": "acme", "job": batch.job_id}}
    event = sqs_event(slice_, {"repair": {"tenant": "acme", "message": "m" * 26}})

    hurried = match(event, Context(remaining_ms=10_000))  # type: ignore[arg-type]  a stand-in
    queued = jobs.get(aws.table, batch.tenant, batch.job_id).state
    answer = match(event, Context(remaining_ms=60_000))  # type: ignore[arg-type]  a stand-in

    assert hurried == answer == {"batchItemFailures": []}
    assert (queued, filed(aws, batch)) == ("queued", MAIL)
