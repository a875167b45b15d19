"""One account: connect, look, and fetch what is new. A fault of the mailbox becomes its state,
never an exception."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar
from zlib import crc32

from ablage import faults
from ablage.accounts import Account, AccountState, Folder
from ablage.errors import AccountFault
from ablage.folder_modes import polled
from ablage.mailbox.listing import FolderStatus
from ablage.mailbox.opening import Search
from ablage.mailbox.providers import provider_of
from ablage.mailbox.session import Session, open_session
from ablage.store.accounts import get_account, write_state
from ablage.store.aws import OUTAGES
from ablage.store.cursors import (
    Cursor,
    Lease,
    drop_more,
    ensure_more,
    leave_more,
    release_lease,
    take_lease,
)
from ablage.store.table import ConditionFailed, Table
from ablage.tenancy import TenantId
from sync.account_state import faulty, healthy, is_check_due, is_slow, settled, with_news
from sync.day_budget import DAY_BYTES_USED, bytes_left, tomorrow
from sync.fetch_folder import FolderFetch
from sync.follow import Following, remembering
from sync.labels import labels_of
from sync.ledger import MORE, POLL, write_run
from sync.tools import Tools
from sync.walk import Slice

RECONNECT_SECONDS = 60.0  # with less left of the invocation, the next tick is the retry
LIVE_SECONDS = 20.0  # of fetching within a poll; what is left goes to BackfillQueue
MORE_SECONDS = 60.0
SLOW_SECONDS = 3600  # one batch at a time, after NO, BAD or a lost connection
DAY_MINUTES = 24 * 60

T = TypeVar("T")
Told = dict[str, FolderStatus]  # by folder id
Folders = tuple[Folder, ...]


@dataclass(frozen=True)
class Seen:
    """An account as a batch read found it: eventually consistent, good enough to look."""

    account: Account
    state: AccountState
    cursors: Mapping[str, Cursor] = field(default_factory=dict)


@contextmanager
def session_of(tools: Tools, account: Account) -> Iterator[Session]:
    """Raises AccountFault. `account` may be seconds old: before a login counts as refused, the
    config is read once more, for the user may just have sent the new password. A token that is
    refused though it is not over is replaced once."""
    with ExitStack() as stack:
        try:
            session = stack.enter_context(_opened(tools, account))
        except AccountFault as fault:
            newer = _with_newer_login(tools, account) if fault.state == "reauth_required" else None
            if newer is None and fault.code != "access_refused":
                raise
            again = _opened(tools, newer or account, anew=newer is None)
            session = stack.enter_context(again)
        yield session


def _opened(
    tools: Tools, account: Account, *, anew: bool = False
) -> AbstractContextManager[Session]:
    credential = tools.access.credential(account, anew=anew)
    return open_session(tools.network, account, credential, tools.bounds())


def _with_newer_login(tools: Tools, account: Account) -> Account | None:
    now = get_account(*_place(tools, account), consistent=True)
    return now if now and now.login_version != account.login_version else None


def in_session(tools: Tools, seen: Seen, work: Callable[[Session], T]) -> T:
    """`work`, and once more in another session where a first one was lost in its midst: what was
    stored stays stored. Raises AccountFault."""
    with session_of(tools, seen.account) as session:
        try:
            return work(session)
        except AccountFault as fault:
            if not _may_reconnect(tools, seen, fault):
                raise
    tools.summary.count("reconnects")
    with session_of(tools, seen.account) as session:
        return work(session)


def _may_reconnect(tools: Tools, seen: Seen, fault: AccountFault) -> bool:
    """Of a session that was logged in. Not while there is trouble already: the ticks' backoff then
    says how often a server is logged in to."""
    is_lost = faults.row_of(fault.code).reconnects and not seen.state.tries
    has_time = tools.seconds_left() > RECONNECT_SECONDS
    return is_lost and has_time and not tools.hosts.is_down(seen.account.host)


def poll_account(tools: Tools, seen: Seen) -> None:
    """A tick's look. With nothing new nothing is written and no lease taken."""
    with recording(tools, seen):
        state = in_session(tools, seen, lambda session: _poll(tools, seen, session))
        save_state(tools, seen, state)


def _poll(tools: Tools, seen: Seen, session: Session) -> AccountState:
    state, folders, told = look(tools, seen, session)
    is_importing = _keep_importing(tools, seen, folders)
    changed = changed_folders(seen, told, folders)
    if is_full_look(seen.account, state, tools.epoch()):
        others = [folder for folder in folders if folder not in changed]
        changed += belied(seen, session, others)
    fetch = Fetch(tools, seen, session, state, told, is_live=True)
    at = fetch.run(changed) if changed else None
    if at is not None:
        leave_more(*_place(tools, seen.account), at)
    return settled(fetch.state_after(), has_more=is_importing or at is not None)


