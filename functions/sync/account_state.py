"""What an account shows, and when it is looked at again, from what happened: pure, so that an
unchanged state is seen to be unchanged.

A fault sets `not_before`: ticks before it pass the account over. A refused login is tried again
after 15 min, 1 h, 6 h and 24 h, then no more; what says nothing about the password (a busy server,
a timeout) neither counts as one nor forgives any."""

from dataclasses import replace
from datetime import datetime, timedelta

from ablage import faults
from ablage.accounts import NEVER, Account, AccountState, Folder
from ablage.errors import AccountFault
from sync.tools import rfc3339

CHECKED_EVERY = timedelta(hours=6)
POLLS_A_CHECK = 72  # of a mailbox seldom looked at: one idle look in fifty may write
# While it waits longer than this (seconds), a broken account is dispatched less often: minutes
BROKEN_INTERVALS = ((3600, 60), (900, 15))


def healthy(state: AccountState, folders: tuple[Folder, ...], now: datetime) -> AccountState:
    """The state after a look that went well; equal to `state` when there is nothing to write."""
    epoch = int(now.timestamp())
    habit = state.habit if state.habit.since else state.habit.woken(epoch)
    seen = replace(
        state,
        status=state.status if state.status in ("ok", "syncing") else "ok",
        code=None,
        detail=None,
        since=None,
        interval=habit.interval(epoch),
        habit=habit,
        folders=folders,
        tries=0,
        refusals=0,
        not_before=0,
    )
    if seen == state and not is_check_due(state, now):
        return state
    return replace(seen, checked_at=rfc3339(now))


def settled(state: AccountState, *, has_more: bool) -> AccountState:
    """`has_more`: mail is still to be read."""
    return replace(state, status="syncing" if has_more else "ok")


def is_check_due(state: AccountState, now: datetime) -> bool:
    """`checked_at` is written, and folders are listed again, every six hours; every 72 looks where
    these are further apart than five minutes."""
    if state.checked_at is None:
        return True
    every = max(CHECKED_EVERY, POLLS_A_CHECK * timedelta(minutes=state.interval))
    return now - datetime.fromisoformat(state.checked_at) >= every


def with_news(state: AccountState, now: datetime) -> AccountState:
    """New mail came."""
    epoch = int(now.timestamp())
    habit = state.habit.noted(epoch)
    return replace(state, habit=habit, interval=habit.interval(epoch))


def watched(state: AccountState, now: datetime) -> AccountState:
    """Somebody waits for what is in the mailbox."""
    epoch = int(now.timestamp())
    habit = state.habit.woken(epoch)
    return replace(state, habit=habit, interval=habit.interval(epoch))


def faulty(
    state: AccountState, account: Account, fault: AccountFault, now: datetime, jitter: float
) -> AccountState:
    """The state after a fault. `jitter` in [0, 1) spreads the next tries of many."""
    known, row, at = _of_login(state, account), faults.row_of(fault.code), int(now.timestamp())
    refusals = known.refusals + row.counts
    wait = _wait(row, known.tries, refusals, fault.stated, jitter)
    earlier = known.not_before if known.not_before < NEVER else 0
    is_slowed = row.kind == "throttle"
    return replace(
        known,
        status=fault.state,
        code=fault.code,
        detail=fault.detail,
        since=known.since if known.code == fault.code and known.since else rfc3339(now),
        interval=_interval(known, wait),
        tries=known.tries + 1,
        refusals=refusals,
        not_before=min(max(at + wait, earlier), NEVER),
        backfill_after=at + row.backfill if row.backfill else known.backfill_after,
        slow_until=at + faults.SLOW_SECONDS if is_slowed else known.slow_until,
    )


def _of_login(state: AccountState, account: Account) -> AccountState:
    """What another login met says nothing about this one."""
    if state.login_version == account.login_version:
        return state
    return replace(state, tries=0, refusals=0, not_before=0, login_version=account.login_version)


def _wait(row: faults.Fault, tries: int, refusals: int, stated: float, jitter: float) -> int:
    """Seconds; NEVER once nothing but a new login helps."""
    if refusals > len(faults.REFUSED_WAITS):
        return NEVER
    if row.counts:
        return faults.REFUSED_WAITS[refusals - 1]
    return faults.wait_seconds(row, tries, jitter, stated)


def _interval(state: AccountState, wait: int) -> int:
    return next((minutes for least, minutes in BROKEN_INTERVALS if wait >= least), state.interval)


def waits_until(state: AccountState, account: Account) -> int:
    """Epoch seconds before which nobody connects by himself; 0 for at once, NEVER for not at
    all."""
    return _of_login(state, account).not_before


def backfill_waits_until(state: AccountState, account: Account) -> int:
    return max(waits_until(state, account), state.backfill_after)


def is_slow(state: AccountState, now: datetime) -> bool:
    return now.timestamp() < state.slow_until
