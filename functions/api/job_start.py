"""Jobs for sync: written, then sent."""

import secrets
from typing import Any

from ablage.store import jobs
from ablage.store.jobs import Job
from ablage.store.storage import storage
from ablage.tenancy import TenantId
from api.clock import now_epoch, now_text


def new_job_id() -> str:
    return f"job-{secrets.token_hex(10)}"


def start_job(tenant: TenantId, kind: str, account: str, **more: Any) -> Job:
    """Should the message be lost, dispatch finds the job by its due key."""
    job = Job(tenant, new_job_id(), kind, account, created_at=now_text(), **more)
    jobs.create(storage().table, job, now_epoch())
    send_job(job)
    return job


def send_job(job: Job) -> None:
    body = {"kind": "job", "tenant": job.tenant, "job": job.job_id}
    storage().queues.sync(job.tenant, body)