def sync_more(tools: Tools, seen: Seen) -> None:
    """Leftover work: another slice of everything. A fault drops it: the next good look finds it
    again."""
    place = _place(tools, seen.account)
    at = None
    with recording(tools, seen):
        state, at = in_session(tools, seen, lambda session: _sync_more(tools, seen, session))
        save_state(tools, seen, state)
    if at is None:
        drop_more(*place)
    else:
        leave_more(*place, at)


def _sync_more(tools: Tools, seen: Seen, session: Session) -> tuple[AccountState, int | None]:
    """And when (epoch seconds) to go on."""
    state, folders, told = look(tools, seen, session)
    fetch = Fetch(tools, seen, session, state, told, is_live=False)
    at = fetch.run(folders)
    return settled(fetch.state_after(), has_more=at is not None), at


def look(tools: Tools, seen: Seen, session: Session) -> tuple[AccountState, Folders, Told]:
    """The state a good look leaves, the folders that are polled, and what is told of them. All
    folders are listed on the first look and every six hours; what that tells is not asked again."""
    state, now = seen.state, tools.time()
    told: Told = {}
    if state.folders and not is_check_due(state, now):
        state = healthy(state, state.folders, now)
    else:
        listed = session.folders()
        told = {folder.folder_id: status for folder in listed if (status := status_in(folder))}
        state = healthy(replace(state, gmail=session.is_gmail), listed, now)
    folders = polled(seen.account, state)
    untold = [folder for folder in folders if folder.folder_id not in told]
    return state, folders, told | (session.status(untold) if untold else {})


def status_in(folder: Folder) -> FolderStatus | None:
    """As a listing tells it; None where it tells no more than the name."""
    if folder.uidnext is None or folder.messages is None or not folder.uidvalidity:
        return None
    return FolderStatus(folder.uidvalidity, folder.uidnext, folder.messages)


def changed_folders(seen: Seen, told: Told, folders: tuple[Folder, ...]) -> tuple[Folder, ...]:
    return tuple(
        folder
        for folder in folders
        if folder.folder_id in told
        and is_changed(seen.cursors.get(folder.folder_id), told[folder.folder_id])
    )


def is_changed(cursor: Cursor | None, status: FolderStatus) -> bool:
    """A folder without a cursor was never read. A server that tells no UIDNEXT is looked into."""
    if cursor is None or cursor.uidvalidity != (status.uidvalidity or 0):
        return True
    return status.uidnext is None or status.uidnext != cursor.uidnext_seen


def is_full_look(account: Account, state: AccountState, now: int) -> bool:
    """One look a day, each account's at a minute of its own: nothing need be remembered."""
    minute = now // 60 + crc32(f"{account.tenant}/{account.account_id}".encode())
    return minute % DAY_MINUTES < state.interval


def belied(seen: Seen, session: Session, folders: Sequence[Folder]) -> tuple[Folder, ...]:
    """Those whose UIDNEXT hides mail. Reads the mailbox alone: no lease, no write."""
    return tuple(
        folder
        for folder in folders
        if (cursor := seen.cursors.get(folder.folder_id)) and _hides(session, folder, cursor)
    )


def _hides(session: Session, folder: Folder, cursor: Cursor) -> bool:
    try:
        session.examine(folder, Search(cursor.search_above))
    except AccountFault as fault:
        if fault.code != "folder_missing":
            raise
        return False
    found = session.new_uids(cursor.search_above)
    return bool(cursor.late(found)) or any(uid > cursor.top for uid in found)


def _keep_importing(tools: Tools, seen: Seen, folders: tuple[Folder, ...]) -> bool:
    """A first import belongs to BackfillQueue, which gets it even if a worker died. Whether there
    is one."""
    cursors = [seen.cursors.get(folder.folder_id) for folder in folders]
    is_importing = any(cursor and cursor.since for cursor in cursors)
    if is_importing:
        ensure_more(*_place(tools, seen.account), tools.epoch())
    return is_importing


def keep_pace(tools: Tools, seen: Seen, session: Session) -> None:
    """After a throttle, as slowly as the provider's row says."""
    if is_slow(seen.state, tools.time()):
        session.pace.slow_down()
        session.pace.per_second = provider_of(seen.account.host).slow_rate


