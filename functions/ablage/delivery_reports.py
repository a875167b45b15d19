"""What a delivery report (RFC 3464) says: who did not get the mail, and which mail it was. Pure.

Anyone can write such a report. It may raise a flag on the message it names, and nothing else: it
files nothing, unfiles nothing, and counts only for mail that went out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ablage.address_lists import strip_comments
from ablage.addresses import normalise
from ablage.filings import Intent
from ablage.header_fields import split_fields
from ablage.headers import Headers, read_headers
from ablage.messages import DeliveryFailure, Message

DELIVERY_FAILED = "delivery_failed"
STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
RETURNED_TYPES = frozenset(
    {
        "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers",
        "message/global-headers",
    }
)  # fmt: skip
REPORT_BYTES = 64 * 1024  # read of a report's status part, and of the header it returns
FAILURES = 20  # kept of one message
_BLANK_LINES = re.compile(rb"(?:\r*\n[ \t]*){2,}|\r{2,}")
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)")  # and no IP address
_NO_FAILURES = ("delayed", "delivered", "relayed", "expanded")
_NAMED = re.compile(r"^<([^<>\s]{3,512})>:([^\n]*(?:\n[^\n]+)*)", re.MULTILINE)
_RETURNS = ("copy of", "original", "unsent", "undelivered", "returned")
_GROUPED = ("original-recipient", "final-recipient", "action", "status")

Group = dict[str, str]


@dataclass(frozen=True, slots=True)
class ReportParts:
    """Decoded bytes of a report: its status, and the header of the mail it returns."""

    status: bytes = b""
    returned: bytes = b""


@dataclass(frozen=True)
class DeliveryReport:
    """`failures` of recipients who will not get the mail (delays are none); `returned` is the
    header of that mail, None where the report does not give it back."""

    failures: tuple[DeliveryFailure, ...]
    returned: Headers | None


def read_report(
    parts: ReportParts, failed_recipients: str = "", text: str = ""
) -> DeliveryReport | None:
    """None if these parts are no report. Mail systems without RFC 3464 name the recipients in the
    field X-Failed-Recipients or in the bounce's text, which ends with the mail. Never raises."""
    if parts.status:
        found = [_failure(group) for group in _groups(parts.status)]
        failures, returned = [failure for failure in found if failure], parts.returned
    else:
        notice, mail = _returned_in(text[:REPORT_BYTES])
        returned = parts.returned or mail.encode("utf-8", "replace")
        failures = _addressed(failed_recipients) or (_told(notice) if returned else [])
        if not failures:
            return None
    return DeliveryReport(
        tuple(dict.fromkeys(failures))[:FAILURES], read_headers(returned) if returned else None
    )


def _returned_in(text: str) -> tuple[str, str]:
    """(what the mail system says, the mail it returns below a line of dashes), of a bounce in plain
    text: qmail, older Exim and Sendmail."""
    end = 0
    for line in text.splitlines(keepends=True):
        end += len(line)
        if _divides(line.strip().lower()):
            return text[: end - len(line)], text[end:].lstrip()
    return text, ""


def _divides(line: str) -> bool:
    """`--- Below this line is a copy of the message.` and the like."""
    told = line.startswith("--") and len(line) < 100 and "message" in line
    return told and any(words in line for words in _RETURNS)


def _told(notice: str) -> list[DeliveryFailure]:
    """Recipients as qmail names them (QSBMF): `<max@kunde.de>:`, and why, up to an empty line."""
    found = []
    for named in _NAMED.finditer(notice):
        address, status = normalise(named[1]), _STATUS.search(named[2])
        if address:
            found.append(DeliveryFailure(address.exact, status[0] if status else ""))
    return found


def _addressed(recipients: str) -> list[DeliveryFailure]:
    return [DeliveryFailure(a.exact, "") for a in map(normalise, _words(recipients)) if a]


def failed_delivery(failures: Sequence[DeliveryFailure], report: str) -> Intent:
    """Notes on a message that went out who did not get it, by the report of that message id."""

    def intent(message: Message | None) -> Message | None:
        if message is None or message.facts.direction != "outbound":
            return None
        known = {(failure.recipient, failure.status) for failure in message.delivery}
        new = [f for f in failures if (f.recipient, f.status) not in known]
        room = FAILURES - len(message.delivery)
        if not new or room <= 0:
            return None
        noted = tuple(replace(failure, report=report) for failure in new[:room])
        return replace(
            message,
            delivery=(*message.delivery, *noted),
            flags=message.flags | {DELIVERY_FAILED},
        )

    return intent


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()[:FAILURES]


def _groups(status: bytes) -> Iterator[Group]:
    """The fields of each recipient. Blank lines part them, or a field that comes again does."""
    for block in _BLANK_LINES.split(status[:REPORT_BYTES]):
        group: Group = {}
        for name, value in split_fields(block).fields:
            if name in _GROUPED and name in group:
                yield group
                group = {}
            group.setdefault(name, value)
        yield group


def _failure(group: Group) -> DeliveryFailure | None:
    recipient = _recipient(group.get("original-recipient")) or _recipient(
        group.get("final-recipient")
    )
    action = strip_comments(group.get("action", "")).strip().lower()
    found = _STATUS.search(group.get("status", ""))
    status = found[0] if found else ""
    permanent = action not in _NO_FAILURES and status.startswith("5")  # `Action: error`, or none
    if not recipient or not (action.startswith("fail") or permanent):
        return None
    return DeliveryFailure(recipient, status)


def _recipient(written: str | None) -> str:
    """`rfc822; max@kunde.de` -> `max@kunde.de`; empty if it is no address."""
    _, _, text = (written or "").rpartition(";")
    address = normalise(strip_comments(text).strip().strip("<>"))
    return address.exact if address else ""
