"""Jobs that need the mail server: check a connection, list folders, sync named folders now."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ablage.accounts import NEVER, Account, AccountState, Folder
from ablage.errors import AccountFault, InvalidInput, NotFound
from ablage.faults import row_of
from ablage.folder_modes import check_mode, polled
from ablage.mailbox.listing import FolderStatus
from ablage.mailbox.opening import Search
from ablage.mailbox.pull import Fetched
from ablage.mailbox.session import Session
from ablage.mailbox.status import Listed
from ablage.store import day_bytes, jobs
from ablage.store.accounts import get_account, get_state
from ablage.store.cursors import PROBLEM_TRIES
from ablage.store.jobs import Job
from ablage.tenancy import TenantId
from sync.account_state import backfill_waits_until, faulty, healthy, watched
from sync.day_budget import DAY_BYTES_USED, bytes_left, tomorrow
from sync.fetch_folder import Place, as_time, deposit_in, since_of
from sync.folder_run import FolderRun
from sync.follow import key_uidvalidity, remembering
from sync.kept import Kept
from sync.labels import Labels, labels_of
from sync.ledger import write_run
from sync.plain_jobs import PLAIN_JOBS
from sync.sync_account import MORE_SECONDS, Seen, in_session, keep_pace, save_state
from sync.tools import Tools
from sync.uploads import Settled
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
    if job.kind in PLAIN_JOBS:
        PLAIN_JOBS[job.kind](tools, job)
        return
    try:
        seen = _seen(tools, job)
        if not _waits(tools, job, seen):
            _work(tools, job, seen)
    except (NotFound, InvalidInput) as refused:
        jobs.fail(table, tenant, job_id, refused.code, refused.detail)


def _seen(tools: Tools, job: Job) -> Seen:
    """Raises NotFound `account_not_found`."""
    table = tools.storage.table
    account = get_account(table, job.tenant, job.account_id)
    if account is None or account.deleted:
        raise NotFound("account_not_found", "The account of this job is gone.")
    state = get_state(table, job.tenant, job.account_id)
    return Seen(account, state or AccountState())


def _waits(tools: Tools, job: Job, seen: Seen) -> bool:
    """A check is tried at once, for a person asks. A sync waits as leftover work does, and for
    another day where this one's bytes are used; it fails where only another login helps."""
    if job.kind != "sync":
        return False
    place = tools.storage.table, job.tenant, job.job_id
    until = backfill_waits_until(seen.state, seen.account)
    if until >= NEVER:
        jobs.fail(*place, *_fault_of(seen.state))
    elif until > tools.now():
        jobs.yield_job(*place, until, row_of(seen.state.code or "over_quota").code)
    elif _bytes_left(tools, seen.account) <= 0:
        tools.summary.count(DAY_BYTES_USED)
        jobs.yield_job(*place, tomorrow(tools), DAY_BYTES_USED)
    else:
        return False
    return True


def _bytes_left(tools: Tools, account: Account) -> int:
    """What is kept for new mail is for whoever asks, too."""
    table = tools.storage.table
    used = day_bytes.get(table, account.tenant, account.account_id, tools.day())
    return bytes_left(account, used, keeps_reserve=False)


def _fault_of(state: AccountState) -> tuple[str, str]:
    """What keeps it from being tried."""
    row = row_of(state.code or "login_refused")
    return row.code, row.detail


def _work(tools: Tools, job: Job, seen: Seen) -> None:
    syncing = SyncJob(tools, seen.account, job)
    try:
        in_session(tools, seen, lambda session: _work_in(session, seen, syncing))
    except AccountFault as fault:
        tools.summary.count(f"fault_{fault.code}")
        state = faulty(seen.state, seen.account, fault, tools.time(), tools.jitter())
        save_state(tools, seen, state)
        if _is_final(syncing.job, fault):
            place = tools.storage.table, job.tenant, job.job_id
            jobs.fail(*place, fault.code, fault.detail)


def _work_in(session: Session, seen: Seen, syncing: "SyncJob") -> None:
    tools, job = syncing.tools, syncing.job
    keep_pace(tools, seen, session)
    state = _listed(tools, seen, session)
    is_asked = job.kind == "sync" and not job.progress
    save_state(tools, seen, watched(state, tools.time()) if is_asked else state)
    if job.kind == "sync":
        syncing.run(session, state)
    else:
        table = tools.storage.table
        jobs.finish(table, job.tenant, job.job_id, _result(seen.account, state))


