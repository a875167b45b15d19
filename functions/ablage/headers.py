"""Raw mail -> its header: fields, mailboxes, dates. Never raises; time is linear in HEADER_BYTES.

`python -m ablage.headers FILE...` prints what was read, a JSON line per file.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from types import MappingProxyType

from ablage.address_lists import Mailbox, split_mailboxes
from ablage.authentication import Evidence
from ablage.dates import parse_date, parse_received
from ablage.encoded_words import decode_words
from ablage.header_fields import split_fields
from ablage.limits import MAILBOXES

__all__ = ["Headers", "Mailbox", "read_headers"]

_BRACKETED = re.compile(r"<([^<>]*)>")
_NO_BRACKETS = str.maketrans("<>", "  ")
_ADDRESS_FIELDS = ("from", "sender", "reply-to", "to", "cc", "bcc")
_FINAL_DELIVERY = ("return-path", "delivered-to", "authentication-results")
_UNPARSEABLE = 100  # texts kept


@dataclass(frozen=True)
class Headers:
    """A mail's header. Repeated address fields are joined; of other fields the first counts.

    `date` and `received` (topmost parsable Received) are aware, in UTC; ids are without `<>`, empty
    if absent; `unparseable` are entries of address fields that hold no usable address, as written;
    `fields` are unfolded but not decoded, by lower-case name; `relays` are the Received fields
    above the topmost Authentication-Results.
    """

    fields: Mapping[str, tuple[str, ...]]
    from_: tuple[Mailbox, ...]
    sender: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    from_fields: int
    unparseable: tuple[str, ...]
    subject: str
    date: datetime | None
    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    received: datetime | None
    relays: tuple[str, ...]
    problems: tuple[str, ...]

    def get(self, name: str) -> str | None:
        """The first field of that name (any case), unfolded, not decoded."""
        values = self.fields.get(name.lower())
        return values[0] if values else None

    def get_all(self, name: str) -> tuple[str, ...]:
        return self.fields.get(name.lower(), ())

    @property
    def evidence(self) -> Evidence:
        """What `ablage.authentication` judges the sender by."""
        senders = {box.address.domain: None for box in self.from_ if box.address}
        only = len(self.from_) == 1 and len(senders) == 1
        results = self.get("authentication-results") or ""
        return Evidence(results, next(iter(senders)) if only else "", self.relays)

    @property
    def delivered(self) -> bool:
        """The mail carries a trace of final delivery, so it is no copy its sender filed."""
        return any(name in self.fields for name in _FINAL_DELIVERY)

    @property
    def original_sender(self) -> tuple[Mailbox, ...]:
        """Who wrote a mail whose From a list rewrote: X-Original-From, else X-Original-Sender."""
        for name in ("x-original-from", "x-original-sender"):
            found = _mailboxes(self.fields, name)
            if any(mailbox.address for mailbox in found):
                return found
        return ()

    @property
    def sensitivity(self) -> str:
        """RFC 2156 5.3.4 in lower case, as `private`; empty if absent."""
        return (self.get("sensitivity") or "").strip().lower()


def read_headers(raw: bytes) -> Headers:
    """The header of a raw mail, or of a header block alone."""
    block = split_fields(raw)
    collected: dict[str, list[str]] = {}
    for name, value in block.fields:
        collected.setdefault(name, []).append(value)
    fields = {name: tuple(values) for name, values in collected.items()}
    boxes = {name: _mailboxes(fields, name) for name in _ADDRESS_FIELDS}
    message_ids = _ids(_first(fields, "message-id"))
    date = parse_date(_first(fields, "date"))
    return Headers(
        fields=MappingProxyType(fields),
        from_=boxes["from"],
        sender=boxes["sender"],
        reply_to=boxes["reply-to"],
        to=boxes["to"],
        cc=boxes["cc"],
        bcc=boxes["bcc"],
        from_fields=len(fields.get("from", ())),
        unparseable=_unparseable(boxes),
        subject=" ".join(decode_words(_first(fields, "subject")).split()),
        date=date,
        message_id=message_ids[0] if message_ids else "",
        in_reply_to=next(iter(_ids(_first(fields, "in-reply-to"))), ""),
        references=_ids(_first(fields, "references")),
        received=_received(fields),
        relays=_above_results(block.fields) if "authentication-results" in fields else (),
        problems=(*block.problems, *_problems(fields, boxes, date, message_ids)),
    )


def _first(fields: Mapping[str, tuple[str, ...]], name: str) -> str:
    values = fields.get(name)
    return values[0] if values else ""


def _mailboxes(fields: Mapping[str, tuple[str, ...]], name: str) -> tuple[Mailbox, ...]:
    values = fields.get(name, ())
    if len(values) == 1:
        return split_mailboxes(values[0])
    found: list[Mailbox] = []
    for value in values:
        found.extend(split_mailboxes(value))
        if len(found) >= MAILBOXES:
            break
    return tuple(found[:MAILBOXES])


def _unparseable(boxes: Mapping[str, tuple[Mailbox, ...]]) -> tuple[str, ...]:
    texts = [box.text for found in boxes.values() for box in found if box.address is None]
    return tuple(texts[:_UNPARSEABLE])


def _ids(text: str) -> tuple[str, ...]:
    """Message-IDs of a field; blanks inside brackets come from folding. Without brackets: words."""
    bracketed = (" ".join(found.split()) for found in _BRACKETED.findall(text))
    known = tuple(found for found in bracketed if found)
    return known or tuple(text.translate(_NO_BRACKETS).split())


def _received(fields: Mapping[str, tuple[str, ...]]) -> datetime | None:
    dates = (parse_received(value) for value in fields.get("received", ()))
    return next((date for date in dates if date), None)


def _above_results(fields: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    above = takewhile(lambda field: field[0] != "authentication-results", fields)
    return tuple(value for name, value in above if name == "received")


def _problems(
    fields: Mapping[str, tuple[str, ...]],
    boxes: Mapping[str, tuple[Mailbox, ...]],
    date: datetime | None,
    message_ids: tuple[str, ...],
) -> list[str]:
    found = {
        "no_from": not boxes["from"],
        "several_from": len(boxes["from"]) > 1 or len(fields.get("from", ())) > 1,
        "unparseable_address": any(b.address is None for found in boxes.values() for b in found),
        "addresses_limited": any(len(found) >= MAILBOXES for found in boxes.values()),
        "no_date": "date" not in fields,
        "bad_date": "date" in fields and date is None,
        "no_message_id": not message_ids,
    }
    return [problem for problem, present in found.items() if present]


if __name__ == "__main__":
    from ablage.header_report import main

    main()
