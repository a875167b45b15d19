"""A mail by its Message-ID, and how far each mailbox has been read.

No row is written for it: a message id is made of Message-ID, From and Date, so that who knows all
three reads one item. Else the overviews are searched, newest first, for the digest of the
Message-ID in their rows, at most TRACED_ROWS of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ablage.accounts import Account, AccountState
from ablage.limits import TRACED_MESSAGES, TRACED_ROWS
from ablage.messages import Copy, Message
from ablage.store import keys, messages
from ablage.store.accounts import state_from_item
from ablage.store.connections import find_account, page_accounts, states
from ablage.store.contents import raw_key
from ablage.store.cursors import Cursor, account_cursors
from ablage.store.links import exists
from ablage.store.rows import mail_id_digest
from ablage.store.storage import Storage
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId

ACCOUNTS = 50  # looked at in one answer
_ROWS_AT_ONCE = 200
_OVERVIEW = "MAIL#"


@dataclass(frozen=True)
class Window:
    """Times of receipt, RFC 3339 UTC to the second, both included. Empty: no bound."""

    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Search:
    """Ids of messages. `more`: the search ended before the rows did; every mail received after
    `reached` was looked at. Empty: none can be told."""

    found: tuple[str, ...]
    rows: int
    more: bool
    reached: str = ""


@dataclass(frozen=True)
class Mailbox:
    """An account as sync left it: `cursors` of the folders it has read."""

    account: Account
    state: AccountState | None
    cursors: tuple[Cursor, ...]


def accounts_of(
    table: Table, tenant: TenantId, account_id: str | None
) -> tuple[list[Account], bool]:
    """The one named; else the first ACCOUNTS by id, and whether there are more. Raises NotFound."""
    if account_id is not None:
        return [find_account(table, tenant, account_id)], False
    found, more = page_accounts(table, tenant, None, ACCOUNTS)
    return found, more is not None


def search(
    table: Table,
    tenant: TenantId,
    account_ids: Iterable[str],
    mail_id: str,
    window: Window,
    *,
    limit: int = TRACED_ROWS,
) -> Search:
    """The newest page of every account first, then the next of each, until `limit` rows are
    read."""
    wanted = mail_id_digest(mail_id)
    ids = list(account_ids)
    size = min(_ROWS_AT_ONCE, limit // max(1, len(ids)))  # so that every account has its turn
    walks = [_Walk(_pages(table, tenant, account_id, window, size)) for account_id in ids]
    found: dict[str, None] = {}
    rows = 0
    while walks and rows < limit and len(found) < TRACED_MESSAGES:
        walk = walks.pop(0)
        page = next(walk.pages, None)
        if page is None:
            continue
        rows += len(page)
        walks.append(_Walk(walk.pages, page[-1]["c"]))
        found |= {row["m"]: None for row in page if row.get("i") == wanted}
    reached = [walk.reached or window.until for walk in walks]
    all_began = all(reached)
    return Search(
        tuple(found)[:TRACED_MESSAGES],
        rows,
        more=bool(walks),
        reached=max(reached) if reached and all_began else "",
    )


@dataclass(frozen=True)
class _Walk:
    """Pages of one account's overview, and how far back they have come."""

    pages: Iterator[list[Item]]
    reached: str = ""


def _pages(
    table: Table, tenant: TenantId, account_id: str, window: Window, size: int
) -> Iterator[list[Item]]:
    pk = keys.account_partition(tenant, account_id)
    after = f"{_OVERVIEW}{window.until}~" if window.until else None  # behind its ids
    while rows := table.query(pk, prefix=_OVERVIEW, after=after, newest_first=True, limit=size):
        inside = [row for row in rows if row["c"] >= window.since]
        if inside:
            yield inside
        if len(inside) < size:
            return
        after = rows[-1]["sk"]


def read_messages(
    table: Table, tenant: TenantId, message_ids: Iterable[str], mail_id: str, now: int
) -> list[Message]:
    """Those that are there, have not expired, and have that Message-ID indeed."""
    read = (messages.get(table, tenant, message_id, now) for message_id in message_ids)
    return [message for message in read if message and message.facts.mail_id == mail_id]


def stored(storage: Storage, s3: Any, message: Message, limit: int) -> list[tuple[Copy, str, bool]]:
    """The first copies, the keys of their raw mails, and whether these are still there."""
    found = [(copy, raw_key(message.tenant, copy).text) for copy in message.copies[:limit]]
    return [(copy, key, exists(s3, storage.raw.bucket, key)) for copy, key in found]


def mailboxes(table: Table, tenant: TenantId, accounts: Iterable[Account]) -> list[Mailbox]:
    known = list(accounts)
    found = states(table, tenant, [account.account_id for account in known])
    return [
        Mailbox(
            account,
            state_from_item(found[account.account_id]) if account.account_id in found else None,
            tuple(account_cursors(table, tenant, account.account_id)),
        )
        for account in known
    ]
