"""One account: connect, look, and fetch what is new. A fault of the mailbox becomes its state,
never an exception."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from ablage.accounts import Account, AccountState, Folder
from ablage.errors import AccountFault
from ablage.faults import row_of
from ablage.folder_modes import polled
from ablage.mailbox.listing import FolderStatus
from ablage.mailbox.session import Session, open_session
from ablage.store.accounts import get_account, write_state
from ablage.store.cursors import (
    Cursor,
    drop_more,
    ensure_more,
    leave_more,
    release_lease,
    take_lease,
)
from ablage.store.table import ConditionFailed, Table
from ablage.tenancy import TenantId
from sync.account_state import faulty, healthy, is_check_due, settled, with_news
from sync.fetch_folder import FolderFetch
from sync.follow import Following, remembering
from sync.labels import Labels, labels_of
from sync.tools import Tools

RECONNECT_SECONDS = 60.0  # with less left of the invocation, the next tick is the retry
LIVE_SECONDS = 20.0  # of fetching within a poll; what is left goes to BackfillQueue
MORE_SECONDS = 60.0

Told = Mapping[str, FolderStatus]  # by folder id


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


def poll_account(tools: Tools, seen: Seen) -> None:
    """A tick's look. With nothing new nothing is written and no lease taken."""
    with recording(tools, seen):
        save_state(tools, seen, _reconnecting(tools, lambda: _poll(tools, seen)))


def _poll(tools: Tools, seen: Seen) -> AccountState:
    with session_of(tools, seen.account) as session:
        state = look(tools, seen, session)
        folders = polled(seen.account, state)
        told = session.status(folders)
        changed = changed_folders(seen, told, folders)
        live = _not_importing(tools, seen, changed)
        fetch = Fetch(tools, seen, session, state, told=told, seconds=LIVE_SECONDS)
        has_more = len(live) < len(changed)
        if live and not fetch.run(live):
            leave_more(*_place(tools, seen.account), tools.epoch())
            has_more = True
    return settled(fetch.state_after(), has_more=has_more)


def sync_more(tools: Tools, seen: Seen) -> None:
    """Leftover work: another slice of everything. A fault drops it: the next good look finds it
    again."""
    place = _place(tools, seen.account)
    has_more = False
    with recording(tools, seen):
        state = _reconnecting(tools, lambda: _sync_more(tools, seen))
        has_more = state.status == "syncing"
        save_state(tools, seen, state)
    if has_more:
        leave_more(*place, tools.epoch())
    else:
        drop_more(*place)


def _sync_more(tools: Tools, seen: Seen) -> AccountState:
    with session_of(tools, seen.account) as session:
        state = look(tools, seen, session)
        folders = polled(seen.account, state)
        told = session.status(folders)
        fetch = Fetch(tools, seen, session, state, told=told, seconds=MORE_SECONDS)
        finished = fetch.run(folders)
    return settled(fetch.state_after(), has_more=not finished)


def _reconnecting(tools: Tools, work: Callable[[], AccountState]) -> AccountState:
    """Once more, when a connection was lost and there is time; what was stored stays stored."""
    try:
        return work()
    except AccountFault as fault:
        if not row_of(fault.code).reconnects or tools.seconds_left() <= RECONNECT_SECONDS:
            raise
        tools.summary.count("reconnects")
        return work()


def look(tools: Tools, seen: Seen, session: Session) -> AccountState:
    """The state a good look leaves; folders are listed on the first look and every six hours."""
    state, now = seen.state, tools.time()
    if state.folders and not is_check_due(state, now):
        return healthy(state, state.folders, now)
    return healthy(replace(state, gmail=session.is_gmail), session.folders(), now)


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


def _not_importing(tools: Tools, seen: Seen, folders: tuple[Folder, ...]) -> tuple[Folder, ...]:
    """A folder in its first listing belongs to BackfillQueue, which gets it even if a worker
    died."""
    cursors = seen.cursors
    importing = {
        f.folder_id for f in folders if f.folder_id in cursors and cursors[f.folder_id].since
    }
    if importing:
        ensure_more(*_place(tools, seen.account), tools.epoch())
    return tuple(folder for folder in folders if folder.folder_id not in importing)


class Fetch:
    """What is new in some folders, and what was moved from them, within a share of `seconds`.
    `state` as the look left it.
    `has_news`: mail came that is no part of a first listing."""

    def __init__(
        self,
        tools: Tools,
        seen: Seen,
        session: Session,
        state: AccountState,
        *,
        told: Told,
        seconds: float,
    ) -> None:
        self._tools = tools
        self._seen = seen
        self._state = state
        self._session = session
        self._told = told
        self._share = tools.share(seconds)
        self._following = Following(tools, session, seen.account, seen.state, self._share)
        self._finished = True
        self.has_news = False

    def _labels(self, folder: Folder) -> Labels | None:
        return labels_of(self._tools, self._seen.account, self._state, folder)

    def run(self, folders: tuple[Folder, ...]) -> bool:
        """True when everything is read, or somebody else is reading. Raises AccountFault. A lost
        cursor ends it: another worker goes on, and answers we did not read are still on the
        wire."""
        tools, account = self._tools, self._seen.account
        fence = take_lease(*_place(tools, account), tools.epoch())
        if fence is None:
            tools.summary.count("leased")
            return True
        try:
            self._finished = all(self._folder(folder, fence) for folder in folders)
        except ConditionFailed:
            tools.summary.count("cursor_lost")
            self._finished = False
        finally:
            release_lease(*_place(tools, account), fence)
        return self._finished

    def _folder(self, folder: Folder, fence: int) -> bool:
        """One missing folder does not stop the others."""
        account, told = self._seen.account, self._told.get(folder.folder_id)
        fetch = FolderFetch(
            *(self._tools, self._session, account, folder, fence),
            *(self._share, told, self._following.run, self._labels(folder)),
        )
        try:
            return fetch.run()
        except AccountFault as fault:
            if fault.code != "folder_missing":
                raise
            self._tools.summary.count("folder_missing")
            return True
        finally:
            self.has_news |= fetch.has_news

    def state_after(self) -> AccountState:
        """What folders had is remembered until moved mail was looked for."""
        state, before, now = self._state, self._seen.state, self._tools.time()
        if not self._finished:
            state = replace(state, folders=remembering(state.folders, before.folders))
        elif self._following.listed:
            known = replace(before, gmail=state.gmail)
            state = healthy(known, self._following.listed, now)
        return with_news(state, now) if self.has_news else state


@contextmanager
def recording(tools: Tools, seen: Seen) -> Iterator[None]:
    """An AccountFault becomes the account's state."""
    try:
        yield
    except AccountFault as fault:
        tools.summary.count(f"fault_{fault.code}")
        state = faulty(seen.state, seen.account, fault, tools.time(), tools.jitter())
        save_state(tools, seen, state)


def save_state(tools: Tools, seen: Seen, state: AccountState) -> None:
    """Nothing is written when nothing changed."""
    if state != seen.state:
        write_state(*_place(tools, seen.account), state, before=seen.state)


def _place(tools: Tools, account: Account) -> tuple[Table, TenantId, str]:
    return tools.storage.table, account.tenant, account.account_id
