"""Delivery reports: who did not get which mail, and how little a forged one can do."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.corpus import needs_corpus, read_corpus

from ablage.delivery_reports import FAILURES, ReportParts, failed_delivery, read_report
from ablage.mail import read_mail
from ablage.mail_parties import header_identity, mail_identity
from ablage.messages import DeliveryFailure, Entity, Facts, Filing, Message
from ablage.tenancy import TenantId

SENT = (
    b"From: Anna <anna@own.de>\r\nTo: max@kunde.de\r\nSubject: Offer\r\n"
    b"Message-ID: <offer@own.de>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n"
)
MAX = DeliveryFailure("max@kunde.de", "5.1.1")


def status(*groups: str) -> bytes:
    return "\n\n".join(["Reporting-MTA: dns; mx.own.de", *groups]).encode()


def group(recipient: str = "max@kunde.de", action: str = "failed", code: str = "5.1.1") -> str:
    return f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {code}"


def bounce(*groups: str, returned: bytes = SENT, extra: bytes = b"") -> bytes:
    head = (
        b"From: MAILER-DAEMON@mx.own.de\nTo: anna@own.de\nMessage-ID: <b1@mx.own.de>\n"
        + extra
        + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
    )
    parts = [
        b"Content-Type: text/plain\n\nSorry.\n",
        b"Content-Type: message/delivery-status\n\n" + status(*groups) + b"\n",
        b"Content-Type: message/rfc822\n\n" + returned,
    ]
    return head + b"".join(b"--b\n" + part + b"\n" for part in parts) + b"--b--\n"


def message(**changes: object) -> Message:
    made = Message(
        tenant=TenantId("acme"),
        message_id="a" * 26,
        sort_time="2026-11-20T10:00:00Z",
        facts=Facts(direction="outbound"),
        digest="0" * 64,
        filings={Entity("contact", "c1"): Filing(frozenset({"auto"}))},
    )
    return replace(made, **changes)  # type: ignore[arg-type]  a test's own changes


def test_a_report_names_recipient_status_and_the_mail_itself() -> None:
    mail = read_mail(bounce(group()))

    assert (mail.kind, mail.form) == ("bounce", "delivery_report")
    assert mail.report
    assert mail.report.failures == (MAX,)
    assert mail.report.returned
    assert header_identity(mail.report.returned) == mail_identity(read_mail(SENT))


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_is_not_failed_is_no_failure(action: str) -> None:
    report = read_mail(bounce(group(action=action, code="4.4.1"))).report

    assert report
    assert report.failures == ()


def test_each_recipient_is_read_with_or_without_blank_lines_between() -> None:
    two = [group(), group("eva@kunde.de", "failed (bad mailbox)", "5.2.2 (full)")]
    apart = read_report(ReportParts(status(*two)))
    together = read_report(ReportParts(status("\n".join(two)).replace(b"\n", b"\r\n")))

    assert apart
    assert together
    assert apart.failures == together.failures == (MAX, DeliveryFailure("eva@kunde.de", "5.2.2"))


def test_the_address_written_to_counts_where_it_is_told() -> None:
    forwarded = f"Original-Recipient: rfc822;<Max@Kunde.DE>\n{group('m.kunde@gmail.com')}"
    odd = "Original-Recipient: rfc822;\n" + group()

    assert read_report(ReportParts(status(forwarded, odd))).failures == (MAX,)  # type: ignore[union-attr]  asserted by its value


def test_mail_systems_without_a_status_part_name_them_in_a_field() -> None:
    raw = (
        b"Return-Path: <>\nFrom: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\n"
        b"X-Failed-Recipients: max@kunde.de, not an address\n\nSorry.\n"
    )

    assert read_mail(raw).report is not None
    assert read_mail(raw).report.failures == (DeliveryFailure("max@kunde.de", ""),)  # type: ignore[union-attr]  asserted above


def test_a_mail_that_only_says_so_in_words_is_no_report() -> None:
    assert read_mail(SENT + status(group())).report is None
    assert read_report(ReportParts()) is None


def test_a_failed_delivery_is_noted_once_and_files_nothing() -> None:
    before = message()
    intent = failed_delivery([MAX, MAX], "b" * 26)

    after = intent(before)

    assert after
    assert {f.recipient: (f.status, f.report) for f in after.delivery} == {
        "max@kunde.de": ("5.1.1", "b" * 26)
    }
    assert after.flags == {"delivery_failed"}
    assert replace(after, delivery=(), flags=frozenset()) == before
    assert intent(after) is None


@pytest.mark.parametrize("there", [None, message(facts=Facts(direction="inbound"))])
def test_what_never_went_out_cannot_have_failed(there: Message | None) -> None:
    assert failed_delivery([MAX], "b" * 26)(there) is None


def test_many_forged_reports_do_not_grow_a_message_without_end() -> None:
    found = message()
    for number in range(3 * FAILURES):
        failure = DeliveryFailure(f"x{number}@kunde.de", "5.0.0")
        found = failed_delivery([failure], "b" * 26)(found) or found

    assert len(found.delivery) == FAILURES


@given(st.binary(max_size=600), st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_reading_a_report_never_raises(noise: bytes, words: str) -> None:
    read_report(ReportParts(status(group()) + noise, noise), words)
    read_report(ReportParts(b"Final-Recipient: " + noise + b"\nAction: failed"), words)


def _dsn(status_part: str, head: str = "", returned: str = "message/rfc822") -> bytes:
    """The shape of RFC 3464, with a mail system's own fields."""
    whole = (
        f"Return-Path: <>\nMessage-ID: <b@mx.de>\n{head}"
        "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=b\n\n"
        f"--b\n\nSorry.\n\n--b\nContent-Type: message/delivery-status\n\n{status_part}\n"
        f"--b\nContent-Type: {returned}\n\n"
    )
    return whole.encode() + SENT + b"\n--b--\n"