def _is_final(job: Job, fault: AccountFault) -> bool:
    """A check answers with what it found. A sync job stays claimed, so it is due again in 150 s,
    unless somebody must change something first."""
    is_for_people = row_of(fault.code).kind in ("auth", "config")
    return job.kind != "sync" or is_for_people or job.attempts >= ATTEMPTS


def _listed(tools: Tools, seen: Seen, session: Session) -> AccountState:
    folders = remembering(session.folders(), seen.state.folders)
    known = replace(seen.state, gmail=session.is_gmail)
    return healthy(known, folders, tools.time())


def _result(account: Account, state: AccountState) -> dict[str, Any]:
    synced = polled(account, state)
    return {
        "folders": [
            {
                "id": folder.folder_id,
                "name": folder.name,
                "role": folder.role,
                "synced": folder in synced,
            }
            for folder in state.folders
        ]
    }


@dataclass
class SyncJob:
    """Named folders, now, whatever their cursors say: a mail that was moved before it was filed is
    filed here. Each copy carries the job; one that is stored already is sent to match again, for
    match ticks off copies. `job` is as it was saved last."""

    tools: Tools
    account: Account
    job: Job

    def run(self, session: Session, state: AccountState) -> None:
        """Raises AccountFault, NotFound `folder_not_found`, `folder_missing`, InvalidInput
        `folder_never_synced`."""
        table, job = self.tools.storage.table, self.job
        with self._share() as share:
            finished = all(
                self._folder(
                    session, folder, share, labels_of(self.tools, self.account, state, folder)
                )
                for folder in self._wanted(state)
            )
        if finished:
            jobs.mark_synced(table, self.job)
        else:
            jobs.yield_job(table, job.tenant, job.job_id, self.tools.epoch())

    @contextmanager
    def _share(self) -> Iterator[Slice]:
        """Of this worker and of the account's day, to which it counts whatever happens."""
        tools, account = self.tools, self.account
        share = tools.share(MORE_SECONDS)
        share.bytes_left = before = min(share.bytes_left, _bytes_left(tools, account))
        try:
            yield share
        finally:
            if spent := before - share.bytes_left:
                place = tools.storage.table, account.tenant, account.account_id
                day_bytes.add(*place, tools.day(), spent)

    def _wanted(self, state: AccountState) -> list[Folder]:
        """As named, or the account's own; the finished ones left out."""
        known = {folder.folder_id: folder for folder in state.folders}
        if any(folder_id not in known for folder_id in self.job.folders):
            raise NotFound("folder_not_found", "A folder of this job is not in the mailbox.")
        named = [known[folder_id] for folder_id in dict.fromkeys(self.job.folders)]
        for folder in named:
            check_mode(self.account, state, folder)
        named = named or list(polled(self.account, state))
        return [f for f in named if not self.job.progress.get(f.folder_id, {}).get("finished")]

    def _folder(
        self, session: Session, folder: Folder, share: Slice, labels: Labels | None
    ) -> bool:
        since = self._since()
        opened = _examined(session, folder, Search(self._begin(folder), since.date()))
        before = self._progress(folder, key_uidvalidity(self.tools, self.account, folder, opened))
        uids = session.new_uids(before["high"], since.date())
        place = Place(self.account, folder, before["uidvalidity"], self.job.job_id, labels)
        copies = _Copies(self.tools, session, place, uids)
        ran = FolderRun(folder.folder_id, before["uidvalidity"])
        walk = Walk(
            *(session, share, copies, ran, before["high"]),
            since=since,
            alone=before["stuck"],
            sift=copies.sift,
            is_kept=labels is None,
        )

        def commit(*, finished: bool = False) -> None:
            copies.send_again()
            after = _after(before, walk, copies) | {"finished": int(finished)}
            self._save(folder, after, gets_on=finished or walk.edge > before["high"])

        try:
            if not walk.run(uids, commit):
                return False
            commit(finished=True)
        finally:
            write_run(self.tools, self.account, ran, self.job.job_id)
        return True

    def _begin(self, folder: Folder) -> int:
        """The UID to go on behind, if UIDVALIDITY is what it was."""
        known = self.job.progress.get(folder.folder_id, {})
        return self._progress(folder, known.get("uidvalidity", 0))["high"]

    def _progress(self, folder: Folder, uidvalidity: int) -> Progress:
        """Where an earlier slice stopped, beyond a mail at which three sessions broke. A new
        UIDVALIDITY begins anew; copies counted before stay counted."""
        fresh = dict.fromkeys(("high", "count", "failed", "finished", "stuck", "stuck_tries"), 0)
        fresh["uidvalidity"] = uidvalidity
        known = fresh | self.job.progress.get(folder.folder_id, {})
        if known["uidvalidity"] != uidvalidity:
            return fresh | {"count": known["count"]}
        if known["stuck_tries"] < PROBLEM_TRIES:
            return known
        passed = {"high": known["stuck"], "failed": known["failed"] + 1}
        return known | passed | {"stuck": 0, "stuck_tries": 0}

    def _since(self) -> datetime:
        if self.job.since:
            return as_time(self.job.since)
        return since_of(self.account, self.tools.time())

    def _save(self, folder: Folder, progress: Progress, *, gets_on: bool) -> None:
        """The sums are computed from all folders each time: a repeat changes nothing. A job that
        gets on has all its attempts before it."""
        all_progress = self.job.progress | {folder.folder_id: progress}
        self.job = replace(
            self.job,
            progress=all_progress,
            total=sum(each["count"] for each in all_progress.values()),
            failed=sum(each["failed"] for each in all_progress.values()),
            attempts=0 if gets_on else self.job.attempts,
        )
        jobs.save_progress(self.tools.storage.table, self.job)


