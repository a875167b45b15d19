"""Mail of the tenant's own system: announced, uploaded by a link, and filed like any other."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.support.events import context, s3_created, sqs_event
from tests.support.http_events import Client
from tests.support.tenants import connect_account, index_contact

from ablage import limits
from ablage.store import uploads
from ablage.store.raw_mail import RawKey, RawMetadata, parse_key
from ablage.tenancy import TenantId
from match.handler import lambda_handler as match

ACME = TenantId("acme")
acme, other = Client("acme"), Client("other")
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
DATE = NOW.strftime("%a, %d %b %Y %H:%M:%S +0000")
OFFER = {"filings": [{"entity_type": "quote", "entity_id": "A-7"}]}


def mail(number=1, sender="anna@own.de", to="max@kunde.de", extra=""):
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: Offer {number}\r\nMessage-ID: <m{number}@erp>\r\n"
        f"Date: {DATE}\r\n{extra}\r\nHello\r\n"
    ).encode()


@pytest.fixture
def house(aws):
    for tenant in ("acme", "other"):
        connect_account(aws, TenantId(tenant), "anna", "anna@own.de", filing=False)
        index_contact(aws, TenantId(tenant), "max@kunde.de", "c-1", ["K1"])
    return aws


def announce(raw, external_id="erp-1", client=acme, **more):
    asked = {"external_id": external_id, "size": len(raw), "direction": "outbound"} | more
    return client("POST", "/v1/messages", asked)


def key_of(upload):
    return unquote(urlsplit(upload["url"]).path).lstrip("/")


def put(aws, raw, upload):
    """What S3 does with the PUT, its signature aside."""
    boto3.client("s3").put_object(
        Bucket=aws.raw.bucket, Key=key_of(upload), Body=raw, IfNoneMatch="*"
    )


def matched(aws, key):
    answer = match(sqs_event(s3_created(aws.raw.bucket, key)), context())
    assert answer == {"batchItemFailures": []}


def post(aws, raw, external_id="erp-1", client=acme, **more):
    """Announced, uploaded and matched: the message's id."""
    upload = announce(raw, external_id, client, **more).json["upload"]
    put(aws, raw, upload)
    matched(aws, key_of(upload))
    return announce(raw, external_id, client, **more).json["message"]


def archived(entity, client=acme):
    return [row["message"] for row in client("GET", f"/v1/archives/{entity}").json["items"]]


def test_posted_mail_is_filed_at_its_recipients_and_where_it_was_said(house):
    message = post(house, mail(), **OFFER)

    for entity in ("contact/c-1", "customer/K1", "quote/A-7"):
        assert archived(entity) == [message]
    shown = acme("GET", f"/v1/messages/{message}").json
    assert (shown["direction"], shown["text"].strip()) == ("outbound", "Hello")
    by_hand = {f["entity_id"]: f["by"] for f in shown["filings"] if f["origins"] == ["manual"]}
    assert by_hand == {"A-7": "anna"}
    (copy,) = shown["copies"]
    assert (copy["source"], copy["external_id"], copy["account"]) == ("api", "erp-1", None)


def test_the_link_takes_one_put_of_exactly_the_size_that_was_told(house):
    raw = mail()
    answer = announce(raw)

    upload = answer.json["upload"]
    query = parse_qs(urlsplit(upload["url"]).query)
    signed = query["X-Amz-SignedHeaders"][0].split(";")
    assert {"content-length", "content-type", "if-none-match"} <= set(signed)
    assert upload["headers"]["Content-Length"] == str(len(raw))
    assert int(query["X-Amz-Expires"][0]) <= 900
    assert parse_key(key_of(upload)).account_id == "@api"
    put(house, raw, upload)
    with pytest.raises(ClientError):
        put(house, b"another", upload)


def test_the_same_external_id_is_the_same_mail(house):
    raw = mail()
    first, again = announce(raw, **OFFER), announce(raw, **OFFER)
    message = post(house, raw, **OFFER)
    after = announce(raw, **OFFER)

    assert (first.status, again.status, after.status) == (201, 200, 200)
    assert key_of(first.json["upload"]) == key_of(again.json["upload"])
    assert (after.json["message"], after.json["upload"]) == (message, None)
    assert archived("quote/A-7") == [message]


def test_an_external_id_of_another_mail_is_refused(house):
    announce(mail())

    refused = announce(mail() + b"more")

    assert (refused.status, refused.code) == (409, "external_id_taken")
    assert refused.json["errors"][0]["pointer"] == "/external_id"


def test_the_event_of_an_upload_that_comes_again_files_nothing_that_was_unfiled_since(house):
    raw = mail()
    message = post(house, raw, **OFFER)
    acme("DELETE", f"/v1/messages/{message}/filings/quote/A-7")

    matched(house, uploads.of_external_id(house.table, ACME, "erp-1").raw_key.text)

    assert archived("quote/A-7") == []
    usage = acme("GET", "/v1/usage").json
    assert sum(day["mails"] for day in usage["days"]) == 1


def test_a_copy_in_a_mailbox_later_is_the_same_message(house):
    raw = mail()
    message = post(house, raw)
    key = RawKey("30d", ACME, "anna", "1" * 16, 1, 1)
    house.raw.put(key, raw, RawMetadata(NOW.isoformat(), role="sent"))
    matched(house, key.text)

    shown = acme("GET", f"/v1/messages/{message}").json

    assert [copy["source"] for copy in shown["copies"]] == ["api", "mailbox"]
    assert archived("contact/c-1") == [message]


