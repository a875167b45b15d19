"""How an account and its folders stand, for the question whether anything is missing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ablage.accounts import SYNC_DAYS_BACK, Account, AccountState, last_poll
from ablage.completeness import AccountStanding, FolderStanding, Parked, what_is_open
from ablage.folder_modes import polled
from ablage.runs import Run, summed
from ablage.store import due, keys
from ablage.store.cursors import Cursor, account_cursors
from ablage.store.table import Table
from api.clock import utc_text
from api.ledger_views import (
    FolderCompletenessView,
    ParkedView,
    open_view,
    parked_views,
    sums_view,
)

RUN_SECONDS = 120  # no run is longer: the timeout of sync


def account_standing(table: Table, account: Account, state: AccountState) -> AccountStanding:
    return AccountStanding(
        reads_from=reads_from(account),
        looked_at=state.checked_at,
        is_synced=account.sync,
        fault=state.code,
        fault_since=state.since,
        has_more=_has_more(table, account),
    )


def _has_more(table: Table, account: Account) -> bool:
    """Work is left over, or under way; or whoever had it died, and it was not looked at since."""
    place = account.tenant, account.account_id
    more, lease = keys.more(*place), keys.lease(*place)
    found = table.batch_get([more, lease])
    return more in found or bool(found.get(lease, {}).get("held_until"))


def for_folder(account: AccountStanding, runs: Iterable[Run]) -> AccountStanding:
    """A run that met mail is a look at its folder too."""
    looks = [_begun(run) for run in runs if run.why in ("poll", "more")]
    return replace(account, looked_at=max([account.looked_at or "", *looks]) or None)


def _begun(run: Run) -> str:
    return utc_text(datetime.fromisoformat(run.at) - timedelta(seconds=RUN_SECONDS))


def reads_from(account: Account) -> str:
    if account.sync_since or not account.created_at:
        return account.sync_since or ""
    made = datetime.fromisoformat(account.created_at)
    return utc_text(made - timedelta(days=SYNC_DAYS_BACK))


def last_due(table: Table, account: Account, state: AccountState) -> str | None:
    """By slot and checkpoint. That it was sent does not say that it went well."""
    minute = due.last_minute(table)
    if minute is None or not account.sync or state.checked_at is None:
        return None
    sent = last_poll(account.tenant, account.account_id, state.interval, minute)
    return utc_text(datetime.fromtimestamp(sent * 60, UTC))


def folder_standing(
    account: Account, state: AccountState, folder_id: str, cursor: Cursor | None, moved: int
) -> FolderStanding:
    return FolderStanding(
        is_listed=any(folder.folder_id == folder_id for folder in state.folders),
        is_synced=any(folder.folder_id == folder_id for folder in polled(account, state)),
        is_read=cursor is not None,
        importing=_importing(cursor),
        parked=_parked(cursor),
        moved=moved,
    )


def _importing(cursor: Cursor | None) -> tuple[int, int] | None:
    if cursor is None or not cursor.since:
        return None
    return cursor.high + 1, cursor.low - 1


def _parked(cursor: Cursor | None) -> tuple[Parked, ...]:
    problems = cursor.problems if cursor else ()
    return tuple(Parked(p.uid, p.code, p.tries, p.is_open) for p in problems)


def folder_view(
    folder: tuple[str, str | None],
    standings: tuple[AccountStanding, FolderStanding],
    window: tuple[str, str],
    cursor: Cursor | None,
    ledger: tuple[Sequence[Run], bool],
) -> FolderCompletenessView:
    found = what_is_open(*standings, *window)
    runs, more = ledger
    return FolderCompletenessView(
        folder=folder[0],
        name=folder[1],
        complete=not found,
        open=[open_view(each) for each in found],
        checked_at=standings[0].looked_at,
        read_to=cursor.top if cursor else None,
        parked=parked_views(cursor) if cursor else [],
        ledger=sums_view(summed(runs), more=more),
    )


def moved_in(runs: Iterable[Run]) -> int:
    return sum(run.moved_before_sync for run in runs)


def parked_mails(table: Table, account: Account) -> Iterator[ParkedView]:
    for cursor in account_cursors(table, account.tenant, account.account_id):
        yield from parked_views(cursor)
