"""What an account shows, from what happened: pure, so that an unchanged state is seen to be
unchanged."""

from dataclasses import replace
from datetime import datetime, timedelta

from ablage.accounts import DEFAULT_INTERVAL, AccountState, Folder
from ablage.errors import AccountFault
from sync.tools import rfc3339

CHECKED_EVERY = timedelta(hours=6)
POLLS_A_CHECK = 72  # of a mailbox seldom looked at: one idle look in fifty may write
# A broken account is polled less and less: minutes, from this age of its fault on
BACKOFF = (
    (timedelta(days=1), 60),
    (timedelta(hours=1), 15),
    (timedelta(0), DEFAULT_INTERVAL),
)
REFUSED_INTERVAL = 60  # a refused login is not repeated every five minutes: servers lock accounts


def healthy(state: AccountState, folders: tuple[Folder, ...], now: datetime) -> AccountState:
    """The state after a look that went well; equal to `state` when there is nothing to write."""
    epoch = int(now.timestamp())
    habit = state.habit if state.habit.since else state.habit.woken(epoch)
    seen = replace(
        state,
        status="active",
        code=None,
        detail=None,
        since=None,
        interval=habit.interval(epoch),
        habit=habit,
        folders=folders,
    )
    if seen == state and not is_check_due(state, now):
        return state
    return replace(seen, checked_at=rfc3339(now))


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


def faulty(state: AccountState, fault: AccountFault, now: datetime) -> AccountState:
    """The state after a fault; the same fault again changes nothing but, with age, the interval."""
    since = state.since if state.code == fault.code and state.since else rfc3339(now)
    return replace(
        state,
        status=fault.state,
        code=fault.code,
        detail=fault.detail,
        since=since,
        interval=_interval(fault, now - datetime.fromisoformat(since)),
    )


def _interval(fault: AccountFault, age: timedelta) -> int:
    if fault.state == "reauth_required":
        return REFUSED_INTERVAL
    return next(interval for least, interval in BACKOFF if age >= least or not least)
