"""The match function through its handler, on real event shapes."""

from typing import Any

import pytest
from tests.support.events import S3_TEST_EVENT, context, s3_created, sqs_event
from tests.support.tenants import connect_account, index_contact, index_many_contacts

from ablage.change import change
from ablage.filings import file_by_hand, unfile
from ablage.messages import Entity, Message, next_version
from ablage.store import jobs, keys, messages
from ablage.store.jobs import Job
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from match.handler import lambda_handler

ACME, OTHER = TenantId("acme"), TenantId("acme2")
C1, K1 = Entity("contact", "c1"), Entity("customer", "k1")
INBOX, SENT = "0" * 16, "1" * 16
RECEIVED = "2026-11-20T10:00:05Z"


def mail(sender: str = "Max <Max@Kunde.DE>", extra: str = "", body: str = "Hello") -> bytes:
    lines = [
        f"From: {sender}",
        "To: me@own.de",
        "Subject: Offer",
        "Message-ID: <m1@kunde.de>",
        "Date: Fri, 20 Nov 2026 10:00:00 +0000",
        *([extra] if extra else []),
    ]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}\r\n").encode()


def stored(
    where: Storage,
    raw: bytes,
    *,
    tenant: TenantId = ACME,
    account: str = "a1",
    uid: int = 1,
    role: str = "inbox",
    job: str | None = None,
) -> str:
    key = RawKey("30d", tenant, account, SENT if role == "sent" else INBOX, 1, uid)
    where.raw.put(key, raw, RawMetadata(RECEIVED, role=role, job=job))
    return key.text


def matched(where: Storage, *raw_keys: str) -> dict[str, Any]:
    return lambda_handler(
        sqs_event(*(s3_created(where.raw.bucket, k) for k in raw_keys)), context()
    )


def archive(where: Storage, entity: Entity, tenant: TenantId = ACME) -> list[dict[str, Any]]:
    rows = where.table.query(keys.archive(tenant, entity.kind, entity.entity_id), newest_first=True)
    return [row for row in rows if not row.get("gone")]


def overview(where: Storage, account: str = "a1", tenant: TenantId = ACME) -> list[dict[str, Any]]:
    return where.table.query(keys.account_partition(tenant, account), prefix="MAIL#")


def the_message(where: Storage, tenant: TenantId = ACME) -> Message:
    (row,) = overview(where, tenant=tenant)
    found = messages.read(where.table, tenant, row["m"])
    assert found is not None
    return found


def connect(where: Storage, tenant: TenantId = ACME) -> None:
    connect_account(where, tenant, "a1", "me@own.de", filing=True)
    index_contact(where, tenant, "max@kunde.de", "c1", ["k1"])


def test_a_known_sender_is_filed_at_contact_and_customer_and_marked(aws: Storage) -> None:
    connect(aws)

    answer = matched(aws, stored(aws, mail()))

    assert answer == {"batchItemFailures": []}
    assert [row["s"] for row in archive(aws, C1) + archive(aws, K1)] == ["Offer", "Offer"]
    assert overview(aws)[0]["fi"] == ["contact#c1", "customer#k1"]
    assert overview(aws)[0]["r"] == "matched"


def test_the_archive_keeps_the_bytes_of_a_filed_mail(aws: Storage) -> None:
    connect(aws)
    raw = mail()

    matched(aws, stored(aws, raw))

    message = the_message(aws)
    (sha,) = message.archived.values()
    assert aws.archive.read(ACME, message.message_id, sha) == raw


def test_mail_of_equal_ids_stays_with_its_tenant(aws: Storage) -> None:
    connect(aws)
    connect_account(aws, OTHER, "a1", "me@own.de", filing=True)

    matched(aws, stored(aws, mail()), stored(aws, mail(), tenant=OTHER))

    assert len(archive(aws, C1)) == 1
    assert archive(aws, C1, OTHER) == []
    assert overview(aws, tenant=OTHER)[0]["r"] == "no_match"


def test_replays_reorders_and_duplicates_of_events_change_nothing(aws: Storage) -> None:
    connect(aws)
    connect_account(aws, ACME, "a2", "two@own.de", filing=True)
    one, two = stored(aws, mail()), stored(aws, mail(), account="a2")
    matched(aws, one, two)
    before = the_message(aws)

    matched(aws, two, one, one)
    matched(aws, one)

    assert the_message(aws) == before
    assert len(archive(aws, C1)) == 1


def test_test_events_and_foreign_objects_are_acknowledged(aws: Storage) -> None:
    foreign = s3_created(aws.raw.bucket, "raw/30d/acme/a1/backup.tar", "../../etc/passwd", "x")
    other_bucket = s3_created("somebody-elses", "raw/30d/acme/a1/0000000000000000/1/1.eml")

    answer = lambda_handler(sqs_event(S3_TEST_EVENT, foreign, other_bucket), context())

    assert answer == {"batchItemFailures": []}


