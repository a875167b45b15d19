"""Which mails of a Gmail mailbox are in the raw bucket, by X-GM-MSGID: what lies in several folders
is downloaded once.

An item holds the ids of about 19 hours, for an id begins with the time it was given out. It expires
before the raw mail does."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from ablage.accounts import Account
from ablage.store import keys
from ablage.store.table import ConditionFailed, Table

SCHEMA = 1
IDS = 5000  # in an item; further ones are not remembered, and cost a download
_TIME_BITS = 46
_BEFORE_RAW = timedelta(days=2)


def known(table: Table, account: Account, msgids: Iterable[int]) -> set[int]:
    """Those of `msgids` that are stored. Eventually consistent: one just stored may be missing."""
    wanted = {msgid: _key(account, msgid) for msgid in msgids}
    items = table.batch_get(set(wanted.values()))
    return {
        msgid for msgid, key in wanted.items() if _text(msgid) in items.get(key, {}).get("ids", ())
    }


def remember(table: Table, account: Account, msgids: Iterable[int], now: int) -> None:
    """They are in the raw bucket; a second time changes nothing."""
    found: dict[keys.Key, set[str]] = defaultdict(set)
    for msgid in msgids:
        found[_key(account, msgid)].add(_text(msgid))
    kept = timedelta(days=int(account.retention[:-1])) - _BEFORE_RAW
    expires = now + int(kept.total_seconds())
    for key, texts in found.items():
        _add(table, key, texts, expires)


def _add(table: Table, key: keys.Key, texts: set[str], expires: int) -> None:
    has_room = "attribute_not_exists(ids) OR size(ids) < :most"
    try:
        table.update(
            key,
            "ADD ids :ids SET expires = :expires, #schema = :schema",
            condition=has_room,
            names={"#schema": "schema"},
            values={":ids": texts, ":expires": expires, ":schema": SCHEMA, ":most": IDS},
        )
    except ConditionFailed:
        return


def _key(account: Account, msgid: int) -> keys.Key:
    where = account.tenant, account.account_id
    return keys.gmail_ids(*where, account.generation, account.retention, msgid >> _TIME_BITS)


def _text(msgid: int) -> str:
    return f"{msgid:016x}"
