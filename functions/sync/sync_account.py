"""One account: connect, look, and fetch what is new. A fault of the mailbox becomes its state,
never an exception."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from ablage.accounts import Account, AccountState, Folder
from ablage.errors import AccountFault
from ablage.mailbox.folders import default_folders
from ablage.mailbox.session import Session, open_session
from ablage.mailbox.status import FolderStatus
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
from sync.account_state import faulty, healthy, is_check_due, with_news
from sync.fetch_folder import FolderFetch
from sync.tools import Tools

LIVE_SECONDS = 20.0  # of fetching within a poll; what is left goes to BackfillQueue
MORE_SECONDS = 60.0

Told = Mapping[str, FolderStatus]  # by folder id


@dataclass(frozen=True)
class Seen:
    """An account as a batch read found it: eventually consistent, good enough to look."""

    account: Account
    state: AccountState
    cursors: Mapping[str, Cursor] = field(default_factory=dict)


def chosen(account: Account, folders: tuple[Folder, ...]) -> tuple[Folder, ...]:
    """The folders to sync: the tenant's choice, else Inbox and Sent."""
    if not account.folders:
        return default_folders(folders)
    return tuple(folder for folder in folders if folder.folder_id in account.folders)


@contextmanager
def session_of(tools: Tools, account: Account) -> Iterator[Session]:
    """Raises AccountFault. `account` may be seconds old: before a login counts as refused, the
    config is read once more, for the user may just have sent the new password. A token that is
    refused though it is not over is replaced once."""
    with ExitStack() as stack:
        try:
            session = stack.enter_context(_opened(tools, account))
        except AccountFault as fault:
            newer = _newer(tools, account) if fault.state == "reauth_required" else None
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


def _newer(tools: Tools, account: Account) -> Account | None:
    now = get_account(*_place(tools, account), consistent=True)
    return now if now and now.version != account.version else None


def poll_account(tools: Tools, seen: Seen) -> None:
    """A tick's look. With nothing new nothing is written and no lease taken."""
    with recording(tools, seen):
        with session_of(tools, seen.account) as session:
            state = look(tools, seen, session)
            folders = chosen(seen.account, state.folders)
            told = session.status(folders)
            live = _not_importing(tools, seen, changed_folders(seen, told, folders))
            if live:
                done = _fetch(tools, seen.account, session, live, told=told, seconds=LIVE_SECONDS)
                state = with_news(state, tools.time()) if done.has_news else state
                if not done.finished:
                    leave_more(*_place(tools, seen.account), tools.epoch())
        save_state(tools, seen, state)


def sync_more(tools: Tools, seen: Seen) -> None:
    """Leftover work: another slice of everything. A fault drops it: the next good look finds it
    again."""
    place = _place(tools, seen.account)
    finished = True
    with recording(tools, seen):
        with session_of(tools, seen.account) as session:
            state = look(tools, seen, session)
            folders = chosen(seen.account, state.folders)
            told = session.status(folders)
            done = _fetch(tools, seen.account, session, folders, told=told, seconds=MORE_SECONDS)
            state = with_news(state, tools.time()) if done.has_news else state
            finished = done.finished
        save_state(tools, seen, state)
    if finished:
        drop_more(*place)
    else:
        leave_more(*place, tools.epoch())


def look(tools: Tools, seen: Seen, session: Session) -> AccountState:
    """The state a good look leaves; folders are listed on the first look and every six hours."""
    state, now = seen.state, tools.time()
    if state.folders and not is_check_due(state, now):
        return healthy(state, state.folders, now)
    return healthy(state, session.folders(), now)


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


@dataclass
class Done:
    """`finished`: everything is read, or somebody else is reading. `has_news`: mail came that is no
    part of a first listing."""

    finished: bool = True
    has_news: bool = False


def _fetch(
    tools: Tools,
    account: Account,
    session: Session,
    folders: tuple[Folder, ...],
    *,
    told: Told,
    seconds: float,
) -> Done:
    """Raises AccountFault. A lost cursor ends it: another worker goes on, and answers we did not
    read are still on the wire."""
    done = Done()
    fence = take_lease(*_place(tools, account), tools.epoch())
    if fence is None:
        tools.summary.count("leased")
        return done
    share = tools.share(seconds)
    try:
        for folder in folders:
            status = told.get(folder.folder_id)
            fetch = FolderFetch(tools, session, account, folder, fence, share, status)
            done.finished = _fetch_folder(tools, fetch)
            done.has_news |= fetch.has_news
            if not done.finished:
                break
    except ConditionFailed:
        tools.summary.count("cursor_lost")
        done.finished = False
    finally:
        release_lease(*_place(tools, account), fence)
    return done


def _fetch_folder(tools: Tools, fetch: FolderFetch) -> bool:
    """One missing folder does not stop the others."""
    try:
        return fetch.run()
    except AccountFault as fault:
        if fault.code != "folder_missing":
            raise
        tools.summary.count("folder_missing")
        return True


@contextmanager
def recording(tools: Tools, seen: Seen) -> Iterator[None]:
    """An AccountFault becomes the account's state."""
    try:
        yield
    except AccountFault as fault:
        tools.summary.count(f"fault_{fault.code}")
        save_state(tools, seen, faulty(seen.state, fault, tools.time()))


def save_state(tools: Tools, seen: Seen, state: AccountState) -> None:
    """Nothing is written when nothing changed."""
    if state != seen.state:
        write_state(*_place(tools, seen.account), state, before=seen.state)


def _place(tools: Tools, account: Account) -> tuple[Table, TenantId, str]:
    return tools.storage.table, account.tenant, account.account_id
