"""Jobs that open no mailbox: discovery, and revoking what a disconnected mailbox was granted."""

from collections.abc import Callable

from ablage.store import jobs
from ablage.store.jobs import Job
from sync.discovery import discover
from sync.tools import Tools


def run_discovery(tools: Tools, job: Job) -> None:
    place = tools.storage.table, job.tenant, job.job_id
    address = str((job.preview or {}).get("address", ""))
    try:
        found = discover(address, tools.resolve)
    except TimeoutError:
        jobs.fail(*place, "dns_unavailable", "DNS does not answer for this domain; try again.")
        return
    jobs.finish(*place, {"candidates": [dict(vars(candidate)) for candidate in found]})


PLAIN_JOBS: dict[str, Callable[[Tools, Job], None]] = {"discover": run_discovery}
