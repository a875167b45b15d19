"""Folder ids a caller names, against the folders the mailbox was last seen with."""

from collections.abc import Sequence

from ablage.errors import InvalidInput
from ablage.store import accounts
from ablage.store.table import Table
from ablage.tenancy import TenantId


def check_folders(table: Table, tenant: TenantId, account_id: str, ids: Sequence[str]) -> None:
    """Raises InvalidInput `unknown_folder`. Before the first connection every id is taken."""
    state = accounts.get_state(table, tenant, account_id) if ids else None
    known = {folder.folder_id for folder in state.folders} if state else set()
    for number, folder in enumerate(ids):
        if known and folder not in known:
            detail = "The mailbox has no such folder; GET .../folders lists their ids."
            raise InvalidInput("unknown_folder", detail, f"/folders/{number}")
