import pytest

from ablage.mail import read_mail

REPORT = (
    b"Content-Type: multipart/report; report-type=%s; boundary=b\n\n--b\n\ntext\n"
    b"--b\nContent-Type: message/%s\n\nx: y\n--b--\n"
)
CALENDAR = (
    b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar%s\n--b--\n"
)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"From: max@x.de\n\nx", "normal"),
        (b"From: max@x.de\nAuto-Submitted: no\n\nx", "normal"),
        (b"From: max@x.de\nReturn-Path: <max@x.de>\nPrecedence: first-class\n\nx", "normal"),
        (b"List-Id: <l.x.de>\n\nx", "bulk"),
        (b"List-Unsubscribe: <mailto:a@x.de>\n\nx", "bulk"),
        (b"Precedence: Bulk\n\nx", "bulk"),
        (b"Precedence: list\n\nx", "bulk"),
        (b"Auto-Submitted: auto-replied (vacation)\n\nx", "auto_reply"),
        (b"Auto-Submitted: auto-generated; x=y\n\nx", "auto_reply"),
        (b"Auto-Submitted: (x) no; y\n\nx", "normal"),
        (b"Return-Path: <>\nFrom: max@x.de\n\nx", "auto_reply"),
        (b"Return-Path: < >\nFrom: MAILER-DAEMON@x.de\n\nx", "bounce"),
        (b"Return-Path: <>\nFrom: postmaster@x.de\n\nx", "bounce"),
        (b"From: MAILER-DAEMON@x.de\n\nx", "normal"),
        (REPORT % (b"delivery-status", b"delivery-status"), "bounce"),
        (REPORT % (b"disposition-notification", b"disposition-notification"), "receipt"),
        (REPORT % (b"feedback-report", b"feedback-report"), "normal"),
        (CALENDAR % b"; method=REQUEST\n\nx", "invitation"),
        (CALENDAR % b"; method=reply\n\nx", "invitation_reply"),
        (CALENDAR % b"\n\nBEGIN:VCALENDAR\nMETHOD:COUNTER\n", "invitation_reply"),
        (CALENDAR % b"\n\nBEGIN:VCALENDAR\nMETHOD:CANCEL\n", "invitation"),
        (CALENDAR % b"\n\nBEGIN:VCALENDAR\n", "normal"),
        (b"Auto-Submitted: auto-generated\n" + CALENDAR % b"; method=REQUEST\n\nx", "invitation"),
        (b"List-Id: <l.x.de>\nAuto-Submitted: auto-generated\n\nx", "auto_reply"),
        (b"X-Unsent: 1\nList-Id: <l.x.de>\n\nx", "draft"),
        (b"X-Unsent: 0\n\nx", "normal"),
    ],
)
def test_the_kind_of_a_mail(raw: bytes, kind: str) -> None:
    assert read_mail(raw).kind == kind


def test_a_forwarded_bounce_is_no_bounce() -> None:
    inner = REPORT % (b"delivery-status", b"delivery-status")
    raw = (
        b"From: max@x.de\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\nsee below\n"
        b"--o\nContent-Type: message/rfc822\n\n" + inner + b"\n--o--\n"
    )

    assert read_mail(raw).kind == "normal"
