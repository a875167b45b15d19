"""Folders as the mailbox was last seen with them: shown, and ids a caller names checked."""

from collections.abc import Iterable

from ablage.accounts import Account, AccountState
from ablage.errors import InvalidInput
from ablage.folder_modes import check_mode, mode_of
from ablage.store import accounts
from ablage.store.table import Table
from api.account_schemas import FolderView


def folder_views(account: Account, state: AccountState) -> list[FolderView]:
    modes = {f.folder_id: mode_of(account, state, f) for f in state.folders}
    return [
        FolderView(
            id=folder.folder_id,
            name=folder.name,
            role=folder.role,
            mode=modes[folder.folder_id],
            synced=modes[folder.folder_id] == "auto",
            shared=folder.foreign,
            messages=folder.messages,
        )
        for folder in state.folders
    ]


def check_folders(table: Table, account: Account, pointers: Iterable[tuple[str, str]]) -> None:
    """`pointers`: ids and where they stand. Raises InvalidInput `unknown_folder`. Before the first
    connection every id is taken."""
    known = _state(table, account).folders
    ids = {folder.folder_id for folder in known}
    for folder_id, pointer in pointers:
        if known and folder_id not in ids:
            detail = "The mailbox has no such folder; GET .../folders lists their ids."
            raise InvalidInput("unknown_folder", detail, pointer)


def check_may_sync(table: Table, account: Account, ids: Iterable[str]) -> None:
    """Raises InvalidInput `unknown_folder`, `folder_never_synced`."""
    named = {folder_id: f"/folders/{n}" for n, folder_id in enumerate(ids)}
    check_folders(table, account, named.items())
    state = _state(table, account)
    for folder in state.folders:
        if folder.folder_id in named:
            check_mode(account, state, folder, named[folder.folder_id])


def _state(table: Table, account: Account) -> AccountState:
    found = accounts.get_state(table, account.tenant, account.account_id)
    return found or AccountState()
