"""What was read of mails, as JSON in the normal form parsers are compared in."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from ablage.addresses import ascii_domain
from ablage.headers import Mailbox
from ablage.mail import Mail, read_mail


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
        "text_nonempty": bool(mail.text.strip()) and not unsplit,
        "html_nonempty": bool(mail.html.strip()),
        "problems": list(mail.problems),
    }


def main() -> None:
    for name in sys.argv[1:]:
        line = {"file": name, **report(Path(name).read_bytes())}
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


def _addresses(mailboxes: tuple[Mailbox, ...]) -> list[str]:
    return [_written(box.address.text) for box in mailboxes if box.address]


def _written(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if local[:1] == '"':
        local = local[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return f"{local}@{ascii_domain(domain)}"


def _moment(date: datetime | None) -> str | None:
    return date.strftime("%Y-%m-%dT%H:%M:%SZ") if date else None


def _attachments(mail: Mail) -> list[dict[str, Any]]:
    found = [
        {"content_type": a.content_type, "filename": a.written_name, "size": a.size}
        for a in mail.attachments
        if a.written_name
    ]
    return sorted(found, key=json.dumps)
