"""What the routes of contacts, customers and records share: views, writing, deleting."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field

from ablage import source_versions
from ablage.messages import Entity
from ablage.record_bodies import RecordWriting
from ablage.records import Record
from ablage.store import record_writes
from ablage.store.record_writes import Saved
from ablage.store.storage import storage
from api.clock import now_epoch
from api.routes.jobs import JobView, deleted, work_off
from api.schemas import Warning_, check_version, expected_version
from api.tenant import Caller
from api.warnings import entity_warnings

SourceVersionQuery = Annotated[
    str | None,
    Query(
        description="As in the body of a PUT: a deletion that is not newer changes nothing. Also "
        "what is not there is then remembered as deleted, for 30 days."
    ),
]


class Written(BaseModel):
    """What every view of a record ends with."""

    url: str
    archived: bool
    source_version: int | str | None
    version: int
    backfill: str | None = Field(
        None, description="The job that files earlier mail of new addresses; it can be undone."
    )
    stale: bool = Field(
        False, description="Nothing was changed: what stands, and is shown, is as new or newer."
    )
    deleted: bool = Field(False, description="With `stale`: what is newer is its deletion.")
    warnings: list[Warning_] = []


class StaleView(BaseModel):
    """A deletion that came too late."""

    stale: bool = True


def put_record(caller: Caller, entity: Entity, body: RecordWriting, if_match: str | None) -> Saved:
    """Raises InvalidInput, PreconditionFailed, Merged, Conflict."""
    expected = expected_version(if_match)

    def check(standing: Record | None) -> None:
        check_version(standing.version if standing else 0, expected)

    wanted = body.record(caller.tenant, entity)
    saved = record_writes.save_record(storage(), wanted, check, caller.subject, shows=body.shows)
    if saved.backfill:
        work_off(caller.tenant, saved.backfill)
    return saved


def written(record: Record) -> dict[str, Any]:
    return {
        "url": record.url,
        "archived": record.archived,
        "source_version": source_versions.shown(record.source),
        "version": record.version,
    }


def told(caller: Caller, saved: Saved) -> dict[str, Any]:
    """What the answer to a write says besides."""
    table, entity = storage().table, saved.record.entity
    warnings = entity_warnings(
        table, caller.tenant, entity.kind, entity.entity_id, saved.record.keys
    )
    return {
        "warnings": warnings,
        "backfill": saved.backfill,
        "stale": saved.stale,
        "deleted": saved.deleted,
    }


def delete_record(
    caller: Caller, entity: Entity, archive: str, source_version: str | None, if_match: str | None
) -> Response[JobView | StaleView | None]:
    """204; 202 with the job that takes the archive apart; 200 where it came too late."""
    expected = expected_version(if_match)
    done = record_writes.delete_record(
        storage(),
        caller.tenant,
        entity,
        now_epoch(),
        with_archive=archive == "delete",
        by=caller.subject,
        source=source_versions.parse(source_version, "source_version"),
        check=lambda standing: check_version(standing, expected),
    )
    if done.stale:
        return Response(200, content_type="application/json", body=StaleView())
    return deleted(caller.tenant, done.archive)