@dataclass
class Fetch:
    """A slice of work at folders of one account, under its lease: what is new, and what was moved
    from them. A live one leaves a first import that has begun to BackfillQueue. `has_news`: mail
    came that is no part of a first import."""

    tools: Tools
    seen: Seen
    session: Session
    state: AccountState  # as the look left it
    told: Told
    is_live: bool
    has_news: bool = field(default=False, init=False)
    _finished: bool = field(default=True, init=False)
    _followed: tuple[Folder, ...] = field(default=(), init=False)

    def run(self, folders: tuple[Folder, ...]) -> int | None:
        """When (epoch seconds) to go on; None when everything is read, or somebody else is reading.
        Raises AccountFault. A lost cursor ends it: another worker goes on, and answers we did not
        read are still on the wire."""
        tools, account = self.tools, self.seen.account
        lease = take_lease(*_place(tools, account), tools.epoch(), tools.day())
        if lease is None:
            tools.summary.count("leased")
            return None
        if lease.slow_until > tools.epoch():
            self.session.pace.slow_down()
        keep_pace(tools, self.seen, self.session)
        share = self._share(lease)
        before = share.bytes_left
        self._finished = False
        try:
            return self._run(folders, lease, share)
        except ConditionFailed:
            tools.summary.count("cursor_lost")
            return tools.epoch()
        finally:
            release_lease(*_place(tools, account), self._left(lease), before - share.bytes_left)

    def _share(self, lease: Lease) -> Slice:
        tools = self.tools
        share = tools.share(LIVE_SECONDS if self.is_live else MORE_SECONDS)
        left = bytes_left(self.seen.account, lease.day_bytes, keeps_reserve=not self.is_live)
        share.bytes_left = min(share.bytes_left, left)
        return share

    def _run(self, folders: tuple[Folder, ...], lease: Lease, share: Slice) -> int | None:
        tools = self.tools
        if share.bytes_left <= 0:
            tools.summary.count(DAY_BYTES_USED)
            return tomorrow(tools)
        following = Following(tools, self.session, self.seen.account, self.seen.state, share)
        finished = True
        for number, folder in enumerate(folders):
            with share.part(len(folders) - number) as part:
                following.share = part
                finished &= self._folder(folder, lease, part, following)
        self._finished, self._followed = finished, following.listed
        return None if finished else tools.epoch()

    def _folder(self, folder: Folder, lease: Lease, share: Slice, following: Following) -> bool:
        """One missing folder does not stop the others."""
        fetch = FolderFetch(
            self.tools,
            self.session,
            self.seen.account,
            folder,
            lease.fence,
            share,
            self.told.get(folder.folder_id),
            following.run,
            labels_of(self.tools, self.seen.account, self.state, folder),
            may_import=not self.is_live or folder.folder_id not in self.seen.cursors,
        )
        try:
            return fetch.run()
        except AccountFault as fault:
            if fault.code != "folder_missing":
                raise
            self.tools.summary.count("folder_missing")
            return True
        finally:
            self.has_news |= fetch.has_news
            write_run(self.tools, self.seen.account, fetch.ran, POLL if self.is_live else MORE)

    def _left(self, lease: Lease) -> Lease:
        tools = self.tools
        slow_until = lease.slow_until
        if self.session.pace.had_trouble:
            slow_until = tools.epoch() + SLOW_SECONDS
        return replace(lease, day=tools.day(), slow_until=slow_until)

    def state_after(self) -> AccountState:
        """What folders had is remembered until moved mail was looked for."""
        state, before, now = self.state, self.seen.state, self.tools.time()
        if not self._finished:
            state = replace(state, folders=remembering(state.folders, before.folders))
        elif self._followed:
            state = healthy(replace(before, gmail=state.gmail), self._followed, now)
        return with_news(state, now) if self.has_news else state


@contextmanager
def recording(tools: Tools, seen: Seen) -> Iterator[None]:
    """An AccountFault becomes the account's state, and so does what AWS raises: it goes on to
    whoever answers for the message, for it is an alarm too."""
    host = seen.account.host
    try:
        yield
        tools.hosts.note(host, None)
    except AccountFault as told:
        tools.hosts.note(host, told.code)
        _save_fault(tools, seen, told)
    except OUTAGES:
        with suppress(*OUTAGES):
            _save_fault(tools, seen, faults.fault("our_outage"))
        raise


def _save_fault(tools: Tools, seen: Seen, told: AccountFault) -> None:
    tools.summary.count(f"fault_{told.code}")
    save_state(tools, seen, faulty(seen.state, seen.account, told, tools.time(), tools.jitter()))


def save_state(tools: Tools, seen: Seen, state: AccountState) -> None:
    """Nothing is written when nothing changed."""
    if state != seen.state:
        write_state(*_place(tools, seen.account), state, before=seen.state)


def _place(tools: Tools, account: Account) -> tuple[Table, TenantId, str]:
    return tools.storage.table, account.tenant, account.account_id
