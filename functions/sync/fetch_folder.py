"""New mail of one folder, under the account's lease: into the raw bucket, and then, and only then,
the cursor."""

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from ablage.accounts import ALL_MAIL, SYNC_DAYS_BACK, Account, Folder
from ablage.errors import AccountFault
from ablage.mailbox.listing import FolderStatus
from ablage.mailbox.pull import Fetched, Missed, Result
from ablage.mailbox.session import Session
from ablage.mailbox.status import Listed
from ablage.store.cursors import PROBLEM_TRIES, Cursor, Problem, get_cursor, move_cursor
from ablage.store.raw_mail import RawKey, RawMetadata
from sync.labels import Labels
from sync.tools import Tools, rfc3339
from sync.walk import Slice, Walk

LEAP = 1000


@dataclass(frozen=True)
class Place:
    """Where a copy comes from, and the job that asked for it; in a Gmail mailbox what its labels
    say."""

    account: Account
    folder: Folder
    uidvalidity: int
    job: str | None = None
    labels: Labels | None = None

    def role(self, uid: int) -> str:
        return self.labels.role(uid) if self.labels else self.folder.role

    def key(self, uid: int) -> RawKey:
        account = self.account
        if self.labels and (key := self.labels.key(uid)):
            return key
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
    role, own = place.role(mail.uid), place.account.own
    metadata = RawMetadata(received_at, mail.flags, role, place.job, own=own)
    body = mail.body
    with nullcontext() if isinstance(body, bytes) else closing(body):
        stored = tools.storage.raw.put(place.key(mail.uid), body, metadata)
    tools.summary.count("stored" if stored else "already_stored")
    tools.summary.count("bytes", mail.size)
    if place.labels:
        place.labels.note(mail.uid)
    return stored


