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
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
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


def read_report(parts: ReportParts, failed_recipients: str = "") -> DeliveryReport | None:
    """None if these parts are no report. `failed_recipients`: the field X-Failed-Recipients, in
    which mail systems without RFC 3464 name them. Never raises."""
    found = [_failure(group) for group in _groups(parts.status)]
    failures = [failure for failure in found if failure]
    if not parts.status:
        failures = [
            DeliveryFailure(a.exact, "") for a in map(normalise, _words(failed_recipients)) if a
        ]
    if not parts.status and not failures:
        return None
    returned = read_headers(parts.returned) if parts.returned else None
    return DeliveryReport(tuple(dict.fromkeys(failures))[:FAILURES], returned)


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
    if not recipient or not (action == "failed" or (not action and status.startswith("5"))):
        return None
    return DeliveryFailure(recipient, status)


def _recipient(written: str | None) -> str:
    """`rfc822; max@kunde.de` -> `max@kunde.de`; empty if it is no address."""
    _, _, text = (written or "").rpartition(";")
    address = normalise(strip_comments(text).strip().strip("<>"))
    return address.exact if address else ""
