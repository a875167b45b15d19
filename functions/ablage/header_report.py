"""What was read of mails, as JSON in the normal form parsers are compared in."""

import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from ablage.addresses import ascii_domain
from ablage.headers import Mailbox
from ablage.mail import Mail, read_mail

_UNUSABLE = re.compile(r"^[^<]*<")
_ONE_AT = re.compile(
    r"[^\s\"\\@<>,;:]+@(?:[^\s\"\\@<>,;:.\[\]][^\s\"\\@<>,;:\[\]]*|\[[^\s@<>\[\]]+\])"
)
_BLANKS = " \t\r\n\x0b\x0c"


def report(raw: bytes) -> dict[str, Any]:
    """The header fields, attachments and kinds of body of a raw mail.

    Addresses keep the case of their local part, without its quotes; absent is [] or null.
    """
    mail = read_mail(raw)
    headers = mail.headers
    unsplit = "no_boundary_line" in mail.problems  # shown as text, but no text/plain leaf
    return {
        "from": _addresses(headers.from_),
        "sender": _addresses(headers.sender),
        "reply_to": _addresses(headers.reply_to),
        "to": _addresses(headers.to),
        "cc": _addresses(headers.cc),
        "bcc": _addresses(headers.bcc),
        "subject": headers.subject or None,
        "date_utc": _moment(headers.date),
        "message_id": headers.message_id or None,
        "in_reply_to": headers.in_reply_to or None,
        "references": list(headers.references),
        "attachments": _attachments(mail),
        "text_nonempty": bool(mail.text.strip(_BLANKS)) and not unsplit,
        "html_nonempty": bool(mail.html.strip(_BLANKS)),
        "problems": list(mail.problems),
    }


def main() -> None:
    """A JSON line per file, in UTF-8. What cannot be read is named on standard error (status 1)."""
    if not sys.argv[1:]:
        sys.exit("usage: python -m ablage.headers FILE...")
    unread = [name for name in sys.argv[1:] if not _print_report(name)]
    sys.exit(1 if unread else 0)


def _print_report(name: str) -> bool:
    try:
        raw = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{name!r} cannot be read: {getattr(error, 'strerror', error)}\n")
        return False
    line = json.dumps({"file": name, **report(raw)}, ensure_ascii=False) + "\n"
    sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape"))  # of the file's name
    sys.stdout.flush()
    return True


def _addresses(mailboxes: tuple[Mailbox, ...]) -> list[str]:
    return [text for box in mailboxes if (text := _written(box))]


def _written(box: Mailbox) -> str:
    """With a domain that is none as it is: such an address is read, though it matches nothing."""
    spec = box.address.text if box.address else _UNUSABLE.sub("", box.text).removesuffix(">")
    local, _, domain = spec.rpartition("@")
    if not box.address and not _ONE_AT.fullmatch(spec):
        return ""
    if local[:1] == '"':
        local = local[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return f"{local}@{ascii_domain(domain) or domain.lower()}"


def _moment(date: datetime | None) -> str | None:
    return date.replace(tzinfo=None).isoformat(timespec="seconds") + "Z" if date else None


def _attachments(mail: Mail) -> list[dict[str, Any]]:
    found = [
        {"content_type": a.content_type, "filename": a.written_name, "size": a.size}
        for a in mail.attachments
        if a.written_name and not a.content_type.startswith("multipart/")
    ]
    return sorted(found, key=json.dumps)
