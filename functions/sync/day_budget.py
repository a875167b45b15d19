"""What may be fetched of one account in a day: its provider's row says how much. A part is kept for
new mail and for what a person asks for; what leaves that alone waits for the next day (UTC)."""

from datetime import timedelta

from ablage.accounts import Account
from ablage.mailbox.providers import provider_of
from sync.tools import Tools

LIVE_RESERVE = 4  # one part in so many

DAY_BYTES_USED = "day_bytes_used"


def bytes_left(account: Account, used: int, *, keeps_reserve: bool) -> int:
    budget = provider_of(account.host).day_bytes
    return budget - (budget // LIVE_RESERVE if keeps_reserve else 0) - used


def tomorrow(tools: Tools) -> int:
    """Epoch seconds."""
    midnight = tools.time().replace(hour=0, minute=0, second=0)
    return int((midnight + timedelta(days=1)).timestamp())
