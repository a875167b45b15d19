"""A raw mail -> everything the house knows of it from its bytes. Never raises."""

import hashlib
from dataclasses import dataclass

from ablage.delivery_reports import DeliveryReport, read_report
from ablage.headers import Headers, read_headers
from ablage.mail_body import Attachment, MailBody, read_attachment, read_body, unread_body
from ablage.mail_form import mail_form
from ablage.mail_kind import mail_kind
from ablage.snippets import snippet

__all__ = ["Attachment", "Mail", "attachment_content", "read_mail"]


@dataclass(frozen=True)
class Mail:
    """`kind` as of `mail_kind`; `digest` is the SHA-256 (hex) of the decoded content, the same for
    one mail in several mailboxes; `snippet` at most 160 bytes of UTF-8; `size` and `sha256` of the
    raw bytes; `limited` if the body was not, or not wholly, read; `problems` are stable codes.
    `form` as of `mail_form`; `report` what a delivery report says, None for any other mail."""

    headers: Headers
    kind: str
    digest: str
    snippet: str
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    size: int
    sha256: str
    limited: bool
    problems: tuple[str, ...]
    form: str = "plain"
    report: DeliveryReport | None = None


def read_mail(raw: bytes) -> Mail:
    headers = read_headers(raw)
    body = _guarded_body(raw, headers)
    kind = mail_kind(headers, body)
    return Mail(
        headers=headers,
        kind=kind,
        digest=body.digest,
        snippet=snippet(body.text, body.html),
        text=body.text,
        html=body.html,
        attachments=body.attachments,
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        limited=body.limited or "header_limited" in headers.problems,
        problems=(*(() if raw else ("empty",)), *headers.problems, *body.problems),
        form=mail_form(body.leaves, body.text),
        report=_report(headers, body) if kind == "bounce" else None,
    )


def _report(headers: Headers, body: MailBody) -> DeliveryReport | None:
    return read_report(body.report, headers.get("x-failed-recipients") or "", body.text)


def attachment_content(raw: bytes, number: int) -> bytes | None:
    """The decoded bytes of `Mail.attachments[number - 1]`; None if there is none."""
    return read_attachment(raw, read_headers(raw), number)


def _guarded_body(raw: bytes, headers: Headers) -> MailBody:
    """The guard round one message: whatever its body does to us, it is filed by its headers."""
    try:
        return read_body(raw, headers)
    except Exception:
        return unread_body(raw, "body_unreadable")
