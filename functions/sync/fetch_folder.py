"""New mail of one folder, under the account's lease: into the raw bucket, and then, and only then,
the cursor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ablage.accounts import ALL_MAIL, SYNC_DAYS_BACK, Account, Folder
from ablage.mailbox.listing import FolderStatus
from ablage.mailbox.opening import LAST, Search
from ablage.mailbox.pull import Fetched
from ablage.mailbox.session import Session
from ablage.mailbox.status import Listed
from ablage.store.cursors import PROBLEM_TRIES, Cursor, Problem, get_cursor, move_cursor
from ablage.store.raw_mail import RawKey, RawMetadata
from sync.folder_run import FolderRun
from sync.kept import Kept
from sync.labels import Labels
from sync.problems import Problems
from sync.tools import Tools, rfc3339
from sync.uploads import Deposit
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


def deposit_in(tools: Tools, session: Session, place: Place, *, over: bool = False) -> Deposit:
    """A server without INTERNALDATE: the time the mail was fetched. `over`: as `RawMail.put`."""

    def describe(mail: Fetched) -> tuple[RawKey, RawMetadata]:
        received_at = rfc3339(mail.received_at or tools.time())
        role, own = place.role(mail.uid), place.account.own
        return place.key(mail.uid), RawMetadata(received_at, mail.flags, role, place.job, own=own)

    note = place.labels.note if place.labels else None
    return Deposit(tools.uploads, tools.storage.raw, session, describe, note=note, over=over)


def count_run(tools: Tools, ran: FolderRun) -> None:
    tools.summary.count("stored", ran.stored)
    tools.summary.count("already_stored", ran.already)
    tools.summary.count("bytes", ran.bytes)


def sift(labels: Labels | None, ran: FolderRun, listed: list[Listed]) -> list[Listed]:
    """Those to be downloaded: of a Gmail mailbox not all are."""
    if labels is None:
        return listed
    wanted = labels.wanted(listed)
    known = labels.known(wanted)
    ran.already += len(known)
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
    stands in the table, or the begin of a new one. A first import begins here, and goes on only
    where it `may_import`. `ran` tells afterwards what was done. Once a body came (`has_mail`), and
    only then, a mail that does not come is that mail's fault; `has_news` if one was no part of a
    first import. `missing` mails were given a UID since the last look and are gone; `follow` looks
    for them elsewhere before this look counts as done, and tells how many mails it found, None when
    it was cut off."""

    tools: Tools
    session: Session
    account: Account
    folder: Folder
    fence: int
    share: Slice
    told: FolderStatus | None = None
    follow: Callable[[], int | None] = lambda: 0
    labels: Labels | None = None
    may_import: bool = True
    has_mail: bool = field(default=False, init=False)
    has_news: bool = field(default=False, init=False)
    missing: int = field(default=0, init=False)
    top_before: int = field(default=0, init=False)
    ran: FolderRun = field(init=False)
    _is_begun: bool = field(default=True, init=False)  # the cursor's generation is in the table
    _is_empty: bool = field(default=False, init=False)

    def run(self) -> bool:
        """False when the share was used up before the end. Raises AccountFault, ConditionFailed
        (another worker)."""
        self.ran = FolderRun(self.folder.folder_id)
        try:
            return self._run()
        finally:
            count_run(self.tools, self.ran)

    def _run(self) -> bool:
        known = self._known()
        opened = self._opened(known)
        self.cursor = self._cursor(known, opened)
        self.ran.uidvalidity = self.cursor.key_uidvalidity
        problems = Problems(self)
        if self.cursor.room <= 0:
            problems.try_again(self.cursor.open_problems)
        earlier = self.cursor.problems
        self._give_up_stuck()
        finished = self._walk_up(opened) and self._walk_down()
        if finished and self.has_mail:
            problems.try_again(problems.due(earlier))
        if finished:
            problems.park()
        return finished

    def _known(self) -> Cursor | None:
        account = self.account
        place = self.tools.storage.table, account.tenant, account.account_id
        return get_cursor(*place, self.folder.folder_id)

    def _opened(self, known: Cursor | None) -> FolderStatus:
        """A folder that was never read and is told to be empty is not opened for it."""
        told = self.told
        if known is None and told and told.messages == 0 and told.uidvalidity and told.uidnext:
            self._is_empty = True
            return told
        return self.session.examine(self.folder, self._ahead(known))

    def _ahead(self, known: Cursor | None) -> Search:
        """What is searched for if the folder is what the cursor takes it for."""
        if known is None:
            return Search(0, as_time(self._since()).date(), beside=LAST)
        new = Search(known.search_above)
        if not (known.since and self.may_import):
            return new
        return Search(known.high, as_time(known.since).date(), beside=new)

    def _since(self) -> str:
        return rfc3339(since_of(self.account, self.tools.time()))

    def _cursor(self, known: Cursor | None, opened: FolderStatus) -> Cursor:
        """The known one, or a new generation: first look, or a new UIDVALIDITY, which voids every
        UID."""
        uidvalidity = opened.uidvalidity or 0
        is_same = known is not None and known.uidvalidity == uidvalidity
        if known and is_same and not self._is_restarted(known, opened):
            return known
        if known:
            self.tools.summary.count("uids_restarted" if is_same else "uidvalidity_changed")
        top = self.session.last_uid() if opened.messages != 0 else 0
        self.may_import, self._is_begun = True, False
        return Cursor(
            self.folder.folder_id,
            uidvalidity,
            since=self._since(),
            ceiling=top,
            low=top + 1,
            version=known.version if known else 0,
            restarts=known.restarts + is_same if known else 0,
        )

    def _is_restarted(self, known: Cursor, opened: FolderStatus) -> bool:
        """UIDNEXT fell behind what we read, and no mail belies it: the next mails get UIDs that
        other mails had."""
        if opened.uidnext is None or opened.uidnext > known.top:
            return False
        return self.session.last_uid() < opened.uidnext

    def _walk_up(self, opened: FolderStatus) -> bool:
        """New mail, and older that is shown only now. In the end UIDNEXT as it was before the
        listing: what came meanwhile is seen at the next look. Some servers tell it in STATUS
        alone."""
        cursor = self.cursor
        found = self.session.new_uids(cursor.search_above) if self._is_begun else []
        uids, late = [uid for uid in found if uid > cursor.top], cursor.late(found)
        self.missing, self.top_before = missing(cursor, opened, uids), cursor.top
        finished = self._walk_late(late)
        finished = finished and self._walk(uids, lambda cursor, edge: cursor.with_top(edge))
        self.has_news = self.has_mail
        self.missing += self.ran.gone
        if not finished or not self._follow():
            return False
        uidnext = opened.uidnext
        if uidnext is None and self.told and self.told.uidvalidity == opened.uidvalidity:
            uidnext = self.told.uidnext
        seen = replace(self.cursor.with_shown([*late, *uids]), uidnext_seen=uidnext)
        if self._is_begun:
            self.move(seen)
        else:
            self.cursor = seen  # written with what the import does first
        return True

    def _walk_late(self, late: Sequence[int]) -> bool:
        """The cursor passed them when they were not there. Not what is older than the account
        reads: it was there, and left out."""
        if not late:
            return True
        self.tools.summary.count("shown_late", len(late))
        since = since_of(self.account, self.tools.time())
        return self._walk(late, lambda cursor, _edge: cursor, since)

    def _follow(self) -> bool:
        """The folder is open again behind it."""
        if self.folder.folder_id == ALL_MAIL or not (self.missing or self._was_cut):
            return True
        found = self.follow()
        self.session.examine(self.folder)
        if found is None:
            return False
        self.tools.summary.count("moved_before_sync", self.missing)
        self.ran.moved_before_sync = max(self.missing - found, 0)
        self.has_news |= found > 0
        return True

    @property
    def _was_cut(self) -> bool:
        """An earlier slice read on without looking elsewhere: nobody knows what it missed."""
        cursor = self.cursor
        return 0 < (cursor.uidnext_seen or 0) <= self.top_before

    def _walk_down(self) -> bool:
        """The first import, newest first."""
        cursor = self.cursor
        if not cursor.since or not self.may_import:
            return True
        since = as_time(cursor.since)
        above, below = cursor.high, cursor.low
        found = [] if self._is_empty else self.session.new_uids(above, since.date())
        uids = [uid for uid in found if uid < below]
        if not cursor.recent:
            self.cursor = cursor.with_shown(uids)  # written with what the import does first
        if not self._walk(uids[::-1], lambda cursor, edge: replace(cursor, low=edge), since):
            return False
        self.move(self.cursor.imported())
        return True

    def _walk(
        self,
        uids: Sequence[int],
        moved: Callable[[Cursor, int], Cursor],
        since: datetime | None = None,
    ) -> bool:
        cursor = self.cursor
        walk = Walk(
            self.session,
            self.share,
            self.deposit(),
            self.ran,
            since=since,
            alone=cursor.stuck if cursor.stuck in uids else 0,
            room=cursor.room,
            passed=frozenset(problem.uid for problem in cursor.problems),
            sift=self._not_stored(uids) if self.labels is None else self._by_labels,
            is_kept=self.labels is None,
            aside=None if self.labels else self.tools.uploads.submit,
        )
        try:
            return walk.run(uids, lambda: self._commit(walk, moved))
        finally:
            self.has_mail |= walk.has_mail

    def _by_labels(self, listed: list[Listed]) -> list[Listed]:
        return sift(self.labels, self.ran, listed)

    def _not_stored(self, uids: Sequence[int]) -> Callable[[list[Listed]], list[Listed]]:
        kept = Kept(self.tools.storage.raw, self.place().key, uids, self.tools.uploads.submit)

        def sifted(listed: list[Listed]) -> list[Listed]:
            known = kept.known(listed)
            self.ran.already += len(known)
            return [mail for mail in listed if mail.uid not in known]

        return sifted

    def _give_up_stuck(self) -> None:
        """Three sessions broke at one mail: it is recorded and passed over, the folder goes on."""
        cursor = self.cursor
        if cursor.stuck_tries >= PROBLEM_TRIES and cursor.room > 0:
            problem = Problem(cursor.stuck, "connection_lost")
            self.tools.summary.count("problems")
            self.move(replace(cursor, stuck=0, stuck_tries=0).with_problems([problem]))

    def _commit(self, walk: Walk, moved: Callable[[Cursor, int], Cursor]) -> None:
        edge = walk.edge  # first: the walk goes on, and notes a problem before it passes it
        problems = tuple(walk.problems)
        cursor = self.cursor.with_problems(problems)
        if edge:
            cursor = moved(cursor, edge)
        if walk.broken_at:
            tries = cursor.stuck_tries + 1 if walk.broken_at == cursor.stuck else 1
            cursor = replace(cursor, stuck=walk.broken_at, stuck_tries=tries)
        elif walk.is_alone_done:
            cursor = replace(cursor, stuck=0, stuck_tries=0)
        self.tools.summary.count("problems", len(problems))
        del walk.problems[: len(problems)]
        self.move(cursor)

    def listed(self, uids: Sequence[int]) -> list[Listed]:
        return sift(self.labels, self.ran, self.session.list_sizes(uids))

    def place(self) -> Place:
        return Place(self.account, self.folder, self.cursor.key_uidvalidity, labels=self.labels)

    def deposit(self, *, over: bool = False) -> Deposit:
        return deposit_in(self.tools, self.session, self.place(), over=over)

    def move(self, cursor: Cursor) -> None:
        """Written when something changed, or nothing was ever written."""
        if cursor == self.cursor and cursor.version:
            return
        account = self.account
        if self.labels:
            self.labels.remember()
        self.cursor = move_cursor(
            self.tools.storage.table, account.tenant, account.account_id, cursor, self.fence
        )


def missing(cursor: Cursor, opened: FolderStatus, uids: Sequence[int]) -> int:
    """How many UIDs were given out since the last look and are not there. At a first look nobody
    knows; a leap of more than LEAP is how the server counts (web.de, GMX)."""
    if cursor.uidnext_seen is None or opened.uidnext is None:
        return 0
    first = max(cursor.uidnext_seen, cursor.top + 1)
    gap = opened.uidnext - first - sum(first <= uid < opened.uidnext for uid in uids)
    return gap if 0 < gap <= LEAP else 0
