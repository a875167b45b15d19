"""The feed: everything that happened in a tenant, append-only, kept for 30 days.

A row stands at the moment its writer fixed beforehand, in the item the event belongs to, so that a
repeat puts the same row. Readers see rows older than SEEN_AFTER; so no row may land late:

    fixed ----- 3 s ----- 5 s ---------- 10 s
      |- put begins -|     |              |--- readers pass this moment
      |-------- put ends --|   5 s are left for clocks that differ

Whoever comes later than 3 s first voids the row, unless it stands: then nobody can put it any more,
and its events are owed at a new moment. A put that ended later than 5 s is put a second time, with
the same ids: rather twice than past a reader.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from ablage.messages import Event, Message
from ablage.store import keys
from ablage.store.table import ConditionFailed, Item, Table, put_action
from ablage.tenancy import TenantId

KEPT = timedelta(days=30)
SEEN_AFTER = 10_000  # milliseconds
BEGINS_WITHIN = 3_000
ENDS_WITHIN = 5_000
EVENTS_IN_ROW = 25
ROWS_SURE = 50  # of 20 KB at most: fewer, and it was not the 1 MB of a page that ended it [AWS]
_TTL_SECONDS = int(KEPT.total_seconds()) + 86_400
_IS_NEW = "attribute_not_exists(pk)"

Clock = Callable[[], float]


@dataclass(frozen=True)
class Happened:
    """A row to be put: `token` tells it apart, `body` holds its events."""

    tenant: TenantId
    at: int
    token: str
    body: Item

    @property
    def key(self) -> keys.Key:
        return keys.feed_row(self.tenant, moment(self.at), self.token)

    @property
    def item(self) -> Item:
        """`ev` marks what the stream hands on; a void row has none."""
        mark = {"ev": True} if self.body else {}
        return self.body | mark | {"expires": self.at // 1000 + _TTL_SECONDS}


def moment(at: int) -> str:
    """Epoch milliseconds as RFC 3339 UTC: sorts as text."""
    text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def milliseconds(now: Clock) -> int:
    return int(now() * 1000)


def token(*parts: object) -> str:
    return hashlib.sha256("#".join(map(str, parts)).encode()).hexdigest()[:16]


# ---- events of messages --------------------------------------------------------------------------


def put_events(table: Table, message: Message, now: Clock = time.time) -> bool:
    """What the message owes. False where that came too late: `placed_anew`, then again."""
    return all(_put(table, row, now) for row, _ in _rows(message))


def placed_anew(table: Table, message: Message, now: Clock = time.time) -> Message:
    """The message with what is owed since too long at a new moment; what stands in the feed stays
    there. The same object where nothing had to be moved."""
    outbox: list[Event] = []
    for row, events in _rows(message):
        is_void = not _is_fresh(row.at, now) and _void(table, row)
        at = milliseconds(now)
        outbox += [replace(event, at=at) for event in events] if is_void else events
    return message if tuple(outbox) == message.outbox else replace(message, outbox=tuple(outbox))


def _rows(message: Message) -> Iterator[tuple[Happened, list[Event]]]:
    """Rows of EVENTS_IN_ROW, only the last of a version shorter: however some are moved, each row
    keeps its first event, and so its token."""
    for (version, at), group in groupby(message.outbox, key=lambda e: (e.version, e.at)):
        events = list(group)
        for start in range(0, len(events), EVENTS_IN_ROW):
            part = events[start : start + EVENTS_IN_ROW]
            mark = token(message.message_id, version, part[0].entity, part[0].kind)
            yield Happened(message.tenant, at, mark, _body(message, version, part)), part


def _body(message: Message, version: int, events: list[Event]) -> Item:
    """Of one change all events have one batch."""
    return {
        "m": message.message_id,
        "v": version,
        "e": [[e.kind, str(e.entity), *([e.by] if e.by else [])] for e in events],
        "b": events[0].batch or None,
    }


# ---- events of accounts and jobs -----------------------------------------------------------------


def fact(
    tenant: TenantId, at: int, type_: str, name: str, facts: Mapping[str, str | None]
) -> Happened:
    """One event about something that is no message; `name` makes its id."""
    known = {key: value for key, value in facts.items() if value}
    return Happened(tenant, at, token(name), {"t": type_, "n": name, "f": known})


# ---- writing -------------------------------------------------------------------------------------


def put_with(
    table: Table, row: Happened, actions: Iterable[dict[str, Any]], now: Clock = time.time
) -> None:
    """The row together with what it tells of. Raises ConditionFailed where that was not to be."""
    table.transact([*actions, put_action(row.key, row.item)])
    _put_again_if_late(table, row, now)


def _put(table: Table, row: Happened, now: Clock) -> bool:
    if not _is_fresh(row.at, now):
        return _stands(table, row)
    try:
        table.put(row.key, row.item, condition=_IS_NEW)
    except ConditionFailed:
        return _stands(table, row)
    _put_again_if_late(table, row, now)
    return True


def _put_again_if_late(table: Table, row: Happened, now: Clock) -> None:
    while milliseconds(now) - row.at > ENDS_WITHIN:
        row = replace(row, at=milliseconds(now))
        table.put(row.key, row.item)


def _is_fresh(at: int, now: Clock) -> bool:
    return milliseconds(now) - at < BEGINS_WITHIN


def _stands(table: Table, row: Happened) -> bool:
    item = table.get(row.key, consistent=True)
    return item is not None and "ev" in item


def _void(table: Table, row: Happened) -> bool:
    """Whether nobody has put it, nor can any more."""
    try:
        table.put(row.key, replace(row, body={}).item, condition=_IS_NEW)
    except ConditionFailed:
        return not _stands(table, row)
    return True


def tenant_of(row: Item) -> TenantId:
    return TenantId(row["pk"].split("#")[1])


# ---- reading -------------------------------------------------------------------------------------


def rows_after(
    table: Table, tenant: TenantId, after: str, until: str, limit: int
) -> tuple[list[Item], bool]:
    """At most `limit` rows at or behind the sort key `after` and before the moment `until`, oldest
    first, and whether there are more."""
    found: list[Item] = []
    for day in _days(after[:10], until[:10]):
        for row in _rows_of(table, keys.feed(tenant, day), _before(after), limit + 1):
            if row["sk"] >= until:
                return found, False
            if len(found) == limit:
                return found, True
            found.append(row)
    return found, False


def _rows_of(table: Table, pk: str, after: str, limit: int) -> Iterator[Item]:
    rows = table.query(pk, after=after, limit=limit, consistent=True)
    yield from rows
    while rows and (len(rows) == limit or len(rows) >= ROWS_SURE):
        rows = table.query(pk, after=rows[-1]["sk"], limit=limit, consistent=True)
        yield from rows


def _before(sort_key: str) -> str:
    """Something that sorts just before it, and that no row has."""
    return sort_key[:-1] + chr(ord(sort_key[-1]) - 1) + "\U0010fffe"


def _days(first: str, last: str) -> Iterator[str]:
    """Of the last KEPT, those from `first` on."""
    end = date.fromisoformat(last)
    days = ((end - timedelta(days=ago)).isoformat() for ago in range(KEPT.days + 1, -1, -1))
    return (day for day in days if day >= first)
