"""What holds of every mail, however odd: reading it ends, and what was read can be stored."""

import json

from ablage.header_report import report
from ablage.headers import read_headers
from ablage.mail import attachment_content, read_mail


def check_header(raw: bytes) -> None:
    headers = read_headers(raw)
    line = json.dumps({"report": report(raw), "all": dict(headers.fields)}, ensure_ascii=False)

    assert line.encode("utf-8")
    assert "\\u0000" not in line
    mailboxes = (*headers.from_, *headers.to, *headers.cc, *headers.reply_to)
    assert all(box.address is None or box.address.exact for box in mailboxes)
    assert headers.original_sender is not None
    assert headers.evidence is not None
    assert all(moment is None or moment.tzinfo for moment in (headers.date, headers.received))


def check_mail(raw: bytes) -> None:
    check_header(raw)
    mail = read_mail(raw)

    assert "body_unreadable" not in mail.problems
    assert len(mail.snippet.encode()) <= 160
    assert (mail.text + mail.html).encode() is not None
    assert all(attachment_content(raw, part.number) is not None for part in mail.attachments)
