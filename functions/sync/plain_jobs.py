"""Jobs that open no mailbox: discovery, and revoking what a disconnected mailbox was granted."""

from collections.abc import Callable

from ablage.errors import AccountFault
from ablage.store import jobs
from ablage.store.grants import Grants
from ablage.store.jobs import Job
from sync.discovery import discover
from sync.tools import Tools

REVOCATIONS = 20  # tries: five days
FIRST_WAIT = 75  # seconds
LONGEST_WAIT = 6 * 3600


def run_discovery(tools: Tools, job: Job) -> None:
    place = tools.storage.table, job.tenant, job.job_id
    address = str((job.preview or {}).get("address", ""))
    try:
        found = discover(address, tools.resolve)
    except TimeoutError:
        jobs.fail(*place, "dns_unavailable", "DNS does not answer for this domain; try again.")
        return
    jobs.finish(*place, {"candidates": [dict(vars(candidate)) for candidate in found]})


def run_revocation(tools: Tools, job: Job) -> None:
    """Until the provider says that access is over, less and less often; then, or after days, the
    token is forgotten."""
    place = tools.storage.table, job.tenant, job.job_id
    provider = str((job.preview or {}).get("provider", ""))
    try:
        is_over = tools.access.revoked(job.tenant, job.account_id, provider)
    except AccountFault:  # what does not open cannot be revoked, and opens nothing
        is_over = True
    if is_over:
        jobs.finish(*place, {"revoked": True})
    elif job.attempts < REVOCATIONS:
        wait = min(FIRST_WAIT * 2**job.attempts, LONGEST_WAIT)
        jobs.yield_job(*place, tools.epoch() + wait)
    else:
        Grants(tools.storage.table, job.tenant, job.account_id).forget_revoked()
        detail = "The provider did not answer for days; end the access in its account settings."
        jobs.fail(*place, "not_revoked", detail)


PLAIN_JOBS: dict[str, Callable[[Tools, Job], None]] = {
    "discover": run_discovery,
    "revoke": run_revocation,
}