def _in_words(head: str, notice: str) -> bytes:
    return f"Return-Path: <>\nMessage-ID: <b@mx.de>\n{head}\n{notice}\n".encode() + SENT


BOUNCES = {
    "Postfix": _dsn(
        "Reporting-MTA: dns; mx.own.de\nX-Postfix-Queue-ID: 4ABC\n"
        "Arrival-Date: Fri, 20 Nov 2026 10:00:01 +0000 (UTC)\n\n"
        "Final-Recipient: rfc822; max@kunde.de\nOriginal-Recipient: rfc822;max@kunde.de\n"
        "Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.kunde.de\n"
        "Diagnostic-Code: smtp; 550 5.1.1 <max@kunde.de>: User unknown\n",
        "From: MAILER-DAEMON@mx.own.de (Mail Delivery System)\nAuto-Submitted: auto-replied\n",
    ),
    "Exim": _dsn(
        "Reporting-MTA: dns; mx.own.de\n\nAction: failed\n"
        "Final-Recipient: rfc822;max@kunde.de\nStatus: 5.1.1\n",
        "X-Failed-Recipients: max@kunde.de\nFrom: Mail Delivery System <Mailer-Daemon@mx.own.de>\n",
        "text/rfc822-headers",
    ),
    "Exchange Online": _dsn(
        "Reporting-MTA: dns;AM0PR04MB1.eurprd04.prod.outlook.com\n"
        "Received-From-MTA: dns;mx.own.de\nArrival-Date: Fri, 20 Nov 2026 10:00:01 +0000\n\n"
        "Final-Recipient: rfc822;max@kunde.de\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found\n"
        "X-Display-Name: Max Kunde\n",
        "From: <postmaster@own.de>\nX-MS-Exchange-Message-Is-Ndr:\n",
    ),
    "Gmail": _dsn(
        "Reporting-MTA: dns; googlemail.com\nReceived-From-MTA: dns; anna@own.de\n"
        "Arrival-Date: Fri, 20 Nov 2026 02:00:01 -0800 (PST)\n"
        "X-Original-Message-ID: <offer@own.de>\n\nFinal-Recipient: rfc822; max@kunde.de\n"
        "Action: failed\nStatus: 5.1.1\nLast-Attempt-Date: Fri, 20 Nov 2026 02:00:02 -0800 (PST)\n",
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\n"
        "X-Failed-Recipients: max@kunde.de\n",
    ),
    "Sendmail": _dsn(
        "Reporting-MTA: dns; mx.own.de\n\nFinal-Recipient: RFC822; max@kunde.de\n"
        "X-Actual-Recipient: RFC822; max@kunde.de\nAction: failed\nStatus: 5.1.1\n"
        "Remote-MTA: DNS; mx.kunde.de\n",
        "From: Mail Delivery Subsystem <MAILER-DAEMON>\n",
    ),
    "a status without the standard's words": _dsn(
        "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; max@kunde.de\nAction: error\n"
        "Status: 5.1.1\n"
    ),
    "qmail": _in_words(
        "From: MAILER-DAEMON@mx.own.de\nSubject: failure notice\n",
        "Hi. This is the qmail-send program at mx.own.de.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        "<max@kunde.de>:\n192.0.2.1 does not like recipient.\n"
        "Remote host said: 550 5.1.1 no such user\nGiving up on 192.0.2.1.\n\n"
        "--- Below this line is a copy of the message.\n\nReturn-Path: <anna@own.de>",
    ),
}


