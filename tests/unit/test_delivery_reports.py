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