def _examined(session: Session, folder: Folder, ahead: Search) -> FolderStatus:
    """A folder that cannot be opened is this job's failure, not the account's state."""
    try:
        return session.examine(folder, ahead)
    except AccountFault as fault:
        if fault.code != "folder_missing":
            raise
        raise NotFound(fault.code, fault.detail) from None


def _after(before: Progress, walk: Walk, copies: "_Copies") -> Progress:
    """What lies beyond `high` is met again, and counted then."""
    problems = [problem for problem in walk.problems if problem.uid <= walk.edge]
    after = before | {
        "high": walk.edge,
        "count": before["count"] + copies.counted(walk.edge),
        "failed": before["failed"] + len(problems),
    }
    if walk.broken_at:
        tries = before["stuck_tries"] + 1 if walk.broken_at == before["stuck"] else 1
        return after | {"stuck": walk.broken_at, "stuck_tries": tries}
    return after | ({"stuck": 0, "stuck_tries": 0} if walk.edge >= before["stuck"] else {})


class _Copies:
    """Deposits copies for a job and counts them, stored now or before."""

    def __init__(self, tools: Tools, session: Session, place: Place, uids: Sequence[int]) -> None:
        self._tools = tools
        self._place = place
        self._deposit = deposit_in(tools, session, place)
        raw, submit = tools.storage.raw, tools.uploads.submit
        kept = place.labels or Kept(raw, place.key, uids, submit, looks_on=True)
        self._known: Callable[[list[Listed]], set[int]] = kept.known
        self._again: list[dict[str, Any]] = []
        self._ahead: set[int] = set()
        self._counted = 0

    def sift(self, listed: list[Listed]) -> list[Listed]:
        """Those to be downloaded; of a Gmail mailbox some are stored under another folder."""
        labels = self._place.labels
        wanted = labels.wanted(listed) if labels else listed
        known = self._known(wanted)
        for uid in known:
            self._meet_again(uid)
        return [mail for mail in wanted if mail.uid not in known]

    @property
    def underway(self) -> int:
        return self._deposit.underway

    @property
    def unsent(self) -> int:
        return self._deposit.unsent

    def put(self, mail: Fetched) -> None:
        self._deposit.put(mail)

    def settled(self, *, wait: bool = False) -> list[Settled]:
        settled = self._deposit.settled(wait=wait)
        for mail in settled:
            self._tools.summary.count("stored" if mail.is_new else "already_stored")
            if mail.is_new:
                self._ahead.add(mail.uid)
            else:
                self._meet_again(mail.uid)
        return settled

    def abandon(self) -> None:
        self._deposit.abandon()

    def _meet_again(self, uid: int) -> None:
        key = self._place.key(uid).text
        self._again.append({"match": {"key": key, "job": self._place.job}})
        self._ahead.add(uid)

    def counted(self, high: int) -> int:
        """How many there are up to `high`."""
        reached = {uid for uid in self._ahead if uid <= high}
        self._ahead -= reached
        self._counted += len(reached)
        return self._counted

    def send_again(self) -> None:
        """No event comes for an object that was there: match is told here, before the progress is
        saved."""
        if self._place.labels:
            self._place.labels.remember()
        self._tools.storage.queues.match_batch(self._again)
        self._again.clear()
