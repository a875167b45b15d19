"""Jobs that need the mail server: check a connection, list folders, sync named folders now."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ablage.accounts import Account, AccountState, Folder
from ablage.errors import AccountFault, NotFound
from ablage.mailbox.pull import Fetched
from ablage.mailbox.session import Session
from ablage.store import jobs
from ablage.store.accounts import get_account, get_state
from ablage.store.cursors import get_cursor
from ablage.store.jobs import Job
from ablage.tenancy import TenantId
from sync.account_state import faulty, healthy
from sync.fetch_folder import Place, as_time, since_of, store_mail
from sync.sync_account import MORE_SECONDS, Seen, chosen, save_state, session_of
from sync.tools import Tools
from sync.walk import Slice, Walk

ATTEMPTS = 5  # claims without progress before a job fails

Progress = dict[str, int]


def run_job(tools: Tools, tenant: TenantId, job_id: str) -> None:
    """Claim it and work on it for a slice. A fault of the mailbox ends a check with its code; a
    sync job is tried again unless the login is refused."""
    table = tools.storage.table
    job = jobs.claim(table, tenant, job_id, tools.epoch())
    if job is None:
        tools.summary.count("jobs_not_due")
        return
    tools.summary.count("jobs")
    try:
        seen = _seen(tools, job)
        _work(tools, job, seen)
    except NotFound as missing:
        jobs.fail(table, tenant, job_id, missing.code, missing.detail)


def _seen(tools: Tools, job: Job) -> Seen:
    """Raises NotFound `account_not_found`."""
    table = tools.storage.table
    account = get_account(table, job.tenant, job.account_id)
    if account is None or account.deleted:
        raise NotFound("account_not_found", "The account of this job is gone.")
    state = get_state(table, job.tenant, job.account_id)
    return Seen(account, state or AccountState())


def _work(tools: Tools, job: Job, seen: Seen) -> None:
    table = tools.storage.table
    try:
        with session_of(tools, seen.account) as session:
            folders = session.folders()
            save_state(tools, seen, healthy(seen.state, folders, tools.time()))
            if job.kind == "sync":
                SyncJob(tools, session, seen.account, folders, job).run()
            else:
                jobs.finish(table, job.tenant, job.job_id, _result(seen.account, folders))
    except AccountFault as fault:
        tools.summary.count(f"fault_{fault.code}")
        save_state(tools, seen, faulty(seen.state, fault, tools.time()))
        if _is_final(job, fault):
            jobs.fail(table, job.tenant, job.job_id, fault.code, fault.detail)


def _is_final(job: Job, fault: AccountFault) -> bool:
    """A check answers with what it found. A sync job stays claimed, so it is due again in 150 s."""
    is_refused = fault.state == "reauth_required"
    return job.kind != "sync" or is_refused or job.attempts >= ATTEMPTS


def _result(account: Account, folders: tuple[Folder, ...]) -> dict[str, Any]:
    synced = {folder.folder_id for folder in chosen(account, folders)}
    return {
        "folders": [
            {
                "id": folder.folder_id,
                "name": folder.name,
                "role": folder.role,
                "synced": folder.folder_id in synced,
            }
            for folder in folders
        ]
    }


@dataclass
class SyncJob:
    """Named folders, now, whatever their cursors say: a mail that was moved before it was filed is
    filed here. Each copy carries the job; one that is stored already is sent to match again, for
    match ticks off copies."""

    tools: Tools
    session: Session
    account: Account
    folders: tuple[Folder, ...]
    job: Job

    def run(self) -> None:
        """Raises AccountFault, NotFound `folder_not_found`."""
        table, job = self.tools.storage.table, self.job
        share = Slice(MORE_SECONDS, self.tools.slice_bytes, self.tools.clock)
        finished = all(self._folder(folder, share) for folder in self._wanted())
        if finished:
            jobs.mark_synced(table, self.job)
        else:
            jobs.yield_job(table, job.tenant, job.job_id, self.tools.epoch())

    def _wanted(self) -> list[Folder]:
        """As named, or the account's own; the finished ones left out."""
        known = {folder.folder_id: folder for folder in self.folders}
        if any(folder_id not in known for folder_id in self.job.folders):
            raise NotFound("folder_not_found", "A folder of this job is not in the mailbox.")
        named = [known[folder_id] for folder_id in dict.fromkeys(self.job.folders)]
        named = named or list(chosen(self.account, self.folders))
        return [f for f in named if not self.job.progress.get(f.folder_id, {}).get("finished")]

    def _folder(self, folder: Folder, share: Slice) -> bool:
        opened = self.session.examine(folder)
        before = self._progress(folder, self._key_uidvalidity(folder, opened.uidvalidity or 0))
        since = self._since()
        uids = self.session.new_uids(before["high"], since.date())
        walk = Walk(self.session, share, before["high"], since)
        copies = _Copies(
            self.tools, Place(self.account, folder, before["uidvalidity"], self.job.job_id)
        )

        def commit(*, finished: bool = False) -> None:
            copies.send_again()
            after = before | {
                "high": walk.high,
                "count": before["count"] + copies.count,
                "failed": before["failed"] + len(walk.problems),
                "finished": int(finished),
            }
            self._save(folder, after)

        if not walk.run(uids, copies.store, commit):
            return False
        commit(finished=True)
        return True

    def _key_uidvalidity(self, folder: Folder, uidvalidity: int) -> int:
        """As polls store this folder's mails."""
        account = self.account
        place = self.tools.storage.table, account.tenant, account.account_id
        cursor = get_cursor(*place, folder.folder_id)
        is_read = cursor is not None and cursor.uidvalidity == uidvalidity
        return cursor.key_uidvalidity if cursor and is_read else uidvalidity

    def _progress(self, folder: Folder, uidvalidity: int) -> Progress:
        """Where an earlier slice stopped. A new UIDVALIDITY begins anew; copies counted before stay
        counted."""
        fresh = {"uidvalidity": uidvalidity, "high": 0, "count": 0, "failed": 0, "finished": 0}
        known = self.job.progress.get(folder.folder_id, fresh)
        return known if known["uidvalidity"] == uidvalidity else fresh | {"count": known["count"]}

    def _since(self) -> datetime:
        if self.job.since:
            return as_time(self.job.since)
        return since_of(self.account, self.tools.time())

    def _save(self, folder: Folder, progress: Progress) -> None:
        """The sums are computed from all folders each time: a repeat changes nothing."""
        all_progress = self.job.progress | {folder.folder_id: progress}
        self.job = replace(
            self.job,
            progress=all_progress,
            total=sum(each["count"] for each in all_progress.values()),
            failed=sum(each["failed"] for each in all_progress.values()),
        )
        jobs.save_progress(self.tools.storage.table, self.job)


class _Copies:
    """Stores copies for a job and counts them, stored now or before."""

    def __init__(self, tools: Tools, place: Place) -> None:
        self._tools = tools
        self._place = place
        self._again: list[dict[str, Any]] = []
        self.count = 0

    def store(self, mail: Fetched) -> None:
        if not store_mail(self._tools, self._place, mail):
            key = self._place.key(mail.uid).text
            self._again.append({"match": {"key": key, "job": self._place.job}})
        self.count += 1

    def send_again(self) -> None:
        """No event comes for an object that was there: match is told here, before the progress is
        saved."""
        self._tools.storage.queues.match_batch(self._again)
        self._again.clear()
