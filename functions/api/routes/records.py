"""Records: anything mail is filed at, under type and id of the caller's own system. Contacts and
customers are readable and writable here too."""

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

from ablage.messages import Entity
from ablage.record_bodies import RecordBody
from ablage.records import Record
from ablage.store import records
from ablage.store.storage import storage
from api import cursors, record_writes
from api.clock import now_epoch
from api.operations import operation
from api.record_writes import SourceVersionQuery, StaleView, Written
from api.routes.jobs import Archive, JobView
from api.schemas import Cursor, IfMatch, Limit, Page, PathId, PathType, answer
from api.tenant import Calling

RECORD = "/v1/records/{entity_type}/{entity_id}"


class ParentView(BaseModel):
    type: str
    id: str


class _RecordFields(BaseModel):
    type: str
    id: str
    label: str
    addresses: list[str]
    parents: list[ParentView]


class RecordView(Written, _RecordFields):
    """As it stands."""


@operation("GET", "/v1/records/{entity_type}", "read")
def list_records(
    entity_type: PathType, caller: Calling, limit: Limit = 25, cursor: Cursor = None
) -> Page[RecordView]:
    """Records of a type in the order of their ids."""
    after = cursors.RECORDS.decode(cursor)
    found, more = records.page_records(
        storage().table, caller.tenant, entity_type, after=after, limit=limit, now=now_epoch()
    )
    return Page(items=[_view(record) for record in found], next=cursors.RECORDS.encode(more))


@operation("PUT", RECORD, "manage")
def put_record(
    entity_type: PathType,
    entity_id: PathId,
    body: RecordBody,
    caller: Calling,
    if_match: IfMatch = None,
) -> Response[RecordView]:
    """Create or replace a record: a lead, a supplier, a quote. Lists then show label and link.

    Mail of its addresses is filed at it and at each of its parents. An archived record's addresses
    file nothing new; it still gets the mail of records whose parent it is."""
    saved = record_writes.put_record(caller, Entity(entity_type, entity_id), body, if_match)
    view = _view(saved.record).model_copy(update=record_writes.told(caller, saved))
    return answer(view, status=201 if saved.created else 200, version=view.version)


@operation("GET", RECORD, "read")
def get_record(entity_type: PathType, entity_id: PathId, caller: Calling) -> Response[RecordView]:
    """One record. 410 with `merged_into` where a contact was merged into another."""
    entity = Entity(entity_type, entity_id)
    found = records.find_record(storage().table, caller.tenant, entity)
    return answer(_view(found), version=found.version)


@operation("DELETE", RECORD, "manage", status=204)
def delete_record(
    entity_type: PathType,
    entity_id: PathId,
    caller: Calling,
    *,
    archive: Archive = "keep",
    source_version: SourceVersionQuery = None,
    if_match: IfMatch = None,
) -> Response[JobView | StaleView | None]:
    """Delete a record: those that name it as parent leave it, no new filings.

    Its archive stays readable, or is taken apart by a job."""
    entity = Entity(entity_type, entity_id)
    return record_writes.delete_record(caller, entity, archive, source_version, if_match)


def _view(record: Record) -> RecordView:
    return RecordView(
        type=record.entity.kind,
        id=record.entity.entity_id,
        label=record.label,
        addresses=list(record.addresses),
        parents=[ParentView(type=p.kind, id=p.entity_id) for p in record.parents],
        **record_writes.written(record),
    )
