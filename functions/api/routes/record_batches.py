"""Many records in one call: up to a hundred put and deleted, each as its single call would be."""

import time
from collections.abc import Sequence
from typing import Any

from ablage import limits
from ablage.records import ItemsOf
from ablage.store.record_items import Outcome, apply_item
from ablage.store.storage import storage
from api.clock import now_epoch
from api.item_schemas import ContactItems, CustomerItems, ItemResult, ItemResults, RecordItems
from api.operations import operation
from api.tenant import Caller, Calling, SecondsLeft
from api.warnings import entity_warnings

_STATUS_NOT_DONE = 503

Items = list[dict[str, Any]]


@operation("POST", "/v1/contacts/batch", "manage", body_bytes=limits.RECORDS_BODY_BYTES)
def write_contacts(body: ContactItems, caller: Calling, seconds: SecondsLeft) -> ItemResults:
    """Put and delete up to a hundred contacts. Each counts alone; none is half done.

    Where time runs out the rest answers `not_done`: send it all again, which changes nothing that
    is done."""
    return _results("contacts", body.items, caller, seconds)


@operation("POST", "/v1/customers/batch", "manage", body_bytes=limits.RECORDS_BODY_BYTES)
def write_customers(body: CustomerItems, caller: Calling, seconds: SecondsLeft) -> ItemResults:
    """Put and delete up to a hundred customers, as contacts."""
    return _results("customers", body.items, caller, seconds)


@operation("POST", "/v1/records/batch", "manage", body_bytes=limits.RECORDS_BODY_BYTES)
def write_records(body: RecordItems, caller: Calling, seconds: SecondsLeft) -> ItemResults:
    """Put and delete up to a hundred records of any types, as contacts."""
    return _results("records", body.items, caller, seconds)


def _results(of: ItemsOf, items: Items, caller: Caller, seconds: float) -> ItemResults:
    ends = time.monotonic() + seconds
    results: list[ItemResult] = []
    for number, raw in enumerate(items):
        if time.monotonic() >= ends:
            results += [_not_done(of, item) for item in items[number:]]
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
