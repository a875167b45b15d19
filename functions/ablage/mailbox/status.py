"""Looking: STATUS of folders in one flight, searching UIDs, listing sizes and dates."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from ablage.mailbox.faults import fault
from ablage.mailbox.gmail import Gmail, gmail_of
from ablage.mailbox.listing import FolderStatus, read_status
from ablage.mailbox.pace import SET_BYTES
from ablage.mailbox.syntax import Answer, is_quotable, number, pairs, quote, string
from ablage.mailbox.wire import Wire, check_ready

MAX_UID = 2**32 - 1
FIRST_YEAR = 1970
LISTED = 1000  # UIDs in one listing command
FLIGHT = 100  # STATUS commands ahead of their answers: more could fill both sockets' buffers
FEW = 4  # folders: fewer are asked for by name, for LIST-STATUS counts them all


@dataclass(frozen=True)
class Listed:
    """A mail before its body is fetched. `size` as announced (it may lie), `received_at`
    INTERNALDATE in UTC; `gmail` where the server has its extensions."""

    uid: int
    size: int
    received_at: datetime | None
    gmail: Gmail | None = None
    flags: tuple[str, ...] = ()


def capabilities(wire: Wire) -> frozenset[str]:
    """Upper case. Raises AccountFault."""
    status, answers = wire.finish(wire.send(b"CAPABILITY"))
    if status != b"OK":
        raise fault("protocol_error")
    return told_in(answers)


def told_in(answers: Iterable[Answer]) -> frozenset[str]:
    told = [string(value) for a in answers if a.name == b"CAPABILITY" for value in a.values]
    return upper_words(word for word in told if word)


def upper_words(words: Iterable[bytes]) -> frozenset[str]:
    return frozenset(word.decode("ascii", "replace").upper() for word in words)


def status_of(
    wire: Wire, names: Sequence[bytes], *, has_list_status: bool = False
) -> dict[bytes, FolderStatus]:
    """All in one flight, many in one command where the server has LIST-STATUS (RFC 5819), and what
    that leaves out by itself; by name, never by order. A folder that is missing in the answer could
    not be looked at; one whose name cannot be sent is not asked for.

    Raises AccountFault."""
    found: dict[bytes, FolderStatus] = {}

    def take(answer: Answer) -> None:
        told = read_status(answer) if answer.name == b"STATUS" else None
        if told and told[0] in wanted:
            found.setdefault(*told)

    wanted = {name for name in names if is_quotable(name)}
    if has_list_status and len(wanted) > FEW:
        command = b'LIST "" "*" RETURN (STATUS ' + _COUNTS + b")"
        wire.end_of(wire.send(command), take)
    asked = [name for name in names if name in wanted and name not in found]
    for start in range(0, len(asked), FLIGHT):
        flight = asked[start : start + FLIGHT]
        for tag in [wire.send(b"STATUS ", quote(name), b" " + _COUNTS) for name in flight]:
            wire.end_of(tag, take)
    return found


_COUNTS = b"(UIDNEXT UIDVALIDITY MESSAGES)"


def search(wire: Wire, criteria: bytes) -> list[int]:
    """Ascending and without doubles; what is no UID is dropped. Raises AccountFault."""
    status, answers = wire.finish(wire.send(b"UID SEARCH " + criteria))
    if status != b"OK":
        raise fault("protocol_error")
    return uids_in(answers)


def uids_in(answers: Sequence[Answer]) -> list[int]:
    """Raises AccountFault for answers to a search of another kind: what they name is not known."""
    if any(answer.name == b"ESEARCH" for answer in answers):
        raise fault("protocol_error")
    values = [value for a in answers if a.name == b"SEARCH" for value in a.values]
    return sorted({uid for value in values if (uid := as_uid(value))})


def as_uid(value: Any) -> int | None:
    uid = number(value)
    return uid if uid is not None and 1 <= uid <= MAX_UID else None


def list_sizes(wire: Wire, uids: Sequence[int], more: bytes = b"", depth: int = 1) -> list[Listed]:
    """Size and INTERNALDATE of these ascending UIDs; those that are gone are left out. One the
    server lists nothing for though it is there comes with size 0 and no date: an absent answer is
    no proof of deletion. `more`: items to ask for beside. `depth`: commands in flight. Raises
    AccountFault."""
    listed: dict[int, Listed] = {}
    for flight in _cut(uids, LISTED * depth):
        listed |= {row.uid: row for row in _list_flight(wire, flight, more)}
    silent = [uid for uid in uids if uid not in listed]
    there = {uid for part in uid_sets(silent) for uid in search(wire, b"UID " + part)}
    listed |= {uid: Listed(uid, 0, None) for uid in silent if uid in there}
    return [listed[uid] for uid in sorted(listed)]


def _list_flight(wire: Wire, uids: Sequence[int], more: bytes) -> list[Listed]:
    """BAD may be about the length of the line: half of it."""
    flight = Listing(wire, uids, more)
    rows = flight.rows()
    for part in flight.refused:
        if len(part) == 1:
            raise fault("protocol_error")
        for half in _cut(part, -(-len(part) // 2)):
            rows += _list_flight(wire, half, more)
    return rows


class Listing:
    """Commands that list ascending UIDs, asked for beside others: whoever reads gives each answer
    that is not his to `hear`. `refused` are the UIDs of each command answered BAD."""

    def __init__(self, wire: Wire, uids: Sequence[int], more: bytes = b"") -> None:
        self._wire = wire
        self._more = more
        self._silent = set(uids)
        self._rows: list[Listed] = []
        self._asked = {
            wire.send(b"UID FETCH " + uid_set + _items(more)): part
            for part in _cut(uids, LISTED)
            for uid_set in uid_sets(part)
        }
        self.refused: list[Sequence[int]] = []

    @property
    def is_whole(self) -> bool:
        """Every answer is here, and tells of every mail."""
        return not self._asked and not self._silent

    def hear(self, told: Answer | re.Match[bytes]) -> None:
        """What is no part of this is passed over. NO may come behind part of the answers: what came
        counts. Raises AccountFault for a server that is busy."""
        if isinstance(told, Answer) and told.tag in self._asked:
            self._end(told)
            return
        row = _row(told) if isinstance(told, re.Match) else _listed(told)
        if row and row.uid in self._silent:
            self._silent.remove(row.uid)
            self._rows.append(row)

    def _end(self, ended: Answer) -> None:
        check_ready(ended)
        part = self._asked.pop(ended.tag)
        if ended.name == b"BAD" and part not in self.refused:
            self.refused.append(part)

    def rows(self) -> list[Listed]:
        """What the answers told, once all are here. Raises AccountFault."""
        for tag in list(self._asked):
            self.hear(self._wire.end_of(tag, self.hear, ROW))
        return self._rows

    def listed(self) -> list[Listed]:
        """As `list_sizes`. Nothing else is in flight unless it `is_whole`. Raises AccountFault."""
        rows = [*self.rows(), *list_sizes(self._wire, sorted(self._silent), self._more)]
        return sorted(rows, key=lambda row: row.uid)


def _items(more: bytes) -> bytes:
    return b" (UID FLAGS INTERNALDATE RFC822.SIZE" + more + b")"


def _cut(uids: Sequence[int], size: int) -> list[Sequence[int]]:
    return [uids[start : start + size] for start in range(0, len(uids), size)]


# As most servers answer what we ask: in our order, flags without quotes
ROW = re.compile(
    rb"\* \d{1,10} FETCH \(UID (\d{1,10}) FLAGS \(([^()\"\r\n]*)\)"
    rb' INTERNALDATE "([^"\\\r\n]{1,40})" RFC822\.SIZE (\d{1,19})\)\r\n'
)


def _row(told: re.Match[bytes]) -> Listed | None:
    uid, flags, date, size = told.groups()
    number_of = as_uid(uid)
    if number_of is None:
        return None
    words = tuple(flags.decode("latin-1").split())
    return Listed(number_of, int(size), internal_date(date), flags=words)


def _listed(answer: Answer) -> Listed | None:
    """None for answers that are no FETCH of a known UID: other clients' flag changes come in
    between."""
    items = fetch_items(answer)
    uid, size = as_uid(items.get(b"UID")), number(items.get(b"RFC822.SIZE"))
    if uid is None or size is None:
        return None
    received_at = internal_date(items.get(b"INTERNALDATE"))
    return Listed(uid, size, received_at, gmail_of(items), flags_of(items.get(b"FLAGS")))


def flags_of(value: Any) -> tuple[str, ...]:
    """Empty where there are none."""
    flags = value if isinstance(value, list) else []
    return tuple(flag.decode("latin-1") for flag in flags if isinstance(flag, bytes))


def fetch_items(answer: Answer) -> dict[bytes, Any]:
    if answer.name != b"FETCH" or not answer.values or not isinstance(answer.values[0], list):
        return {}
    return pairs(answer.values[0])


def uid_sets(uids: Iterable[int], most: int = SET_BYTES) -> list[bytes]:
    """`1:3,7` of ascending UIDs, cut into sets of at most `most` bytes."""
    ranges: list[list[int]] = []
    for uid in uids:
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    sets: list[bytes] = []
    for low, high in ranges:
        text = b"%d" % low if low == high else b"%d:%d" % (low, high)
        if sets and len(sets[-1]) + len(text) < most:
            sets[-1] += b"," + text
        else:
            sets.append(text)
    return sets


_DATE = re.compile(
    r"\s?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def internal_date(value: Any) -> datetime | None:
    """INTERNALDATE (RFC 9051 date-time) in UTC; None when it is none, or before there was mail."""
    match = _DATE.fullmatch((string(value) or b"").decode("latin-1"))
    if not match:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        number_of_month = _MONTHS.index(month.lower()) + 1
        at = datetime(
            int(year), number_of_month, int(day), int(hour), int(minute), int(second), tzinfo=zone
        )
        return at.astimezone(UTC) if at.year >= FIRST_YEAR else None
    except (ValueError, OverflowError):
        return None
