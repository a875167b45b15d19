"""Pulling mail: raw, pipelined `UID FETCH`, one mail after another as it arrives, `\\Seen`
untouched (PEEK, EXAMINE).

What comes out is whole: a mail is yielded when its answer is read to the end, one over
SINGLE_PUT_BYTES as a stream whose last piece comes when it is. Whatever breaks after it
(AccountFault) takes nothing back. A body belongs to the UID of the same FETCH answer, and only UIDs
asked for are accepted."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ablage.errors import AccountFault
from ablage.limits import MESSAGE_BYTES
from ablage.mailbox.connection import LITERAL_BYTES
from ablage.mailbox.faults import fault
from ablage.mailbox.pace import Pace
from ablage.mailbox.status import (
    ROW,
    Listed,
    as_uid,
    fetch_items,
    flags_of,
    internal_date,
    search,
    uid_sets,
)
from ablage.mailbox.syntax import Answer, Atom, Body, Literal, Stream
from ablage.mailbox.wire import Bare, Wire, check_alive, check_ready

BATCH_MAILS = 100
BATCH_BYTES = 1024 * 1024  # a larger mail travels alone
FLIGHT_BYTES = 8 * 1024 * 1024  # asked for and not yet here
UNASKED = 10_000  # FETCH answers of others' mail before we stop listening

_KNOWN_ITEMS = {
    *(b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"BODY[]", b"MODSEQ", b"SAVEDATE"),
    *(b"EMAILID", b"THREADID", b"X-GM-MSGID", b"X-GM-THRID", b"X-GM-LABELS"),
}
_ITEMS = b"(UID BODY.PEEK[])"  # the rest was listed


@dataclass(frozen=True)
class Fetched:
    """`body` is a Stream where it is larger than SINGLE_PUT_BYTES: taken before the next mail is,
    or lost. Its `size` is announced, and right once its last piece came."""

    uid: int
    size: int
    received_at: datetime | None
    flags: tuple[str, ...]
    body: Body = field(repr=False)


@dataclass(frozen=True)
class Missed:
    """No body came. `code`: `gone` (expunged meanwhile), `too_large`, `unfetchable` (there, but the
    server gives nothing)."""

    uid: int
    code: str


Result = Fetched | Missed
Hear = Callable[[Answer | re.Match[bytes]], None]


@dataclass(frozen=True)
class _Asked:
    """A command in flight since `at`: `batch` is whole, where several commands ask for it."""

    tag: bytes
    batch: list[Listed] = field(repr=False)
    at: float


def batches(listed: Iterable[Listed]) -> Iterator[list[Listed]]:
    """Cut by count and bytes, in the order given."""
    batch: list[Listed] = []
    size = 0
    for mail in listed:
        if batch and (size + mail.size > BATCH_BYTES or len(batch) >= BATCH_MAILS):
            yield batch
            batch, size = [], 0
        batch.append(mail)
        size += mail.size
    if batch:
        yield batch


def pull(
    wire: Wire,
    listed: Iterable[Listed],
    pace: Pace | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    room: Callable[[], int] = lambda: FLIGHT_BYTES,
    hear: Hear = lambda _told: None,
) -> Iterator[Result]:
    """Every mail of `listed` in the open folder, once: fetched or missed; fewer only when
    `should_stop` said so before a batch. `room`: bytes that may be in flight now, but for what
    cannot have reached the server yet; a batch is always asked for when none is. `hear` gets what
    is said in between and is no mail. Raises AccountFault."""
    too_large: deque[int] = deque()
    fitting = _fitting(listed, too_large)
    pace = pace or Pace()
    flight = _Flight(wire, batches(fitting), pace, should_stop, room=room, hear=hear)
    while flight.has_more:
        for fetched in flight.run():
            yield fetched
            yield from _passed_over(too_large)
        yield from _again(wire, flight.take_missing(), pace)
    yield from _passed_over(too_large)


def _fitting(listed: Iterable[Listed], too_large: deque[int]) -> Iterator[Listed]:
    for mail in listed:
        if mail.size > MESSAGE_BYTES:
            too_large.append(mail.uid)
        else:
            yield mail


def _passed_over(too_large: deque[int]) -> Iterator[Missed]:
    while too_large:
        yield Missed(too_large.popleft(), "too_large")


class _Flight:
    """Batches in flight on one connection: commands sent ahead, answers taken as they come. While a
    batch that has ended lacks mails no further one is asked for: nobody can commit beyond them."""

    def __init__(
        self,
        wire: Wire,
        plan: Iterator[list[Listed]],
        pace: Pace,
        should_stop: Callable[[], bool] = lambda: False,
        *,
        room: Callable[[], int] = lambda: FLIGHT_BYTES,
        hear: Hear = lambda _told: None,
    ) -> None:
        self._wire = wire
        self._plan = plan
        self._pace = pace
        self._should_stop = should_stop
        self._room = room
        self._hear = hear
        self._next = next(plan, None)
        self._tags: deque[_Asked] = deque()
        self._bytes = 0  # asked for and not yet here
        self._unasked = 0
        self._missing: list[Listed] = []
        self.asked: dict[int, Listed] = {}
        self.done: set[int] = set()

    @property
    def has_more(self) -> bool:
        return self._next is not None

    def take_missing(self) -> list[Listed]:
        """Asked for, and not in the answers."""
        missing, self._missing = self._missing, []
        return missing

    def run(self) -> Iterator[Fetched]:
        self._wire.literal_bytes = MESSAGE_BYTES
        try:
            self._fill()
            self._pace.suspect = 0
            while self._tags:
                if fetched := self._read():
                    self._pace.suspect = fetched.uid if isinstance(fetched.body, Stream) else 0
                    yield fetched
                    self._pace.suspect = 0
                    self._fill()
            self._pace.suspect = None
        except AccountFault:
            self._pace.suspect = self._suspect()
            raise
        finally:
            self._wire.literal_bytes = LITERAL_BYTES

    def _read(self) -> Fetched | None:
        answer = self._wire.read_mail(ROW)
        if isinstance(answer, Bare):
            return self._taken(answer.uid, len(answer.body), answer.body)
        if isinstance(answer, re.Match):
            self._hear(answer)
            return None
        if answer.tag == b"*":
            check_alive(answer)
            return self._accept(answer)
        self._end(answer)
        return None

    def _suspect(self) -> int:
        """Servers answer in the order of UIDs, and command after command."""
        waiting = [{mail.uid for mail in asked.batch} - self.done for asked in self._tags]
        return min(next(filter(None, waiting), {0}))

    def _fill(self) -> None:
        while self._next and not self._missing and len(self._tags) < self._pace.depth:
            size = sum(mail.size for mail in self._next)
            sent = self._bytes * (1 - self._pace.ahead)
            if self._tags and sent + size > self._room():
                return
            if self._should_stop():
                self._next = None
                return
            self._ask(self._next)
            self._bytes += size
            self._next = next(self._plan, None)

    def _ask(self, batch: list[Listed]) -> None:
        self.asked |= {mail.uid: mail for mail in batch}
        for part in uid_sets(sorted(mail.uid for mail in batch), self._pace.set_bytes):
            tag = self._wire.send(b"UID FETCH " + part + b" " + _ITEMS)
            self._tags.append(_Asked(tag, batch, self._pace.clock()))

    def _end(self, answer: Answer) -> None:
        """NO or BAD too: what did not come is asked for again."""
        ended = next((asked for asked in self._tags if asked.tag == answer.tag), None)
        if ended is None:
            self._hear(answer)
            return
        check_ready(answer)
        self._tags.remove(ended)
        if answer.name == b"OK":
            self._pace.clean(self._pace.clock() - ended.at)
        else:
            self._pace.trouble(is_refused=answer.name == b"BAD")
        if not any(asked.batch is ended.batch for asked in self._tags):
            self._forget(ended.batch)
        self._fill()

    def _forget(self, batch: list[Listed]) -> None:
        """All of it was asked for, and answered as far as it ever will be."""
        lacking = [mail for mail in batch if mail.uid not in self.done]
        self._bytes -= sum(mail.size for mail in lacking)
        self._missing += lacking
        for mail in batch:
            del self.asked[mail.uid]
            self.done.discard(mail.uid)

    def _accept(self, answer: Answer) -> Fetched | None:
        if answer.stream:
            return self._streamed(answer, answer.stream)
        fetched = as_fetched(answer)
        if fetched is None:
            self._hear(answer)
            return None
        return self._taken(
            fetched.uid, fetched.size, fetched.body, fetched.received_at, fetched.flags
        )

    def _streamed(self, answer: Answer, stream: Stream) -> Fetched | None:
        """Its key must be known before it is read: from a UID before the literal, else because
        nothing else was asked for. What stays unknown is dropped, and asked for alone."""
        uid = as_uid(fetch_items(answer).get(b"UID")) or self._only_one()
        if uid is None or _is_literal_of_another_item(answer):
            return None

        def check(whole: Answer) -> None:
            fetched = as_fetched(whole)
            if fetched is None or fetched.uid != uid:
                raise fault("protocol_error")

        stream.check = check
        return self._taken(uid, stream.size, stream)

    def _only_one(self) -> int | None:
        oldest = self._tags[0].batch
        return oldest[0].uid if len(oldest) == 1 else None

    def _taken(
        self,
        uid: int,
        size: int,
        body: Body,
        received_at: datetime | None = None,
        flags: tuple[str, ...] = (),
    ) -> Fetched | None:
        listed = self.asked.get(uid)
        if not size:
            return None
        if listed is None or uid in self.done:
            self._unasked += 1
            if self._unasked > UNASKED:
                raise _unasked()
            return None
        self.done.add(uid)
        self._bytes -= listed.size
        return Fetched(uid, size, received_at or listed.received_at, flags or listed.flags, body)


def _unasked() -> AccountFault:
    return AccountFault("protocol_error", "The mail server keeps sending mail nobody asked for.")


def _again(wire: Wire, missing: list[Listed], pace: Pace) -> Iterator[Result]:
    """What a batch did not bring. An absent answer is no proof of deletion: the server is asked."""
    if not missing:
        return
    uids = sorted(mail.uid for mail in missing)
    there = {uid for part in uid_sets(uids) for uid in search(wire, b"UID " + part)}
    yield from (Missed(uid, "gone") for uid in uids if uid not in there)
    left = [mail for mail in missing if mail.uid in there]
    if left:
        yield from _halved(wire, left, pace)


def _halved(wire: Wire, mails: list[Listed], pace: Pace) -> Iterator[Result]:
    """Down to the one mail that the server does not give."""
    flight = _Flight(wire, batches(mails), pace)
    yield from flight.run()
    missing = flight.take_missing()
    if len(mails) == 1:
        yield from (Missed(mail.uid, "unfetchable") for mail in missing)
        return
    middle = (len(missing) + 1) // 2
    for half in (missing[:middle], missing[middle:]):
        if half:
            yield from _halved(wire, half, pace)


def as_fetched(answer: Answer) -> Fetched | None:
    """None for an answer without UID or without a body (NIL, absent): both are asked for again, or
    are others' flags."""
    items = fetch_items(answer)
    uid = as_uid(items.get(b"UID"))
    body = _body(items.get(b"BODY[]"))
    if body is None:
        return None
    if uid is None:
        return None
    if not _is_whole(answer, items):
        raise fault("protocol_error")
    return Fetched(
        uid,
        _size(items.get(b"BODY[]")),
        internal_date(items.get(b"INTERNALDATE")),
        flags_of(items.get(b"FLAGS")),
        body,
    )


def _is_whole(answer: Answer, items: dict[bytes, Any]) -> bool:
    return len(answer.values[0]) == 2 * len(items) and items.keys() <= _KNOWN_ITEMS


def _body(value: object) -> Body | None:
    if isinstance(value, Literal):
        return value.body if value.size else None
    if isinstance(value, bytes) and not isinstance(value, Atom):
        return value or None
    return None


def _size(value: object) -> int:
    return (
        value.size if isinstance(value, Literal) else len(value) if isinstance(value, bytes) else 0
    )


def _is_literal_of_another_item(answer: Answer) -> bool:
    body = fetch_items(answer).get(b"BODY[]")
    return not isinstance(body, Literal) or body.body is not answer.stream
