"""How often an idle look writes: the state over twelve simulated days of each tier, as every look
leaves it. A state that changed is one write (`tests/integration/test_sync_habit.py`), two where the
tier did."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench.lab import at_most

from ablage.accounts import AccountState, Folder
from ablage.habit import Habit
from sync.account_state import healthy

LIMIT = 0.02
DAYS = 12
QUIET_HOURS = {5: 3, 15: 80, 60: 400}  # without mail, before it begins
FOLDERS = (Folder("0" * 16, "INBOX", "inbox"),)
BEGIN = datetime(2026, 11, 24, tzinfo=UTC)


def idle_day() -> dict[str, Any]:
    found = {f"every_{interval}_minutes": _writes(interval) for interval in QUIET_HOURS}
    return {"table_writes_per_idle_poll": found}


def _writes(interval: int) -> dict[str, Any]:
    last = int(BEGIN.timestamp()) - QUIET_HOURS[interval] * 3600
    state = healthy(AccountState(habit=Habit(since=1, recent=(last,))), FOLDERS, BEGIN)
    looks = writes = 0
    at, end = BEGIN, BEGIN + timedelta(days=DAYS)
    while at < end and state.interval == interval:
        after = healthy(state, FOLDERS, at)
        looks += 1
        writes += (after != state) + (after.interval != state.interval)
        state, at = after, at + timedelta(minutes=interval)
    return at_most(writes / looks, LIMIT)