def test_the_blocklist_stops_what_would_be_filed_automatically(house):
    acme("POST", "/v1/blocklist", {"entry": "kunde.de"})

    message = post(house, mail(), **OFFER)

    assert archived("contact/c-1") == []
    assert archived("quote/A-7") == [message]


def test_inbound_mail_is_filed_at_its_sender(house):
    message = post(house, mail(sender="max@kunde.de", to="anna@own.de"), direction="inbound")

    assert archived("contact/c-1") == [message]


def test_where_no_direction_is_told_from_decides(house):
    raw = mail(sender="max@kunde.de", to="anna@own.de")

    message = post(house, raw, direction=None)

    assert acme("GET", f"/v1/messages/{message}").json["direction"] == "inbound"
    assert archived("contact/c-1") == [message]


def test_a_contact_made_later_gets_posted_mail_by_back_filling(house):
    message = post(house, mail(to="eva@neu.de"))
    acme("PUT", "/v1/contacts/c-9", {"addresses": ["eva@neu.de"]})
    asked = {"kind": "backfill_contact", "contact": "c-9"}
    job = acme("POST", "/v1/batches", asked).json["id"]

    match(sqs_event({"batch": {"tenant": "acme", "job": job}}), context())

    assert archived("contact/c-9") == [message]


def test_posted_mail_is_decided_again_with_all_other(house):
    message = post(house, mail(to="eva@neu.de"), occurred_at=NOW.isoformat())
    index_contact(house, ACME, "eva@neu.de", "c-9", [])
    job = acme("POST", "/v1/batches", {"kind": "reevaluate", "since": "2020-01-01T00:00:00Z"}).json

    match(sqs_event({"batch": {"tenant": "acme", "job": job["id"]}}), context())

    assert archived("contact/c-9") == [message]


def test_messages_are_found_by_external_id_and_message_id(house):
    message = post(house, mail(), provider_message_id="<0102-ses@eu.amazonses.com>")

    for query in (
        {"external_id": "erp-1"},
        {"message_id": "<m1@erp>"},
        {"message_id": "m1@erp", "from": "anna@own.de", "date": DATE},
        {"message_id": "0102-ses@eu.amazonses.com"},
    ):
        (found,) = acme("GET", "/v1/messages", query=query).json["items"]
        assert (found["id"], found["copies"][0]["external_id"]) == (message, "erp-1"), query
        assert other("GET", "/v1/messages", query=query).json["items"] == []
    (walk,) = acme("GET", "/v1/trace", query={"message_id": "m1@erp"}).json["items"]
    assert "own system" in walk["steps"][0]["explanation"]
    in_anna = {"message_id": "m1@erp", "account": "anna"}
    assert acme("GET", "/v1/trace", query=in_anna).json["items"] == []


def test_whoever_may_not_see_a_message_does_not_find_it(house):
    post(house, mail(to="nobody@x.de"))
    stranger = Client("acme", scopes="read", subject="bert")

    for query in ({"external_id": "erp-1"}, {"message_id": "m1@erp"}):
        assert stranger("GET", "/v1/messages", query=query).json["items"] == []


@pytest.mark.parametrize(("sender", "noted"), [("anna@own.de", True), ("eve@evil.de", False)])
def test_a_bounce_finds_its_mail_by_the_provider_s_message_id(house, sender, noted):
    message = post(house, mail(), provider_message_id="0102-ses")
    report = (
        f"From: MAILER-DAEMON@mx.de\r\nTo: anna@own.de\r\nMessage-ID: <b@mx>\r\nDate: {DATE}\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="r"\r\n\r\n'
        "--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.de\r\n\r\n"
        "Final-Recipient: rfc822; max@kunde.de\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--r\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: {sender}\r\nTo: max@kunde.de\r\n"
        "Message-ID: <0102-ses@eu.amazonses.com>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
        "\r\n--r--\r\n"
    ).encode()
    key = RawKey("30d", ACME, "anna", "0" * 16, 1, 1)
    house.raw.put(key, report, RawMetadata(NOW.isoformat(), role="inbox"))

    matched(house, key.text)

    shown = acme("GET", f"/v1/messages/{message}").json
    assert (shown["delivery"] == "failed") is noted


def test_equal_ids_of_two_tenants_are_two_mails(house):
    ours = post(house, mail(), **OFFER)

    assert announce(mail(2), client=other).status == 201
    assert other("GET", "/v1/messages", query={"external_id": "erp-1"}).json["items"] == []
    assert archived("quote/A-7", other) == []
    assert archived("quote/A-7") == [ours]


def test_what_nobody_announced_is_no_mail(house):
    key = RawKey("30d", ACME, "@api", "1" * 16, 1, 1)
    house.raw.put(key, mail(), RawMetadata(NOW.isoformat()))

    matched(house, key.text)

    assert archived("contact/c-1") == []


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"size": 0}, "/size"),
        ({"size": limits.MESSAGE_BYTES + 1}, "/size"),
        ({"external_id": ""}, "/external_id"),
        ({"direction": "up"}, "/direction"),
        ({"occurred_at": "2126-01-01T00:00:00Z"}, "/occurred_at"),
        ({"filings": [{"entity_type": "Q", "entity_id": "1"}]}, "/filings/0/entity_type"),
        ({"account": "anna"}, "/account"),
    ],
)
def test_what_cannot_be_posted_is_refused_with_its_place(body, pointer):
    refused = acme("POST", "/v1/messages", {"external_id": "e", "size": 10} | body)

    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == pointer


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("query", [{}, {"external_id": "a", "message_id": "b"}])
def test_a_search_names_one_id(query):
    refused = acme("GET", "/v1/messages", query=query)

    assert (refused.status, refused.code) == (422, "one_id_needed")
