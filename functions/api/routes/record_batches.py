"""Many records in one call: up to a hundred put and deleted, each as its single call would be."""

import time
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ablage import limits
from ablage.record_bodies import ItemsOf
from ablage.store.record_items import Outcome, apply_item
from ablage.store.storage import storage
from api.clock import now_epoch
from api.operations import operation
from api.schemas import Body, Warning_
from api.tenant import Caller, Calling, SecondsLeft
from api.warnings import entity_warnings

_STATUS_NOT_DONE = 503


class ItemsBody(Body):
    items: Annotated[
        list[dict[str, Any]],
        Field(
            min_length=1,
            max_length=limits.RECORDS_PER_BATCH,
            description="Each has the fields of the single PUT, and `id`, for records `type`; or "
            "`id` and `delete`: true, with `archive` and `source_version`. Applied in their order.",
            examples=[
                [{"id": "c-1", "addresses": ["max@kunde.de"]}, {"id": "c-2", "delete": True}]
            ],
        ),
    ]


class ItemResult(BaseModel):
    type: str | None = None
    id: str | None = None
    status: int = Field(description="As the single call would answer; 503 where not done.")
    outcome: str | None = Field(
        None, description="created, updated, unchanged, stale, deleted; null where refused."
    )
    version: int | None = None
    job: str | None = Field(
        None, description="The job that files earlier mail, or takes an archive apart."
    )
    code: str | None = Field(None, description="Why not; `not_done`: there was no time for it.")
    detail: str | None = None
    pointer: str | None = Field(None, description="Into the request.")
    warnings: list[Warning_] = []


class ItemResults(BaseModel):
    items: list[ItemResult] = Field(description="One each, in the order of the request.")


@operation("POST", "/v1/contacts/batch", "manage", body_bytes=limits.RECORDS_BODY_BYTES)
def write_contacts(body: ItemsBody, caller: Calling, seconds: SecondsLeft) -> ItemResults:
    """Put and delete up to a hundred contacts. Each counts alone; none is half done.

    Where time runs out the rest answers `not_done`: send it all again, which changes nothing that
    is done."""
    return _results("contacts", body, caller, seconds)


@operation("POST", "/v1/customers/batch", "manage", body_bytes=limits.RECORDS_BODY_BYTES)
def write_customers(body: ItemsBody, caller: Calling, seconds: SecondsLeft) -> ItemResults:
    """Put and delete up to a hundred customers, as contacts."""
    return _results("customers", body, caller, seconds)


@operation("POST", "/v1/records/batch", "manage", body_bytes=limits.RECORDS_BODY_BYTES)
def write_records(body: ItemsBody, caller: Calling, seconds: SecondsLeft) -> ItemResults:
    """Put and delete up to a hundred records of any types, as contacts."""
    return _results("records", body, caller, seconds)


def _results(of: ItemsOf, body: ItemsBody, caller: Caller, seconds: float) -> ItemResults:
    ends = time.monotonic() + seconds
    results: list[ItemResult] = []
    for number, raw in enumerate(body.items):
        if time.monotonic() >= ends:
            results += [_not_done(of, item) for item in body.items[number:]]
            break
        outcome = apply_item(storage(), caller.tenant, of, raw, now_epoch(), by=caller.subject)
        results.append(_result(caller, outcome, f"/items/{number}"))
    _work_off(caller, results)
    return ItemResults(items=results)


def _result(caller: Caller, outcome: Outcome, place: str) -> ItemResult:
    entity, record = outcome.entity, outcome.record
    warnings = (
        entity_warnings(storage().table, caller.tenant, entity.kind, entity.entity_id, record.keys)
        if entity and record
        else []
    )
    return ItemResult(
        type=entity.kind if entity else None,
        id=entity.entity_id if entity else None,
        status=outcome.status,
        outcome=None if outcome.code else outcome.word,
        version=record.version if record else None,
        job=outcome.job,
        code=outcome.code,
        detail=outcome.detail,
        pointer=None if outcome.pointer is None else place + outcome.pointer,
        warnings=warnings,
    )


def _not_done(of: ItemsOf, raw: dict[str, Any]) -> ItemResult:
    detail = "There was no time for it; send it again."
    known = {name: raw[name] for name in ("type", "id") if isinstance(raw.get(name), str)}
    if of != "records":
        known["type"] = of.removesuffix("s")
    return ItemResult(status=_STATUS_NOT_DONE, code="not_done", detail=detail, **known)


def _work_off(caller: Caller, results: Sequence[ItemResult]) -> None:
    """Their jobs begin at once; should a message be lost, dispatch finds them."""
    started = [result.job for result in results if result.job]
    storage().queues.match_batch(
        [{"batch": {"tenant": caller.tenant, "job": job}} for job in started]
    )
