"""Text, attachments and failed deliveries of stored mail through the API; bombs through match."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from tests.support.events import context, s3_created, sqs_event
from tests.support.http_events import Client
from tests.support.tenants import connect_account, index_contact

from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.tenancy import TenantId
from match.handler import lambda_handler as match

acme, other = Client("acme"), Client("acme2")
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
RECEIVED = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
DATE = NOW.strftime("%a, %d %b %Y %H:%M:%S +0000")
PDF = bytes(range(256))


def head(sender, number, extra=""):
    return (
        f"From: {sender}\r\nTo: {'max@kunde.de' if 'own' in sender else 'anna@own.de'}\r\n"
        f"Subject: Mail {number}\r\nMessage-ID: <m{number}@x.de>\r\nDate: {DATE}\r\n{extra}"
    ).encode()


def with_file(number=1, name="../Angebot \u20ac.pdf"):
    attached = base64.encodebytes(PDF).replace(b"\n", b"\r\n")
    quoted = f"=?utf-8?B?{base64.b64encode(name.encode()).decode()}?="
    return head("max@kunde.de", number, 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n') + (
        b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Guten <b>Tag</b></p>\r\n<p>zwei"
        b"</p>\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="' + quoted.encode() + b'"\r\n\r\n'
        + attached + b"--b--\r\n"
    )  # fmt: skip


def bounce(number, returned, recipient="max@kunde.de", extra=""):
    kind = 'Content-Type: multipart/report; report-type=delivery-status; boundary="r"\r\n\r\n'
    return head("MAILER-DAEMON@mx.de", number, extra + kind) + (
        b"--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.de\r\n\r\n"
        b"Final-Recipient: rfc822; " + recipient.encode() + b"\r\nAction: failed\r\n"
        b"Status: 5.1.1\r\n\r\n--r\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        + returned + b"\r\n--r--\r\n"
    )  # fmt: skip


@pytest.fixture
def mailbox(aws):
    for client in (acme, other):
        connect_account(aws, TenantId(client.tenant), "anna", "anna@own.de", filing=True)
    index_contact(aws, TenantId("acme"), "max@kunde.de", "c-1", ["K1"])
    return aws


def arrive(aws, raw, uid, *, role="inbox", tenant="acme"):
    """The id of the message it became."""
    folder = "1" * 16 if role == "sent" else "0" * 16
    key = RawKey("30d", TenantId(tenant), "anna", folder, 1, uid)
    aws.raw.put(key, raw, RawMetadata(RECEIVED, role=role))
    answer = match(sqs_event(s3_created(aws.raw.bucket, key.text)), context())
    assert answer == {"batchItemFailures": []}
    rows = Client(tenant)("GET", "/v1/accounts/anna/messages", query={"limit": "100"}).json
    (found,) = [row for row in rows["items"] if row["subject"] == f"Mail {uid}"]
    return found["message"]


def shown(message, client=acme, **query):
    return client("GET", f"/v1/messages/{message}", query=query).json


def test_a_message_shows_text_and_attachments(mailbox):
    message = shown(arrive(mailbox, with_file(), 1))

    assert message["text"] == "Guten Tag\nzwei"
    assert (message["has_html"], message["text_truncated"]) == (True, False)
    (attached,) = message["attachments"]
    assert (attached["number"], attached["name"]) == (1, "Angebot \u20ac.pdf")
    assert (attached["content_type"], attached["size"]) == ("application/pdf", 256)
    assert (message["form"], message["problems"]) == ("plain", [])
    assert message["delivery"] is None


def test_an_attachment_is_a_link_to_a_file_that_lies_there_for_a_day(mailbox):
    message = arrive(mailbox, with_file(), 1)

    link = acme("GET", f"/v1/messages/{message}/attachments/1").json["url"]

    asked = urlsplit(link)
    key = asked.path.lstrip("/").removeprefix("archive-bucket/")
    stored = boto3.client("s3").get_object(Bucket="archive-bucket", Key=key)
    assert stored["Body"].read() == PDF
    assert stored["ContentDisposition"].startswith('attachment; filename="Angebot _.pdf"')
    assert parse_qs(asked.query)["response-content-disposition"] == [stored["ContentDisposition"]]
    assert key.startswith(f"parts/acme/{message}/")
    for wrong in ("2", "0", "x"):
        assert acme("GET", f"/v1/messages/{message}/attachments/{wrong}").status in (404, 422)
    assert other("GET", f"/v1/messages/{message}/attachments/1").code == "not_found"


def test_long_text_is_cut_and_says_so(mailbox):
    raw = head("max@kunde.de", 1) + b"\r\n" + "Grüße ".encode() * 12_000

    message = shown(arrive(mailbox, raw, 1))

    assert len(message["text"].encode()) <= 64 * 1024
    assert message["text_truncated"] is True


def test_a_mail_that_expired_is_shown_by_its_facts(mailbox):
    message = arrive(mailbox, head("stranger@y.de", 1) + b"\r\nHello", 1)
    boto3.client("s3").delete_object(
        Bucket="raw-bucket", Key=RawKey("30d", TenantId("acme"), "anna", "0" * 16, 1, 1).text
    )

    found = shown(message)

    assert (found["subject"], found["problems"]) == ("Mail 1", ["raw_expired"])
    assert found["text"] is found["attachments"] is found["form"] is None
    assert acme("GET", f"/v1/messages/{message}/attachments/1").code == "raw_expired"
    assert shown(message, content="false")["problems"] == []


def deep():
    start = b"".join(b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1)
                     for n in range(3000))  # fmt: skip
    return b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n" + start


BOMBS = {
    "deep": deep(),
    "wide": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\n\n\n" * 5000,
    "many lines": b"\r\n" + b"\n" * 2_000_001,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=list(BOMBS))
def test_a_bomb_is_a_limited_message_and_filed_by_its_header(mailbox, bomb):
    message = shown(arrive(mailbox, head("max@kunde.de", 1) + bomb, 1))

    assert "limited" in message["flags"]
    assert {f["entity_id"] for f in message["filings"]} == {"c-1", "K1"}
    assert message["problems"]
    assert (message["text"] is None) is ("body_too_large" in message["problems"])


def test_a_bounce_is_attached_to_the_mail_it_names(mailbox):
    sent = head("anna@own.de", 1, "Bcc: secret@y.de\r\n")
    message = arrive(mailbox, sent + b"\r\nHello", 1, role="sent")
    before = shown(message)

    report = arrive(mailbox, bounce(2, sent), 2)
    arrive(mailbox, bounce(2, sent), 2)  # a replay
    arrive(mailbox, bounce(3, sent, "secret@y.de"), 3)

    found = shown(message)
    assert (before["delivery"], found["delivery"]) == (None, "failed")
    first, blind = found["delivery_failures"]
    assert first == {"recipient": "max@kunde.de", "status": "5.1.1", "report": report}
    assert blind["recipient"] == "secret@y.de"
    others = Client("acme", scopes="read")("GET", f"/v1/messages/{message}").json
    assert others["delivery_failures"] == [first]
    assert found["filings"] == before["filings"]
    (row,) = [
        row
        for row in acme("GET", "/v1/archives/contact/c-1").json["items"]
        if row["message"] == message
    ]
    assert "delivery_failed" in row["flags"]
    assert shown(report)["form"] == "delivery_report"
    assert shown(report)["filings"] == []


def test_a_bounce_whose_sender_is_forged_marks_nothing(mailbox):
    sent = head("anna@own.de", 1)
    message = arrive(mailbox, sent + b"\r\nHello", 1, role="sent")
    failed = "Authentication-Results: mx.own.de; dmarc=fail header.from=mx.de\r\n"

    arrive(mailbox, bounce(2, sent, extra=failed), 2)
    forged = shown(message)["delivery"]
    arrive(mailbox, bounce(3, sent), 3)

    assert (forged, shown(message)["delivery"]) == (None, "failed")


def test_a_bounce_reaches_no_other_tenant_and_no_mail_that_came_in(mailbox):
    sent = head("anna@own.de", 1)
    elsewhere = arrive(mailbox, sent + b"\r\nHello", 1, role="sent", tenant="acme2")
    came_in = arrive(mailbox, head("max@kunde.de", 4) + b"\r\nHello", 4)

    arrive(mailbox, bounce(2, sent), 2)
    arrive(mailbox, bounce(3, head("max@kunde.de", 4)), 3)

    assert shown(elsewhere, other)["delivery"] is None
    assert shown(came_in)["delivery"] is None
