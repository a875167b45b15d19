"""How often we log in at a mail server because somebody asked: enough to connect mailboxes and mend
passwords, too seldom to try hosts or passwords with [reliability-security T04, T16]."""

import hashlib

from ablage.accounts import Account
from ablage.settings import settings
from ablage.store import rates
from ablage.store.rates import Rate
from ablage.store.storage import storage
from api.clock import now_epoch
from api.tenant import Caller

HOUR, DAY = 3600, 86400
CHECKS_OF_USER = Rate(5, HOUR)
CHECKS_OF_TENANT = Rate(20, DAY)
LOGINS_OF_MAILBOX = (Rate(5, HOUR), Rate(20, DAY))
LOGINS_PER_QUOTA = 2  # a day, for each mailbox a tenant may have


def count_check(caller: Caller) -> None:
    """Raises TooMany `too_many_requests`."""
    table, now = storage().table, now_epoch()
    rates.count(table, caller.tenant, f"check#{_digest(caller.subject)}", CHECKS_OF_USER, now)
    rates.count(table, caller.tenant, "check", CHECKS_OF_TENANT, now)


def count_login(account: Account) -> None:
    """A mailbox that is connected, or a password sent for one: neither knows of the logins that
    were refused before. Counted by host and user, whatever the account's id, for accounts come and
    go. Raises TooMany `too_many_requests`."""
    table, now = storage().table, now_epoch()
    mailbox = _digest(f"{account.host} {account.username.lower()}")
    for rate in LOGINS_OF_MAILBOX:
        rates.count(table, account.tenant, f"login-{rate.seconds}#{mailbox}", rate, now)
    most = Rate(LOGINS_PER_QUOTA * settings().quota_accounts, DAY)
    rates.count(table, account.tenant, "login", most, now)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
