"""New mail of one folder, under the account's lease: into the raw bucket, and then, and only then,
the cursor."""

from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from ablage.accounts import SYNC_DAYS_BACK, Account, Folder
from ablage.mailbox.pull import Fetched
from ablage.mailbox.session import Session
from ablage.mailbox.status import FolderStatus
from ablage.store.cursors import PROBLEM_TRIES, Cursor, Problem, get_cursor, move_cursor
from ablage.store.raw_mail import RawKey, RawMetadata
from sync.tools import Tools, rfc3339
from sync.walk import Slice, Walk


@dataclass(frozen=True)
class Place:
    """Where a copy comes from, and the job that asked for it."""

    account: Account
    folder: Folder
    uidvalidity: int
    job: str | None = None

    def key(self, uid: int) -> RawKey:
        account = self.account
        return RawKey(
            account.retention,
            account.tenant,
            account.account_id,
            self.folder.folder_id,
            self.uidvalidity,
            uid,
        )


def store_mail(tools: Tools, place: Place, mail: Fetched) -> bool:
    """Write once; False when it was there. A server without INTERNALDATE: the time it was
    fetched."""
    received_at = rfc3339(mail.received_at or tools.time())
    metadata = RawMetadata(received_at, mail.flags, place.folder.role, place.job)
    body = mail.body
    with nullcontext() if isinstance(body, bytes) else closing(body):
        stored = tools.storage.raw.put(place.key(mail.uid), body, metadata)
    tools.summary.count("stored" if stored else "already_stored")
    tools.summary.count("bytes", mail.size)
    return stored


def since_of(account: Account, now: datetime) -> datetime:
    """From when on mail is read: as the tenant set it, else 30 days before the account was made."""
    if account.sync_since:
        return as_time(account.sync_since)
    made = as_time(account.created_at) if account.created_at else now
    return made - timedelta(days=SYNC_DAYS_BACK)


def as_time(text: str) -> datetime:
    """RFC 3339, or a date alone (UTC midnight)."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@dataclass
class FolderFetch:
    """`fence` from the lease. `cursor` is what stands in the table, or the begin of a new one."""

    tools: Tools
    session: Session
    account: Account
    folder: Folder
    fence: int
    share: Slice

    def run(self) -> bool:
        """False when the share was used up before the end. Raises AccountFault, ConditionFailed
        (another worker)."""
        opened = self.session.examine(self.folder)
        self.cursor = self._cursor(opened)
        earlier = [problem for problem in self.cursor.problems if problem.is_open]
        finished = self._walk()
        if finished:
            self._finish(opened)
        if finished and earlier:
            self._try_again(earlier)
        return finished

    def _cursor(self, opened: FolderStatus) -> Cursor:
        """The stored one, or a new generation: first look, or a new UIDVALIDITY, which voids every
        UID."""
        known = get_cursor(
            self.tools.storage.table,
            self.account.tenant,
            self.account.account_id,
            self.folder.folder_id,
        )
        uidvalidity = opened.uidvalidity or 0
        if known and known.uidvalidity == uidvalidity:
            return known
        if known:
            self.tools.summary.count("uidvalidity_changed")
        return Cursor(
            self.folder.folder_id,
            uidvalidity,
            since=rfc3339(since_of(self.account, self.tools.time())),
            ceiling=self.session.last_uid() if opened.messages != 0 else 0,
            version=known.version if known else 0,
        )

    def _walk(self) -> bool:
        self._give_up_stuck()
        cursor = self.cursor
        since = as_time(cursor.since) if cursor.since else None
        uids = self.session.new_uids(cursor.high, _day(since))
        walk = Walk(self.session, self.share, cursor.high, since, alone=cursor.stuck)
        place = Place(self.account, self.folder, cursor.uidvalidity)

        def store(mail: Fetched) -> None:
            store_mail(self.tools, place, mail)

        return walk.run(uids, store, lambda: self._commit(walk))

    def _give_up_stuck(self) -> None:
        """Three sessions broke at one mail: it is recorded and passed over, the folder goes on."""
        cursor = self.cursor
        if cursor.stuck_tries >= PROBLEM_TRIES:
            problem = Problem(cursor.stuck, "connection_lost", PROBLEM_TRIES)
            passed = replace(cursor, high=cursor.stuck, stuck=0, stuck_tries=0)
            self.tools.summary.count("problems")
            self._move(passed.with_problems([problem]))

    def _commit(self, walk: Walk) -> None:
        moved = replace(self.cursor, high=walk.high).with_problems(walk.problems)
        if walk.broken_at:
            tries = self.cursor.stuck_tries + 1 if walk.broken_at == self.cursor.stuck else 1
            moved = replace(moved, stuck=walk.broken_at, stuck_tries=tries)
        elif walk.high >= self.cursor.stuck:
            moved = replace(moved, stuck=0, stuck_tries=0)
        self.tools.summary.count("problems", len(walk.problems))
        walk.problems.clear()
        if moved != self.cursor:
            self._move(moved)

    def _finish(self, opened: FolderStatus) -> None:
        """UIDNEXT as it was before the listing: what came meanwhile is seen at the next look."""
        cursor = self.cursor
        high = max(cursor.high, cursor.ceiling) if cursor.since else cursor.high
        done = replace(cursor, high=high, since=None, ceiling=0, uidnext_seen=opened.uidnext)
        if done != cursor or not cursor.version:
            self._move(done)

    def _try_again(self, again: list[Problem]) -> None:
        """The tries are written before the try: a mail that breaks the session each time is not
        tried for ever."""
        counted = [replace(problem, tries=problem.tries + 1) for problem in again]
        self._move(self.cursor.with_problems(counted))
        place = Place(self.account, self.folder, self.cursor.uidvalidity)
        listed = self.session.list_sizes([problem.uid for problem in again])
        solved = {problem.uid for problem in again} - {mail.uid for mail in listed}
        for result in self.session.pull(listed, self.share.is_over):
            if isinstance(result, Fetched):
                store_mail(self.tools, place, result)
                solved.add(result.uid)
        left = tuple(problem for problem in self.cursor.problems if problem.uid not in solved)
        if left != self.cursor.problems:
            self._move(replace(self.cursor, problems=left))

    def _move(self, cursor: Cursor) -> None:
        account = self.account
        self.cursor = move_cursor(
            self.tools.storage.table, account.tenant, account.account_id, cursor, self.fence
        )


def _day(at: datetime | None) -> date | None:
    return at.date() if at else None