def sift(tools: Tools, labels: Labels | None, listed: list[Listed]) -> list[Listed]:
    """Those to be downloaded: of a Gmail mailbox not all are."""
    if labels is None:
        return listed
    wanted = labels.wanted(listed)
    known = labels.known(wanted)
    tools.summary.count("already_stored", len(known))
    return [mail for mail in wanted if mail.uid not in known]


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
    """`fence` from the lease; `told` is STATUS from before the folder was opened. `cursor` is what
    stands in the table, or the begin of a new one. `has_mail` once a body came: only then a mail
    that does not come is that mail's fault; `has_news` if one was no part of a first listing.
    `missing` mails were given a UID since the last look and are gone; `follow` looks for them
    elsewhere before this look counts as done."""

    tools: Tools
    session: Session
    account: Account
    folder: Folder
    fence: int
    share: Slice
    told: FolderStatus | None = None
    follow: Callable[[], bool] = lambda: True
    labels: Labels | None = None
    has_mail: bool = field(default=False, init=False)
    has_news: bool = field(default=False, init=False)
    missing: int = field(default=0, init=False)
    high_before: int = field(default=0, init=False)

    def run(self) -> bool:
        """False when the share was used up before the end. Raises AccountFault, ConditionFailed
        (another worker)."""
        opened = self.session.examine(self.folder)
        self.cursor = self._cursor(opened)
        if self.cursor.room <= 0:
            self._try_again(self.cursor.open_problems)
        earlier = self.cursor.open_problems
        finished = self._walk(opened) and self._follow()
        if finished:
            self._finish(opened)
        if finished and self.has_mail:
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
        is_same = known is not None and known.uidvalidity == uidvalidity
        if known and is_same and not self._is_restarted(known, opened):
            return known
        if known:
            self.tools.summary.count("uids_restarted" if is_same else "uidvalidity_changed")
        return Cursor(
            self.folder.folder_id,
            uidvalidity,
            since=rfc3339(since_of(self.account, self.tools.time())),
            ceiling=self.session.last_uid() if opened.messages != 0 else 0,
            version=known.version if known else 0,
            restarts=known.restarts + is_same if known else 0,
        )

    def _is_restarted(self, known: Cursor, opened: FolderStatus) -> bool:
        """UIDNEXT fell behind what we read, and no mail belies it: the next mails get UIDs that
        other mails had."""
        if opened.uidnext is None or opened.uidnext > known.high:
            return False
        return self.session.last_uid() < opened.uidnext

    def _follow(self) -> bool:
        """The folder is open again behind it."""
        if self.folder.folder_id == ALL_MAIL or not (self.missing or self._was_cut):
            return True
        self.tools.summary.count("moved_before_sync", self.missing)
        finished = self.follow()
        self.session.examine(self.folder)
        return finished

    @property
    def _was_cut(self) -> bool:
        """An earlier slice read on without looking elsewhere: nobody knows what it missed."""
        cursor = self.cursor
        return not cursor.since and 0 < (cursor.uidnext_seen or 0) <= self.high_before

    def _walk(self, opened: FolderStatus) -> bool:
        self._give_up_stuck()
        cursor = self.cursor
        since = as_time(cursor.since) if cursor.since else None
        uids = self.session.new_uids(cursor.high, _day(since))
        self.missing, self.high_before = missing(cursor, opened, uids), cursor.high
        walk = Walk(
            self.session, self.share, cursor.high, since, cursor.stuck, cursor.room, self._sift
        )
        finished = walk.run(uids, self._store, lambda: self._commit(walk))
        self.missing += 0 if cursor.since else walk.gone
        return finished

    def _sift(self, listed: list[Listed]) -> list[Listed]:
        return sift(self.tools, self.labels, listed)

    def _store(self, mail: Fetched) -> None:
        uidvalidity = self.cursor.key_uidvalidity
        place = Place(self.account, self.folder, uidvalidity, labels=self.labels)
        store_mail(self.tools, place, mail)
        self.has_mail = True
        self.has_news |= self.cursor.since is None

    def _give_up_stuck(self) -> None:
        """Three sessions broke at one mail: it is recorded and passed over, the folder goes on."""
        cursor = self.cursor
        if cursor.stuck_tries >= PROBLEM_TRIES and cursor.room > 0:
            problem = Problem(cursor.stuck, "connection_lost")
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
        """UIDNEXT as it was before the listing: what came meanwhile is seen at the next look. Some
        servers tell it in STATUS alone."""
        cursor = self.cursor
        uidnext = opened.uidnext
        if uidnext is None and self.told and self.told.uidvalidity == opened.uidvalidity:
            uidnext = self.told.uidnext
        high = max(cursor.high, cursor.ceiling) if cursor.since else cursor.high
        done = replace(cursor, high=high, since=None, ceiling=0, uidnext_seen=uidnext)
        if done != cursor or not cursor.version:
            self._move(done)

    def _try_again(self, again: Sequence[Problem]) -> None:
        """One by one, so that each counts its own tries. Raises AccountFault."""
        if not again or self.share.is_over():
            return
        found = self._sift(self.session.list_sizes(sorted(p.uid for p in again)))
        listed = {mail.uid: mail for mail in found}
        self._forget({problem.uid for problem in again} - listed.keys())
        for problem in again:
            if problem.uid in listed and not self.share.is_over():
                self._try_one(problem, listed[problem.uid])

    def _try_one(self, problem: Problem, mail: Listed) -> None:
        """The try is written before it is made: a mail that breaks the session each time is not
        tried for ever. It counts only while the server hands out other mail."""
        counted = replace(problem, tries=problem.tries + 1)
        is_counted = self.has_mail
        if is_counted:
            self._move(self.cursor.with_problems([counted]))
        try:
            results = list(self.session.pull([mail], lambda: False))
        except AccountFault as fault:
            if not is_counted and fault.code != "server_unavailable":
                self._move(self.cursor.with_problems([counted]))
            raise
        for result in results:
            if isinstance(result, Fetched):
                self._store(result)
                self.share.spend(result.size)
        self._settle(problem, results)

    def _settle(self, problem: Problem, results: Sequence[Result]) -> None:
        if any(isinstance(result, Fetched) or result.code == "gone" for result in results):
            self._forget({problem.uid})
        elif too_large := [r for r in results if isinstance(r, Missed) and r.code == "too_large"]:
            self._move(self.cursor.with_problems([replace(problem, code=too_large[0].code)]))

    def _forget(self, uids: set[int]) -> None:
        left = tuple(problem for problem in self.cursor.problems if problem.uid not in uids)
        if left != self.cursor.problems:
            self._move(replace(self.cursor, problems=left))

    def _move(self, cursor: Cursor) -> None:
        account = self.account
        if self.labels:
            self.labels.remember()
        self.cursor = move_cursor(
            self.tools.storage.table, account.tenant, account.account_id, cursor, self.fence
        )


def missing(cursor: Cursor, opened: FolderStatus, uids: Sequence[int]) -> int:
    """How many UIDs were given out since the last look and are not there. Of a first listing nobody
    knows; a leap of more than LEAP is how the server counts (web.de, GMX)."""
    if cursor.since or cursor.uidnext_seen is None or opened.uidnext is None:
        return 0
    first = max(cursor.uidnext_seen, cursor.high + 1)
    gap = opened.uidnext - first - sum(first <= uid < opened.uidnext for uid in uids)
    return gap if 0 < gap <= LEAP else 0


def _day(at: datetime | None) -> date | None:
    return at.date() if at else None
