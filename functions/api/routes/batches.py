"""Batches: looking back over stored mail. Asked for here, worked off by match in slices."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from pydantic import Field, StrictStr

from ablage.batches import UNDO, UNDOABLE
from ablage.blocklist import parse_entry
from ablage.errors import Conflict, Gone
from ablage.store import batches, blocklist, jobs
from ablage.store.batches import Batch
from ablage.store.owed_batches import counted
from ablage.store.storage import storage
from api.batch_requests import (
    Days,
    account_batch,
    contact_batch,
    made,
    purge_batch,
    required,
    window_batch,
)
from api.clock import now, now_epoch
from api.operations import operation
from api.routes.jobs import JobView, job_view, work_off
from api.schemas import Body, Moment, PathId, Text, answer
from api.tenant import Caller, Calling

Kind = Literal["backfill_contact", "backfill_account", "purge_blocked", "reevaluate"]
Id = Annotated[StrictStr, Field(max_length=128)]


class BatchBody(Body):
    """`backfill_contact` takes `contact`, `address` and `days`; `backfill_account` takes `account`
    and `days`; `purge_blocked` takes `entry`; `reevaluate` takes `since`, `until`, `account`."""

    kind: Kind
    contact: Id | None = None
    address: Text | None = None
    account: Id | None = None
    days: Days | None = None
    entry: Text | None = None
    since: Moment | None = None
    until: Moment | None = None


@operation("POST", "/v1/batches", "manage", status=202)
def start_batch(body: BatchBody, caller: Calling) -> Response[JobView]:
    """File earlier mail, purge what a blocklist entry blocks, or decide stored mail again.

    Touches automatic filings alone. Can be undone for seven days."""
    table = storage().table
    batch = _WANTED[body.kind](body, caller)
    preview = counted(table, batch, now_epoch())
    batch = replace(batch, preview=preview, total=preview["messages"])
    batches.create(table, batch, now_epoch())
    return _started(batch)


@operation("POST", "/v1/batches/{job}/undo", "manage", status=202)
def undo_batch(job: PathId, caller: Calling) -> Response[JobView]:
    """Take back what a batch did, nothing else; asked again, the same undoing is answered."""
    table = storage().table
    batch = batches.get(table, caller.tenant, job)
    if batch.kind not in UNDOABLE:
        raise Conflict("not_undoable", "An undoing or a merge cannot be undone.")
    if not batch.undone_by and datetime.fromisoformat(batch.undo_until) <= now():
        raise Gone("undo_expired", "A batch can be undone for seven days.")
    wanted = replace(made(caller, UNDO, {"of": job}), total=batch.outcome.get("changed", 0))
    return _started(batches.start_undo(table, batch, wanted, now_epoch()))


def _started(batch: Batch) -> Response[JobView]:
    work_off(batch.tenant, batch.job_id)
    return answer(job_view(jobs.get(storage().table, batch.tenant, batch.job_id)), status=202)


def _contact(body: BatchBody, caller: Caller) -> Batch:
    return contact_batch(caller, required(body.contact, "/contact"), body.address, body.days)


def _account(body: BatchBody, caller: Caller) -> Batch:
    account, batch = account_batch(caller, required(body.account, "/account"), body.days)
    if not account.filing_enabled:
        raise Conflict("filing_off", "Switch automatic filing on first.", "/account")
    return batch


def _purge(body: BatchBody, caller: Caller) -> Batch:
    text = required(body.entry, "/entry")
    batch = purge_batch(caller, text)
    if not blocklist.is_blocked(storage().table, caller.tenant, parse_entry(text)):
        raise Conflict("not_blocked", "Put the entry on the blocklist first.", "/entry")
    return batch


def _window(body: BatchBody, caller: Caller) -> Batch:
    return window_batch(caller, required(body.since, "/since"), body.until, body.account)


_WANTED = {
    "backfill_contact": _contact,
    "backfill_account": _account,
    "purge_blocked": _purge,
    "reevaluate": _window,
}
