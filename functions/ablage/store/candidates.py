"""Which messages a batch looks at, one after the other, from its cursor on.

A cursor is `<part>|<sort key>`: the address, account or list, and the row after which to go on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ablage import batches as kinds
from ablage.accounts import API_ACCOUNT
from ablage.messages import Message
from ablage.reevaluation import OPEN
from ablage.store import keys
from ablage.store.batches import Batch, ledger_page
from ablage.store.projection import is_live
from ablage.store.table import BATCH_GET_LIMIT, Item, Table

PAGE = 100
_OVERVIEW, _ARCHIVE, _ACCOUNT = "MAIL#", "FILED#", "ACCOUNT#"
_END = "~"  # sorts after every time


@dataclass(frozen=True)
class Candidate:
    """`account_id`: in whose overview it was found, empty elsewhere."""

    message_id: str
    cursor: str
    account_id: str = ""


Found = Iterator[Candidate | None]


def candidates(table: Table, batch: Batch, now: int) -> Iterator[Candidate]:
    """Those after the batch's cursor. Reads as it goes."""
    return (found for found in rows_read(table, batch, now) if found is not None)


def rows_read(table: Table, batch: Batch, now: int) -> Found:
    """The same, and None for each row that is read for nothing."""
    return _SOURCES[batch.kind](table, batch, now)


def is_first_seen(message: Message, candidate: Candidate, batch: Batch) -> bool:
    """A mail that lies in the overviews of several accounts counts in the first within the window
    alone."""
    if not candidate.account_id or "account" in batch.arguments:
        return True
    since, until = _window(batch)
    seen = (a for a in message.accounts if since <= message.first_copy(a).received_at < until)
    return next(seen, candidate.account_id) == candidate.account_id


def _unmatched(table: Table, batch: Batch, now: int) -> Found:
    part, after = _place(batch)
    for address in sorted(batch.arguments["keys"]):
        if part and address < part:
            continue
        start = after if address == part else str(batch.arguments["since"])
        pk, _ = keys.unmatched(batch.tenant, address, "", "")
        for row in table.query_all(pk, after=start, limit=PAGE):
            found = Candidate(row["sk"].rpartition("#")[2], f"{address}|{row['sk']}")
            yield found if is_live(row, now) else None


def _overviews(wanted: Callable[[Item], bool]) -> Callable[[Table, Batch, int], Found]:
    def found(table: Table, batch: Batch, now: int) -> Found:
        part, after = _place(batch)
        since, until = _window(batch)
        for account in _accounts(table, batch):
            if account < part:
                continue
            start = after if account == part else _OVERVIEW + since
            pk = keys.account_partition(batch.tenant, account)
            for row in table.query_all(pk, prefix=_OVERVIEW, after=start, limit=BATCH_GET_LIMIT):
                if row["sk"] >= _OVERVIEW + until:
                    break
                if is_live(row, now) and wanted(row):
                    yield Candidate(row["m"], f"{account}|{row['sk']}", account)
                else:
                    yield None

    return found


def _accounts(table: Table, batch: Batch) -> list[str]:
    if "account" in batch.arguments:
        return [str(batch.arguments["account"])]
    rows = table.query_all(keys.accounts(batch.tenant), prefix=_ACCOUNT)
    return sorted([API_ACCOUNT, *(row["sk"].removeprefix(_ACCOUNT) for row in rows)])


def _window(batch: Batch) -> tuple[str, str]:
    since, until = batch.arguments.get("since"), batch.arguments.get("until")
    return str(since or ""), str(until or _END)


def _archived(table: Table, batch: Batch, now: int) -> Found:
    """Rows of what was filed, then of what was unfiled: messages know what of it still holds."""
    part, after = _place(batch)
    kind, entity_id = batch.arguments["entity_type"], batch.arguments["entity_id"]
    lists = {
        "filed": (keys.archive(batch.tenant, kind, entity_id), _ARCHIVE),
        "unfiled": (keys.unfiled(batch.tenant, kind, entity_id), ""),
    }
    for name, (pk, prefix) in lists.items():
        if name < part:
            continue
        start = after if name == part else None
        for row in table.query_all(pk, prefix=prefix, after=start, limit=PAGE, consistent=True):
            found = Candidate(row["sk"].rpartition("#")[2], f"{name}|{row['sk']}")
            yield found if is_live(row, now) else None


def _ledgered(table: Table, batch: Batch, now: int) -> Found:  # noqa: ARG001  as the others
    after = batch.cursor
    while page := ledger_page(table, batch.tenant, batch.arguments["of"], after, PAGE):
        yield from (Candidate(message_id, message_id) for message_id in page)
        after = page[-1]


def _place(batch: Batch) -> tuple[str, str]:
    part, _, sort_key = (batch.cursor or "").rpartition("|") if batch.cursor else ("", "", "")
    return part, sort_key


_SOURCES: dict[str, Callable[[Table, Batch, int], Found]] = {
    kinds.BACKFILL_CONTACT: _unmatched,
    kinds.BACKFILL_ACCOUNT: _overviews(lambda _: True),  # no row says what its account left open
    kinds.PURGE_BLOCKED: _overviews(lambda row: row["n"] > 0),
    kinds.REEVALUATE: _overviews(lambda row: row["r"] not in OPEN),
    kinds.UNDO: _ledgered,
    kinds.DELETE_ARCHIVE: _archived,
    kinds.MERGE_CONTACT: _archived,
}
