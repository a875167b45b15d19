"""What was read when, and whether anything is missing."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from ablage.accounts import AccountState
from ablage.errors import InvalidInput
from ablage.folder_modes import polled
from ablage.runs import Run
from ablage.store import accounts, runs
from ablage.store.cursors import Cursor as FolderCursor
from ablage.store.cursors import account_cursors
from ablage.store.storage import storage
from api import cursors
from api.account_schemas import FolderId
from api.clock import moment, now_text, utc_text
from api.completeness import (
    account_standing,
    folder_standing,
    folder_view,
    for_folder,
    moved_in,
)
from api.ledger_views import CompletenessView, FolderCompletenessView, RunView, run_view
from api.operations import operation
from api.schemas import Cursor, Limit, Page, PathId
from api.tenant import Calling
from api.visibility import find_viewed_account

OneFolder = Annotated[FolderId | None, Query(description="Id; default: all.")]
Since = Annotated[str | None, Query(description="RFC 3339; default: as far back as is read.")]
Until = Annotated[str | None, Query(description="RFC 3339; default: the last look.")]


@operation("GET", "/v1/accounts/{account}/runs", "read")
def list_runs(
    account: PathId,
    caller: Calling,
    folder: OneFolder = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Page[RunView]:
    """What each run met in each folder, newest first.

    A run that met nothing leaves no row; rows are kept for 90 days."""
    table, after = storage().table, cursors.RUNS.decode(cursor)
    find_viewed_account(caller, account)
    found, more = runs.page(
        table, caller.tenant, account, after=after, limit=limit, folder_id=folder
    )
    return Page(items=[run_view(run) for run in found], next=cursors.RUNS.encode(more))


@operation("GET", "/v1/accounts/{account}/completeness", "read")
def is_anything_missing(
    account: PathId,
    caller: Calling,
    folder: OneFolder = None,
    since: Since = None,
    until: Until = None,
) -> CompletenessView:
    """Whether mail received from `since` to `until` has been read, and if not, what is open."""
    table = storage().table
    known = find_viewed_account(caller, account)
    state = accounts.get_state(table, caller.tenant, account) or AccountState()
    standing = account_standing(table, known, state)
    begin = _text(since, "since") or standing.reads_from
    end = _text(until, "until") or standing.looked_at or now_text()
    if end < begin:
        raise InvalidInput("invalid_window", "`until` lies before `since`.", "until")
    read = {each.folder_id: each for each in account_cursors(table, caller.tenant, account)}
    met, more = runs.since(table, caller.tenant, account, begin)
    names = {each.folder_id: each.name for each in state.folders}
    wanted = [folder] if folder else [each.folder_id for each in polled(known, state)]

    def view(folder_id: str, at: FolderCursor | None, ran: list[Run]) -> FolderCompletenessView:
        here = folder_standing(known, state, folder_id, at, moved_in(ran))
        name = folder_id, names.get(folder_id)
        standings = for_folder(standing, ran), here
        return folder_view(name, standings, (begin, end), at, (ran, more))

    shown = [view(each, read.get(each), [r for r in met if r.folder_id == each]) for each in wanted]
    return CompletenessView(
        account=account,
        since=begin,
        until=end,
        complete=bool(shown) and all(each.complete for each in shown),
        checked_at=standing.looked_at,
        folders=shown,
    )


def _text(given: str | None, name: str) -> str | None:
    found = moment(given, name)
    return utc_text(found) if found else None
