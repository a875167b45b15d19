"""Imports: a file of records, a JSON object a line, uploaded by a signed link and worked off as a
job."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from ablage import limits, tenancy
from ablage.errors import Conflict, InvalidInput, NotFound
from ablage.imports import AWAITING, IMPORT, ImportPlan, Mode
from ablage.records import ItemsOf
from ablage.store import batches, jobs
from ablage.store.import_files import MEDIA_TYPE, UPLOAD_SECONDS, ImportFiles
from ablage.store.storage import storage
from api.batch_requests import made
from api.clock import now, now_epoch, utc_text
from api.operations import operation
from api.routes.jobs import JobView, job_view, work_off
from api.schemas import Body, PathId, answer
from api.tenant import Caller, Calling


class ImportBody(Body):
    type: ItemsOf
    mode: Mode = Field("upsert", description="`snapshot` also deletes what the file does not name.")
    entity_type: Annotated[StrictStr, Field(max_length=32)] | None = Field(
        None, description="Of records: the type of all lines; a snapshot needs it."
    )
    confirm: StrictBool = Field(
        default=False, description="A snapshot may delete more than one in ten."
    )
    size: Annotated[StrictInt, Field(ge=0, le=limits.IMPORT_BYTES)] = Field(
        description="Bytes of the file."
    )


class UploadView(BaseModel):
    method: str = "PUT"
    url: str
    headers: dict[str, str] = Field(description="To be sent with the file, as they are.")
    expires_at: str


class ImportView(JobView):
    upload: UploadView


@operation("POST", "/v1/imports", "manage", status=202)
def create_import(body: ImportBody, caller: Calling) -> Response[ImportView]:
    """Begin an import: upload the file to the link, then start it.

    A line has the fields of the single PUT, and `id`, for records `type`; or `id` and `delete`:
    true. Earlier mail of new addresses is not filed by itself: when it is done, file it all in one
    step with POST /v1/batches, kind `reevaluate`."""
    plan = ImportPlan(body.type, body.mode, body.size, _kind(body), body.confirm)
    batch = replace(made(caller, IMPORT, plan.arguments()), state=AWAITING)
    batches.create_waiting(storage().table, batch, now_epoch())
    link = ImportFiles(storage().archive, caller.tenant, batch.job_id).upload_link(body.size)
    upload = UploadView(
        url=link,
        headers={"Content-Type": MEDIA_TYPE, "Content-Length": str(body.size)},
        expires_at=utc_text(now() + timedelta(seconds=UPLOAD_SECONDS)),
    )
    view = job_view(jobs.get(storage().table, caller.tenant, batch.job_id))
    return answer(ImportView(**view.model_dump(), upload=upload), status=202)


@operation("POST", "/v1/imports/{job}/start", "manage", status=202)
def start_import(job: PathId, caller: Calling) -> Response[JobView]:
    """Apply what was uploaded. Started again, the same job is answered.

    The result of each line is at the job's `result_url` when it is done."""
    _start(job, caller)
    work_off(caller.tenant, job)
    return answer(job_view(jobs.get(storage().table, caller.tenant, job)), status=202)


def _start(job: str, caller: Caller) -> None:
    table = storage().table
    batch = batches.get(table, caller.tenant, job)
    if batch.kind != IMPORT:
        raise NotFound("job_not_found", "There is no such import; jobs are kept for 30 days.")
    if batch.state != AWAITING:
        return
    plan = ImportPlan(**batch.arguments)
    found = ImportFiles(storage().archive, caller.tenant, job).uploaded()
    if found is None or found[0] != plan.size:
        detail = f"Upload the file of {plan.size} bytes first: PUT it to the link of the import."
        raise Conflict("not_uploaded", detail)
    started = replace(plan, etag=found[1])
    batches.start_waiting(table, batch, started.arguments(), now_epoch())


def _kind(body: ImportBody) -> str:
    """Raises InvalidInput `missing_field`, `invalid_entity`, `unknown_here`."""
    if body.type != "records" and body.entity_type is not None:
        detail = "Contacts and customers are one type each; leave it out."
        raise InvalidInput("unknown_here", detail, "/entity_type")
    if body.type == "records" and body.entity_type is None and body.mode == "snapshot":
        detail = "A snapshot of records is one of a single type; name it."
        raise InvalidInput("missing_field", detail, "/entity_type")
    if body.entity_type is None:
        return ""
    try:
        return tenancy.entity_type(body.entity_type)
    except InvalidInput as error:
        raise InvalidInput(error.code, error.detail, "/entity_type") from error
