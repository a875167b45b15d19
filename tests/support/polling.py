"""Polling an account in a test, and looking at what it left."""

from tests.support.mailboxes import raw_keys

from ablage.accounts import Account
from ablage.mailbox.names import folder_id
from ablage.store import cursors
from ablage.store.raw_mail import RawKey, parse_key
from ablage.store.storage import Storage
from sync.poll import poll
from sync.tools import Tools

INBOX = folder_id(b"INBOX")
SENT = folder_id(b"Sent")


def poll_once(tools: Tools, *accounts: Account) -> dict[str, int]:
    poll(tools, [(account.tenant, account.account_id) for account in accounts], threads=1)
    return tools.summary.counts()


def cursor_of(where: Storage, account: Account, folder: str = INBOX) -> cursors.Cursor:
    cursor = cursors.get_cursor(where.table, account.tenant, account.account_id, folder)
    assert cursor is not None
    return cursor


def keys_of(where: Storage) -> list[RawKey]:
    return [key for text in raw_keys(where) if (key := parse_key(text))]
