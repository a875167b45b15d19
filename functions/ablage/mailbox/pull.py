"""Pulling mail: raw, pipelined `UID FETCH`, one mail after another as it arrives, `\\Seen`
untouched (PEEK, EXAMINE).

What comes out is whole: a mail is yielded when its answer is read to the end. Whatever breaks after
it (AccountFault) takes nothing back. A body belongs to the UID of the same FETCH answer, and only
UIDs asked for are accepted."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ablage.errors import AccountFault
from ablage.limits import MESSAGE_BYTES
from ablage.mailbox.connection import LITERAL_BYTES
from ablage.mailbox.faults import fault
from ablage.mailbox.status import Listed, as_uid, fetch_items, internal_date, search, uid_sets
from ablage.mailbox.wire import Answer, Atom, Body, Literal, Wire, check_alive, check_ready

BATCH_MAILS = 100
BATCH_BYTES = 1024 * 1024  # a larger mail travels alone
UNASKED = 10_000  # FETCH answers of others' mail before we stop listening

_KNOWN_ITEMS = {
    *(b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"BODY[]", b"MODSEQ", b"SAVEDATE"),
    *(b"EMAILID", b"THREADID", b"X-GM-MSGID", b"X-GM-THRID", b"X-GM-LABELS"),
}
_ITEMS = b"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"


@dataclass(frozen=True)
class Fetched:
    """`body` is bytes or an open temporary file (large mails), which the taker closes."""

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
    listed: Sequence[Listed],
    depth: int = 1,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Result]:
    """Every mail of `listed` in the open folder, once: fetched or missed; fewer only when
    `should_stop` said so before a batch. Raises AccountFault."""
    for mail in listed:
        if mail.size > MESSAGE_BYTES:
            yield Missed(mail.uid, "too_large")
    fitting = [mail for mail in listed if mail.size <= MESSAGE_BYTES]
    flight = _Flight(wire, batches(fitting), depth, should_stop)
    yield from flight.run()
    yield from _again(wire, sorted(flight.asked - flight.done))


class _Flight:
    """Batches in flight on one connection: `depth` commands sent ahead, answers taken as they
    come."""

    def __init__(
        self,
        wire: Wire,
        plan: Iterator[list[Listed]],
        depth: int,
        should_stop: Callable[[], bool],
    ) -> None:
        self._wire = wire
        self._plan = plan
        self._depth = depth
        self._should_stop = should_stop
        self._tags: deque[bytes] = deque()
        self._unasked = 0
        self.asked: set[int] = set()
        self.done: set[int] = set()

    def run(self) -> Iterator[Fetched]:
        self._wire.literal_bytes = MESSAGE_BYTES
        try:
            self._fill()
            while self._tags:
                answer = self._wire.read()
                check_alive(answer)
                if answer.tag in self._tags:  # NO or BAD too: the rest is asked for alone
                    check_ready(answer)
                    self._tags.remove(answer.tag)
                    self._fill()
                elif fetched := self._accept(answer):
                    yield fetched
        finally:
            self._wire.literal_bytes = LITERAL_BYTES

    def _fill(self) -> None:
        while len(self._tags) < self._depth and not self._should_stop():
            batch = next(self._plan, None)
            if batch is None:
                return
            uids = sorted(mail.uid for mail in batch)
            self.asked.update(uids)
            for part in uid_sets(uids):
                self._tags.append(self._wire.send(b"UID FETCH " + part + b" " + _ITEMS))

    def _accept(self, answer: Answer) -> Fetched | None:
        fetched = as_fetched(answer)
        if fetched is None:
            return None
        if fetched.uid not in self.asked or fetched.uid in self.done:
            self._unasked += 1
            discard(fetched.body)
            if self._unasked > UNASKED:
                raise _unasked()
            return None
        self.done.add(fetched.uid)
        return fetched


def _unasked() -> AccountFault:
    return AccountFault("protocol_error", "The mail server keeps sending mail nobody asked for.")


def _again(wire: Wire, uids: list[int]) -> Iterator[Result]:
    """One by one what a batch did not bring. An absent answer is no proof of deletion: the server
    is asked."""
    if not uids:
        return
    there = {uid for part in uid_sets(uids) for uid in search(wire, b"UID " + part)}
    for uid in uids:
        if uid not in there:
            yield Missed(uid, "gone")
            continue
        alone = _Flight(wire, iter([[Listed(uid, 0, None)]]), 1, lambda: False)
        fetched = list(alone.run())
        yield fetched[0] if fetched else Missed(uid, "unfetchable")


def as_fetched(answer: Answer) -> Fetched | None:
    """None for an answer without UID or without a body (NIL, absent): both are asked for again, or
    are others' flags."""
    items = fetch_items(answer)
    uid = as_uid(items.get(b"UID"))
    body = _body(items.get(b"BODY[]"))
    if body is None:
        return None
    if uid is None or not _is_whole(answer, items):
        discard(body)
        if uid is None:
            return None
        raise fault("protocol_error")
    flags = items.get(b"FLAGS")
    return Fetched(
        uid,
        _size(items.get(b"BODY[]")),
        internal_date(items.get(b"INTERNALDATE")),
        _flags(flags) if isinstance(flags, list) else (),
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


def _flags(values: list[object]) -> tuple[str, ...]:
    return tuple(value.decode("latin-1") for value in values if isinstance(value, bytes))


def discard(body: Body) -> None:
    if not isinstance(body, bytes):
        body.close()