def test_a_broken_record_fails_alone(aws: Storage) -> None:
    connect(aws)
    good = s3_created(aws.raw.bucket, stored(aws, mail()))
    event = sqs_event("{not json", good)

    answer = lambda_handler(event, context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert len(archive(aws, C1)) == 1


def test_an_expired_raw_mail_is_acknowledged_and_its_job_goes_on(aws: Storage) -> None:
    jobs.create(aws.table, Job(ACME, "j1", "sync", "a1", total=1, synced=True), 1_800_000_000)
    key = RawKey("30d", ACME, "a1", INBOX, 1, 1).text

    answer = lambda_handler(sqs_event({"match": {"key": key, "job": "j1"}}), context())

    assert answer == {"batchItemFailures": []}
    assert jobs.get(aws.table, ACME, "j1").done == 1


def test_a_mail_is_ticked_off_its_job_once(aws: Storage) -> None:
    connect(aws)
    jobs.create(aws.table, Job(ACME, "j1", "sync", "a1", total=1), 1_800_000_000)
    key = stored(aws, mail(), job="j1")

    matched(aws, key, key)
    lambda_handler(sqs_event({"match": {"key": key, "job": "j1"}}), context())

    assert jobs.get(aws.table, ACME, "j1").done == 1


def test_a_second_mailbox_adds_a_copy_and_no_second_row(aws: Storage) -> None:
    connect(aws)
    connect_account(aws, ACME, "a2", "two@own.de", filing=True)

    matched(aws, stored(aws, mail("max@kunde.de", "Received: from a by b; x")))
    matched(aws, stored(aws, mail("max@kunde.de"), account="a2"))

    assert len(archive(aws, C1)) == 1
    assert the_message(aws).accounts == ("a1", "a2")
    assert "variant" not in the_message(aws).flags


def test_a_sent_mail_is_filed_at_its_recipients(aws: Storage) -> None:
    connect(aws)
    raw = mail("me@own.de", "Cc: max@kunde.de")

    matched(aws, stored(aws, raw, role="sent"))

    assert len(archive(aws, C1)) == 1
    assert the_message(aws).facts.direction == "outbound"


def test_unfiled_stays_unfiled_when_the_mail_is_synced_again(aws: Storage) -> None:
    connect(aws)
    matched(aws, stored(aws, mail()))
    change(aws, ACME, the_message(aws).message_id, unfile(C1, "eva"))

    matched(aws, stored(aws, mail(), uid=2))

    assert archive(aws, C1) == []
    assert len(archive(aws, K1)) == 1


def test_a_repair_finishes_what_a_dead_writer_left(aws: Storage) -> None:
    connect(aws)
    matched(aws, stored(aws, mail()))
    message = the_message(aws)
    quote = Entity("quote", "q1")
    wanted = file_by_hand(quote, "anna", RECEIVED)(message)
    assert wanted is not None
    messages.write(aws.table, next_version(message, wanted))

    body = {"repair": {"tenant": ACME, "message": message.message_id}}
    lambda_handler(sqs_event(body), context())

    assert len(archive(aws, quote)) == 1
    assert the_message(aws).settled


def test_all_of_many_contacts_of_one_address_all_get_the_mail(aws: Storage) -> None:
    connect_account(aws, ACME, "a1", "me@own.de", filing=True)
    index_many_contacts(aws, ACME, "max@kunde.de", [f"c{number}" for number in range(150)], [])

    matched(aws, stored(aws, mail()))

    message = the_message(aws)
    assert len(message.filings) == 150
    assert len(archive(aws, Entity("contact", "c149"))) == 1
    change(aws, ACME, message.message_id, unfile(Entity("contact", "c0"), "eva"))
    assert len(the_message(aws).filings) == 149


def test_mail_that_says_nothing_is_kept_and_shown_with_a_reason(aws: Storage) -> None:
    connect(aws)
    odd = {
        b"": "ambiguous_sender",
        b"X-Odd: 1\r\n\r\nonly a body": "ambiguous_sender",
        b"From: \xff\xfe\r\nSubject: =?x-none?B?/w==?=\r\n\r\n": "unparseable",
        b"Subject: no from\r\n\r\nbody": "ambiguous_sender",
    }

    raw_keys = [stored(aws, raw, uid=n) for n, raw in enumerate(odd)]
    answer = matched(aws, *raw_keys)

    assert answer == {"batchItemFailures": []}
    assert sorted(row["r"] for row in overview(aws)) == sorted(odd.values())


def test_a_mail_of_25_megabytes_is_filed(aws: Storage) -> None:
    connect(aws)
    raw = mail(body="x" * 76 + "\r\n") + b"y" * (25 * 1024 * 1024)

    matched(aws, stored(aws, raw))

    assert len(archive(aws, C1)) == 1


def test_the_summary_never_logs_an_address(aws: Storage, caplog: pytest.LogCaptureFixture) -> None:
    connect(aws)

    matched(aws, stored(aws, mail()))

    logged = [vars(record) for record in caplog.records if record.name == "match"]
    assert [record["message"] for record in logged] == ["matched"]
    assert "kunde" not in repr(logged)
