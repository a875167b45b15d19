"""Many accounts side by side: one batch read for all of them, one thread each while they wait for
their servers."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ablage.accounts import Folder
from ablage.folder_modes import polled
from ablage.store import keys
from ablage.store.accounts import account_from_item, state_from_item
from ablage.store.cursors import (
    CursorKey,
    claim_more,
    drop_more,
    get_cursors,
    leave_more,
)
from ablage.store.table import Item
from ablage.tenancy import TenantId
from sync.account_state import backfill_waits_until, waits_until
from sync.polls import AccountKey
from sync.sync_account import Seen, poll_account, sync_more
from sync.tools import Tools

THREADS = 32  # they wait for mail servers nearly all the time


def poll(tools: Tools, accounts: Iterable[AccountKey], threads: int = THREADS) -> None:
    """Look at each account once; the first error of any is raised in the end."""
    for error in poll_each(tools, accounts, threads).values():
        raise error


def poll_each(
    tools: Tools, accounts: Iterable[AccountKey], threads: int = THREADS
) -> dict[AccountKey, BaseException]:
    """Look at each account once. An error of one (a defect, or AWS) leaves the others alone and is
    told by account."""
    found, errors = _see_each(tools, list(dict.fromkeys(accounts)))
    seen = with_cursors(tools, [each for each in found if not _waits(tools, each)])
    if not seen:
        return errors
    with ThreadPoolExecutor(max_workers=min(threads, len(seen))) as pool:
        futures = {_key(each): pool.submit(_poll_one, tools, each) for each in seen}
    return errors | {key: error for key, future in futures.items() if (error := future.exception())}


def _waits(tools: Tools, seen: Seen) -> bool:
    """After a fault; another tick comes."""
    waits = waits_until(seen.state, seen.account) > tools.now()
    tools.summary.count("waiting", waits)
    return waits


def _key(seen: Seen) -> AccountKey:
    return seen.account.tenant, seen.account.account_id


def _poll_one(tools: Tools, seen: Seen) -> None:
    if not tools.can_start():
        tools.summary.count("not_started")
        return
    if tools.hosts.is_down(seen.account.host):
        tools.summary.count("host_down")
        return
    tools.summary.count("polled")
    poll_account(tools, seen)


def see(tools: Tools, accounts: Sequence[AccountKey]) -> list[Seen]:
    """Config and state of those that are to be synced, in one batch read."""
    found, errors = _see_each(tools, accounts)
    for error in errors.values():
        raise error
    return found


def _see_each(
    tools: Tools, accounts: Sequence[AccountKey]
) -> tuple[list[Seen], dict[AccountKey, BaseException]]:
    wanted = [key for a in accounts for key in (keys.account(*a), keys.account_state(*a))]
    items = tools.storage.table.batch_get(wanted)
    found: list[Seen] = []
    errors: dict[AccountKey, BaseException] = {}
    for account in accounts:
        try:
            seen = _seen(account, items)
        except Exception as error:  # the guard round one account: an item that cannot be read
            errors[account] = error
        else:
            found += [seen] if seen else []
    return found, errors


def _seen(account: AccountKey, items: dict[keys.Key, Item]) -> Seen | None:
    config, state = items.get(keys.account(*account)), items.get(keys.account_state(*account))
    if config is None or state is None:
        return None
    known = Seen(account_from_item(*account, config), state_from_item(state))
    is_on = known.account.sync and not known.account.deleted and known.state.status != "paused"
    return known if is_on else None


def with_cursors(tools: Tools, seen: Sequence[Seen]) -> list[Seen]:
    """The cursors of all their folders, in one batch read."""
    found = get_cursors(
        tools.storage.table, [_cursor_key(each, folder) for each, folder in _folders(seen)]
    )
    return [
        replace(
            each,
            cursors={
                folder.folder_id: found[_cursor_key(each, folder)]
                for _, folder in _folders([each])
                if _cursor_key(each, folder) in found
            },
        )
        for each in seen
    ]


def _folders(seen: Sequence[Seen]) -> list[tuple[Seen, Folder]]:
    return [(each, f) for each in seen for f in polled(each.account, each.state)]


def _cursor_key(seen: Seen, folder: Folder) -> CursorKey:
    return seen.account.tenant, seen.account.account_id, folder.folder_id


def more(tools: Tools, tenant: TenantId, account_id: str) -> None:
    """Leftover work of one account, unless somebody has it or the account is off."""
    table = tools.storage.table
    if not claim_more(table, tenant, account_id, tools.epoch()):
        tools.summary.count("more_not_due")
        return
    seen = see(tools, [(tenant, account_id)])
    if not seen:
        drop_more(table, tenant, account_id)
        return
    until = backfill_waits_until(seen[0].state, seen[0].account)
    if until > tools.now():
        leave_more(table, tenant, account_id, until)
        return
    tools.summary.count("more")
    sync_more(tools, seen[0])
