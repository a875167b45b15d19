"""Exports: all mail filed at an entity as a zip file, made by a job."""

from dataclasses import asdict
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from pydantic import Field, StrictStr

from ablage import tenancy
from ablage.errors import InvalidInput
from ablage.exports import EXPORT, ExportPlan
from ablage.store import batches, jobs, rates
from ablage.store.rates import Rate
from ablage.store.storage import storage
from api.batch_requests import made
from api.clock import now_epoch, utc_text
from api.operations import operation
from api.routes.jobs import JobView, job_view, work_off
from api.schemas import Body, Moment, answer
from api.tenant import Calling
from api.visibility import viewer

EXPORTS = Rate(200, 86400)  # of a tenant: each may read gigabytes


class ExportBody(Body):
    entity_type: Annotated[StrictStr, Field(max_length=32)]
    entity_id: Annotated[StrictStr, Field(max_length=128)]
    since: Moment | None = Field(None, description="sort_time from here on.")
    until: Moment | None = Field(None, description="sort_time before this.")


@operation("POST", "/v1/exports", "read", status=202)
def export_archive(body: ExportBody, caller: Calling) -> Response[JobView]:
    """Make a zip file of what is filed at an entity, as far as you may read it.

    It holds each mail as an .eml file, SHA256SUMS for them, and manifest.jsonl: a line a mail with
    its ids, and who filed it when and why. When the job is done its `result_url` is a link to it,
    valid for a minute, for three days. The job is yours alone. 429 beyond 200 a day."""
    plan = _plan(body, caller)
    table, now = storage().table, now_epoch()
    rates.count(table, caller.tenant, "export", EXPORTS, now)
    batch = made(caller, EXPORT, asdict(plan))
    batches.create(table, batch, now)
    work_off(caller.tenant, batch.job_id)
    return answer(job_view(jobs.get(table, caller.tenant, batch.job_id)), status=202)


def _plan(body: ExportBody, caller: Calling) -> ExportPlan:
    """Raises InvalidInput `invalid_entity`, `empty_window`."""
    for name, check in (("entity_type", tenancy.entity_type), ("entity_id", tenancy.entity_id)):
        try:
            check(getattr(body, name))
        except InvalidInput as error:
            raise InvalidInput(error.code, error.detail, f"/{name}") from error
    if body.since and body.until and body.until <= body.since:
        raise InvalidInput("empty_window", "`until` lies after `since`.", "/until")
    asking = viewer(caller)
    return ExportPlan(
        entity_type=body.entity_type,
        entity_id=body.entity_id,
        since=utc_text(body.since) if body.since else "",
        until=utc_text(body.until) if body.until else "",
        subject=asking.subject,
        all_mailboxes=asking.all_mailboxes,
    )
