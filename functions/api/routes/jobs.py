"""Long work: checks, and syncs of named folders. Asked for here, done by sync and match. Batches
are jobs too."""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field

from ablage.batches import KINDS
from ablage.exports import EXPORT
from ablage.faults import row_of
from ablage.imports import IMPORT
from ablage.store import accounts, batches, connections, jobs
from ablage.store.export_files import ExportFiles
from ablage.store.import_files import ImportFiles
from ablage.store.jobs import Job
from ablage.store.storage import storage
from ablage.tenancy import TenantId
from api.account_schemas import SyncBody
from api.clock import epoch_text, utc_text
from api.folders import check_may_sync
from api.job_start import start_job
from api.login_tries import count_check
from api.operations import operation
from api.schemas import PathId, answer
from api.tenant import Caller, Calling
from api.visibility import MANAGE, find_viewed_account, sees_all, viewer

Archive = Annotated[
    Literal["keep", "delete"], Query(description="Whether its archive stays readable.")
]


ENDED = frozenset({"done", "failed"})
DAY_BYTES_USED = (
    "As much of this mailbox was fetched today as its provider is asked for in a day; it goes on "
    "after midnight UTC."
)


class JobView(BaseModel):
    id: str
    kind: str = Field(
        description="check, folders, sync, discover, revoke, import, export, or a batch's kind."
    )
    account: str = Field(description="Empty for a discovery, or a batch over all accounts.")
    state: str = Field(
        description="queued, running, done, failed; a batch: undone, an import: awaiting_upload."
    )
    done: int
    total: int
    failed: int
    created_at: str
    result_url: str = Field(description="Where the result is read.")
    preview: dict[str, Any] | None = Field(
        None, description="What a batch or a discovery was to look at."
    )
    undo_until: str | None = Field(None, description="A batch can be undone until then.")
    undone_by: str | None = Field(None, description="The batch that undoes it.")
    result: dict[str, Any] | None = Field(
        description="Of a batch: messages changed and unchanged, and failures by code. Of an "
        "import: lines by what came of them; `warned` counts those with warnings."
    )
    code: str | None = Field(description="Why it failed.")
    detail: str | None = Field(description="Why it failed, or what it waits for, in words.")
    waits_for: str | None = Field(
        None,
        description="What it waits for before it goes on: `day_bytes_used` (as much as may be in a "
        "day was fetched of this mailbox), or the `status_code` of its account.",
    )
    waits_until: str | None = Field(None, description="It goes on then, or soon after.")


@operation("POST", "/v1/accounts/{account}/check", "manage", status=202)
def check_account(account: PathId, caller: Calling) -> Response[JobView]:
    """Try the connection and the login now.

    A user may ask five times an hour, a tenant twenty times a day (429, `Retry-After`).
    """
    connections.find_account(storage().table, caller.tenant, account)
    count_check(caller)
    return _answer(start_job(caller.tenant, "check", account))


@operation("POST", "/v1/accounts/{account}/sync", "file", status=202)
def sync_account(account: PathId, body: SyncBody, caller: Calling) -> Response[JobView]:
    """Sync folders now. The job is done when their mails are matched."""
    table = storage().table
    found = find_viewed_account(caller, account)
    check_may_sync(table, found, body.folders)
    folders = tuple(dict.fromkeys(body.folders))
    since = utc_text(body.since) if body.since else None
    return _answer(start_job(caller.tenant, "sync", account, since=since, folders=folders))


@operation("GET", "/v1/jobs/{job}", "read")
def get_job(job: PathId, caller: Calling) -> JobView:
    """How far a job is."""
    found = jobs.get(storage().table, caller.tenant, job)
    _check_may_see(caller, found)
    return job_view(found)


def _check_may_see(caller: Caller, job: Job) -> None:
    """A mailbox's jobs tell of its mail; who manages mailboxes starts some himself, and hears. An
    export is for whoever asked for it alone."""
    if job.kind == EXPORT:
        asked = batches.get(storage().table, caller.tenant, job.job_id)
        theirs = asked.by == caller.subject
        if not theirs or (asked.arguments["all_mailboxes"] and not sees_all(caller)):
            raise jobs.unknown()
    if job.account_id and MANAGE not in caller.scopes:
        known = accounts.get_account(storage().table, caller.tenant, job.account_id)
        if not viewer(caller).views(known):
            raise jobs.unknown()


def _answer(job: Job) -> Response[JobView]:
    return answer(job_view(job), status=202)


def work_off(tenant: TenantId, job_id: str) -> None:
    """A batch begins at once; should the message be lost, dispatch finds it by its due key."""
    storage().queues.match({"batch": {"tenant": tenant, "job": job_id}})


def deleted(tenant: TenantId, job_id: str | None) -> Response[Any]:
    """204, or 202 with the job that takes the archive apart."""
    if job_id is None:
        return Response(204)
    work_off(tenant, job_id)
    shown = job_view(jobs.get(storage().table, tenant, job_id))
    return Response(202, content_type="application/json", body=shown)


def job_view(job: Job) -> JobView:
    return JobView(
        id=job.job_id,
        kind=job.kind,
        account=job.account_id,
        state=job.shown_state,
        done=job.done,
        total=job.total,
        failed=job.failed,
        created_at=job.created_at,
        result_url=_result_url(job),
        preview=job.preview,
        undo_until=job.undo_until or None,
        undone_by=job.undone_by or None,
        result=job.result,
        code=job.code,
        **_waits(job),
    )


def _waits(job: Job) -> dict[str, Any]:
    """`detail` is of a job that failed, or of what it waits for."""
    if not job.waits_for or job.shown_state in ENDED:
        return {"detail": job.detail}
    words = DAY_BYTES_USED if job.waits_for == "day_bytes_used" else row_of(job.waits_for).detail
    waits = {"waits_for": job.waits_for, "waits_until": epoch_text(job.due_at)}
    return waits | {"detail": words}


def _own_url(job: Job) -> str:
    return f"/v1/jobs/{job.job_id}"


def _result_url(job: Job) -> str:
    """Of an import that is done a link to the results of its lines, of an export to its zip file,
    valid for a minute."""
    if job.kind == IMPORT and job.state == "done":
        return ImportFiles(storage().archive, job.tenant, job.job_id).results_link()
    if job.kind == EXPORT and job.state == "done":
        files = ExportFiles(storage().archive, job.tenant, job.job_id)
        return files.link(f"export-{job.job_id}.zip") if files.is_there() else _own_url(job)
    if job.kind in KINDS or not job.account_id:
        return _own_url(job)
    where = {"sync": "/messages", "folders": "/folders"}.get(job.kind, "")
    return f"/v1/accounts/{job.account_id}{where}"
