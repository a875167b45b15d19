"""GET /v1/trace: a mail's walk by its Message-ID, searched within bounds."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from tests.support.events import context, s3_created, sqs_event
from tests.support.http_events import Client, shown_entity
from tests.support.tenants import connect_account, index_contact

from ablage.store import keys, trace
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.rows import mail_id_digest
from ablage.store.trace import Window
from ablage.tenancy import TenantId
from match.handler import lambda_handler as match

acme, other = Client("acme"), Client("acme2")
ACME, OTHER = TenantId("acme"), TenantId("acme2")
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
RECEIVED = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
DATE = NOW.strftime("%a, %d %b %Y %H:%M:%S +0000")


@pytest.fixture
def mailbox(aws):
    for tenant in (ACME, OTHER):
        connect_account(aws, tenant, "anna", "anna@own.de", filing=True)
    connect_account(aws, ACME, "bob", "bob@own.de", filing=True)
    index_contact(aws, ACME, "max@kunde.de", "c-1", ["K1"])
    return aws


def arrive(aws, number, *, account="anna", tenant=ACME, sender="max@kunde.de", extra="", role=""):
    raw = (
        f"From: {sender}\r\nTo: anna@own.de\r\n{extra}Subject: Offer\r\nDate: {DATE}\r\n"
        f"Message-ID: <m{number}@kunde.de>\r\n\r\nHello\r\n"
    ).encode()
    key = RawKey("30d", tenant, account, ("1" if role == "sent" else "0") * 16, 1, number)
    aws.raw.put(key, raw, RawMetadata(RECEIVED, role=role or "inbox"))
    match(sqs_event(s3_created(aws.raw.bucket, key.text)), context())
    return key.text


def traced(client=acme, **query):
    answer = client("GET", "/v1/trace", query=query)
    assert answer.status == 200, answer.text
    return answer.json


def steps(found):
    return [step["step"] for step in found["items"][0]["steps"]]


def test_the_walk_of_a_mail_in_two_mailboxes(mailbox):
    first = arrive(mailbox, 1)
    second = arrive(mailbox, 1, account="bob")
    boto3.client("s3").delete_object(Bucket="raw-bucket", Key=first)

    found = traced(message_id="<m1@kunde.de>")

    (item,) = found["items"]
    assert steps(found) == [
        *("listed", "stored", "event") * 2,
        "decided",
        "archived",
        "filed",
        "filed",
    ]
    stored = [step for step in item["steps"] if step["step"] == "stored"]
    assert [step["key"] for step in stored] == [first, second]
    assert ["expired" in step["explanation"] for step in stored] == [True, False]
    assert item["decision"]["explanation"].startswith("Filed at contact c-1 and customer K1")
    assert {(box["account"], box["copies"]) for box in found["accounts"]} == {
        ("anna", 1),
        ("bob", 1),
    }
    assert (found["more"], found["rows_searched"]) == (False, 2)


def test_who_knows_sender_and_date_searches_nothing(mailbox):
    arrive(mailbox, 1)

    for date in (DATE, RECEIVED):
        found = traced(message_id="m1@kunde.de", date=date, **{"from": "Max@Kunde.DE"})

        assert (len(found["items"]), found["rows_searched"]) == (1, 0)
    wrong = traced(message_id="m1@kunde.de", date=DATE, **{"from": "x@kunde.de"})
    assert (len(wrong["items"]), wrong["rows_searched"]) == (1, 1)


def test_one_message_id_of_two_senders_is_two_mails(mailbox):
    arrive(mailbox, 1)
    key = RawKey("30d", ACME, "bob", "0" * 16, 1, 9)
    raw = f"From: evil@x.de\r\nMessage-ID: <m1@kunde.de>\r\nDate: {DATE}\r\n\r\nHi\r\n"
    mailbox.raw.put(key, raw.encode(), RawMetadata(RECEIVED))
    match(sqs_event(s3_created(mailbox.raw.bucket, key.text)), context())

    assert len(traced(message_id="m1@kunde.de")["items"]) == 2


def test_unfiling_shows_and_so_does_where_it_never_came(mailbox):
    arrive(mailbox, 1)
    (item,) = traced(message_id="m1@kunde.de")["items"]
    acme("DELETE", f"/v1/messages/{item['message']}/filings/contact/c-1")

    found = traced(message_id="m1@kunde.de")

    assert steps(found)[-1] == "unfiled"
    assert found["items"][0]["unfiled"] == [shown_entity("contact", "c-1")]
    (bob,) = [box for box in found["accounts"] if box["account"] == "bob"]
    assert (bob["copies"], bob["explanation"].split(":")[0]) == (0, "Not seen in this mailbox")


def test_a_mail_of_another_tenant_is_not_found(mailbox):
    arrive(mailbox, 1)

    found = traced(other, message_id="m1@kunde.de", date=DATE, **{"from": "max@kunde.de"})

    assert found["items"] == []
    assert [box["account"] for box in found["accounts"]] == ["anna"]


def test_a_trace_tells_bcc_to_nobody_else(mailbox):
    arrive(mailbox, 1, sender="anna@own.de", extra="Bcc: secret@y.de\r\n", role="sent")
    (walk,) = acme("GET", "/v1/trace", query={"message_id": "m1@kunde.de"}).json["items"]
    acme("PUT", f"/v1/messages/{walk['message']}/filings/quote/q1")
    day = {"from": "anna@own.de", "date": DATE}

    answer = Client("acme", "read")("GET", "/v1/trace", query={"message_id": "m1@kunde.de"} | day)

    assert len(answer.json["items"]) == 1
    assert "secret" not in answer.text


def rows(aws, tenant, account, minutes, mail_id="other@x.de"):
    start = datetime(2026, 11, 1, tzinfo=UTC)
    partition = keys.account_partition(tenant, account)
    client = boto3.client("dynamodb")
    puts = []
    for minute in minutes:
        at = (start + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
        item = {"pk": {"S": partition}, "sk": {"S": f"MAIL#{at}#{'a' * 20}{minute:06d}"}}
        item |= {"c": {"S": at}, "m": {"S": f"{account}{minute}"}}
        item |= {"i": {"B": mail_id_digest(mail_id)}}
        puts.append({"PutRequest": {"Item": item}})
    for at in range(0, len(puts), 25):
        client.batch_write_item(RequestItems={"table": puts[at : at + 25]})


def test_a_search_is_bounded_fair_and_goes_on_where_it_stopped(aws):
    rows(aws, ACME, "a1", range(600, 1100))
    rows(aws, ACME, "a2", [5], "wanted@x.de")
    rows(aws, ACME, "a1", [7], "wanted@x.de")

    first = trace.search(aws.table, ACME, ["a1", "a2"], "wanted@x.de", Window(), limit=400)
    older = Window(until=first.reached)
    then = trace.search(aws.table, ACME, ["a1", "a2"], "wanted@x.de", older, limit=400)

    assert (first.found, first.rows, first.more) == (("a25",), 401, True)
    assert first.reached == "2026-11-01T11:40:00Z"
    assert (then.found, then.more) == (("a17", "a25"), False)


def test_every_mailbox_is_searched_however_many_there_are(aws):
    ids = [f"a{number}" for number in range(20)]
    rows(aws, ACME, "a0", range(100))
    rows(aws, ACME, "a19", [1], "wanted@x.de")

    found = trace.search(aws.table, ACME, ids, "wanted@x.de", Window(), limit=60)

    assert (found.found, found.more) == (("a191",), True)
    assert found.rows <= 62


def test_one_mailbox_alone_can_be_asked_for(mailbox):
    arrive(mailbox, 1)

    bob = traced(message_id="m1@kunde.de", account="bob")

    assert ([box["account"] for box in bob["accounts"]], bob["items"]) == (["bob"], [])
    assert len(traced(message_id="m1@kunde.de", account="anna")["items"]) == 1
    query = {"message_id": "m1@kunde.de", "account": "eva"}
    assert acme("GET", "/v1/trace", query=query).code == "not_found"


def test_a_window_bounds_what_is_read(aws):
    rows(aws, ACME, "a1", range(0, 600, 2), "wanted@x.de")
    window = Window("2026-11-01T00:10:00Z", "2026-11-01T00:14:00Z")

    found = trace.search(aws.table, ACME, ["a1"], "wanted@x.de", window)

    assert (found.found, found.rows, found.more) == (("a114", "a112", "a110"), 3, False)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "invalid_request"),
        ({"message_id": "m@x.de", "date": "some day"}, "invalid_date"),
        ({"message_id": "m@x.de", "until": "0001-01-01T00:00:00Z"}, "invalid_date"),
        ({"message_id": "m@x.de", "sender": "a@b.de"}, "unknown_parameter"),
    ],
)
def test_what_cannot_be_searched_is_refused(aws, query, code):
    assert acme("GET", "/v1/trace", query=query).code == code