@pytest.mark.parametrize("system", BOUNCES)
def test_a_bounce_of_each_mail_system_names_whom_and_which(system: str) -> None:
    mail = read_mail(BOUNCES[system])

    assert mail.kind == "bounce"
    assert mail.report
    assert mail.report.failures == (MAX,)
    assert mail.report.returned
    assert header_identity(mail.report.returned) == mail_identity(read_mail(SENT))


@pytest.mark.parametrize(
    "line",
    [
        "------ This is a copy of the message, including all the headers. ------",
        "------ This is a copy of the message's headers. ------",
        "   ----- Original message follows -----",
        "   ----- Unsent message follows -----",
    ],
)
def test_a_mail_returned_in_plain_text_is_found(line: str) -> None:
    head = "From: mailer-daemon@mx.de\nX-Failed-Recipients: max@kunde.de\n"
    report = read_mail(_in_words(head, f"Sorry.\n\n  max@kunde.de\n\n{line}\n")).report

    assert report
    assert report.failures == (DeliveryFailure("max@kunde.de", ""),)
    assert report.returned
    assert report.returned.message_id == "offer@own.de"


def test_who_is_named_in_a_text_that_returns_no_mail_has_not_failed() -> None:
    head = "From: mailer-daemon@mx.de\n"

    assert read_mail(_in_words(head, "<max@kunde.de>:\nis on holiday\n")).report is None


@needs_corpus
@pytest.mark.parametrize(
    ("name", "recipients", "named"),
    [
        ("flanker/bounce/mailbox-full.eml", ["user@aol.com"], "4E326A95.3010907@example.com"),
        ("flanker/bounce/no-mx.eml", [], "19E44CA63F984902B7D654F8FF40F89D@bo"),
        ("ruby-mail/multipart_report_emails/report_530.eml", ["edwin@zzzzzzz.com"],
         "200712232303.lBNN3jDq002941@mail12.rrrr.com.au"),
        ("mimekit/messages/delivery-status-no-blank-line.txt.eml",
         ["newsletter-request@imusic.com"], "31FC7EB4.41C6@netscape.com"),
    ],
)  # fmt: skip
def test_reports_of_real_mail_systems(name: str, recipients: list[str], named: str) -> None:
    report = read_mail(read_corpus(name)).report

    assert report
    assert report.returned
    assert [failure.recipient for failure in report.failures] == recipients
    assert report.returned.message_id == named
