"""Messages, overviews and archives through the API, of mails that match has filed."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from tests.support.aws import received_bodies
from tests.support.events import context, s3_created, sqs_event
from tests.support.http_events import Client, shown_entity
from tests.support.tenants import connect_account

from ablage.settings import settings
from ablage.store import messages
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.tenancy import TenantId
from match.handler import lambda_handler as match

acme = Client("acme")
other = Client("other")
user = Client("acme", "read file manage")
INBOX, PROJECTS, SENT = "0" * 16, "1" * 16, "2" * 16
NOW = datetime.now(UTC).replace(microsecond=0)


def received(number):
    return (NOW - timedelta(days=3) + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def arrive(aws, number, *, sender="max@kunde.de", extra="", tenant="acme", folder=INBOX, role=""):
    """One mail into the tenant's mailbox, matched. The key of its raw bytes."""
    at = datetime.fromisoformat(received(number))
    raw = (
        f"From: {sender}\r\nTo: Team <team@own.de>\r\n{extra}Subject: Offer {number}\r\n"
        f"Message-ID: <m{number}@kunde.de>\r\n"
        f"Date: {at.strftime('%a, %d %b %Y %H:%M:%S +0000')}\r\n\r\nHello {number}\r\n"
    ).encode()
    key = RawKey("30d", TenantId(tenant), "anna", folder, 1, number)
    aws.raw.put(key, raw, RawMetadata(received(number), role=role))
    match(sqs_event(s3_created(aws.raw.bucket, key.text)), context())
    return key.text


@pytest.fixture
def mailbox(aws):
    """Two tenants with equal ids; a contact of one customer."""
    for client in (acme, other):
        connect_account(aws, TenantId(client.tenant), "anna", "anna@own.de", filing=True)
    acme("PUT", "/v1/contacts/c-1", {"addresses": ["max@kunde.de"], "customers": ["K1"]})
    received_bodies(settings().match_queue_url)
    return aws


def overview(client=acme, **query):
    return client("GET", "/v1/accounts/anna/messages", query=query).json


def archive(entity, client=acme):
    return client("GET", f"/v1/archives/{entity}").json["items"]


def linked(url):
    """What a link leads to."""
    parts = urlsplit(url)
    place = {"Bucket": parts.netloc.partition(".")[0], "Key": parts.path.lstrip("/")}
    return boto3.client("s3").get_object(**place)["Body"].read()


def only_message(client=acme):
    (row,) = overview(client)["items"]
    return row["message"]


def test_a_known_sender_shows_in_overview_and_archives(mailbox):
    arrive(mailbox, 1)

    (row,) = overview()["items"]
    assert (row["subject"], row["filed"], row["reason"]) == ("Offer 1", True, "matched")
    assert row["filings"] == [
        shown_entity("contact", "c-1"),
        shown_entity("customer", "K1"),
    ]
    assert (row["received_at"], row["folders"]) == (received(1), [INBOX])
    for entity in ("contact/c-1", "customer/K1"):
        (filed,) = archive(entity)
        assert (filed["message"], filed["origins"]) == (row["message"], ["auto"])


def test_the_message_says_where_it_is_filed_and_why(mailbox):
    arrive(mailbox, 1)

    shown = acme("GET", f"/v1/messages/{only_message()}").json

    assert (shown["subject"], shown["message_id"]) == ("Offer 1", "m1@kunde.de")
    assert shown["direction"] == "inbound"
    (looked_at,) = shown["decision"]["addresses"]
    assert looked_at["address"] == "max@kunde.de"
    assert set(looked_at["hits"]) == {"contact#c-1", "customer#K1"}
    assert [c["account"] for c in shown["copies"]] == ["anna"]
    assert {f["entity_id"] for f in shown["filings"]} == {"c-1", "K1"}


def test_equal_mails_of_two_tenants_are_apart(mailbox):
    arrive(mailbox, 1)
    arrive(mailbox, 1, tenant="other")
    message = only_message()
    assert only_message(other) == message

    acme("PUT", f"/v1/messages/{message}/filings/quote/A-7")

    assert other("GET", f"/v1/messages/{message}/filings").json["items"] == []
    assert archive("quote/A-7", other) == []
    assert archive("contact/c-1", other) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/raw"),
        ("GET", "/filings"),
        ("PUT", "/filings/quote/A-7"),
        ("DELETE", "/filings/contact/c-1"),
        ("PUT", "/private"),
        ("DELETE", "/private"),
    ],
)
def test_another_tenants_message_looks_like_none_at_all(mailbox, method, path):
    arrive(mailbox, 1)
    message = only_message()

    theirs = other(method, f"/v1/messages/{message}{path}")

    nobodys = other(method, f"/v1/messages/{'a' * 26}{path}")
    assert (theirs.status, theirs.text) == (404, nobodys.text)
    assert len(archive("contact/c-1")) == 1


def test_filing_by_hand_is_a_set_and_lists_at_once(mailbox):
    arrive(mailbox, 1, sender="stranger@x.de")
    path = f"/v1/messages/{only_message()}/filings/quote/A-7"

    first, again = acme("PUT", path), acme("PUT", path)

    assert (first.status, again.status) == (200, 200)
    assert first.json == again.json
    assert (first.json["origins"], first.json["by"]) == (["manual"], "anna")
    assert len(archive("quote/A-7")) == 1
    assert overview()["items"][0]["reason"] == "manual"


def repairs_waiting():
    """Messages of MatchQueue that are not yet visible."""
    name = "ApproximateNumberOfMessagesDelayed"
    answer = boto3.client("sqs").get_queue_attributes(
        QueueUrl=settings().match_queue_url, AttributeNames=[name]
    )
    return int(answer["Attributes"][name])


def test_filing_by_hand_asks_for_a_repair_and_a_repetition_for_none(mailbox):
    arrive(mailbox, 1, sender="stranger@x.de")
    path = f"/v1/messages/{only_message()}/filings/quote/A-7"
    before = repairs_waiting()

    acme("PUT", path)
    acme("PUT", path)

    assert repairs_waiting() == before + 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "filings/quote/A-7"),
        ("DELETE", "filings/contact/c-1"),
        ("PUT", "private"),
    ],
)
def test_out_of_time_it_is_accepted_and_the_repair_does_the_rest(mailbox, method, path):
    arrive(mailbox, 1)
    message = only_message()
    hurried = Client("acme", remaining_ms=4_000)

    accepted = hurried(method, f"/v1/messages/{message}/{path}")

    assert accepted.status == 202
    repair = {"repair": {"tenant": "acme", "message": message}}
    match(sqs_event(repair), context())
    assert messages.read(mailbox.table, TenantId("acme"), message).settled
    assert len(archive("quote/A-7")) == (path == "filings/quote/A-7")
    assert len(archive("contact/c-1")) == (method == "PUT" and path != "private")


def test_what_was_archived_never_can_still_be_unfiled(mailbox):
    key = arrive(mailbox, 1)
    message = only_message()
    boto3.client("s3").delete_object(Bucket=mailbox.raw.bucket, Key=key)

    assert acme("DELETE", f"/v1/messages/{message}/filings/contact/c-1").status == 204
    assert archive("contact/c-1") == []


def test_unfiling_by_hand_stays_after_the_mail_comes_again(mailbox):
    key = arrive(mailbox, 1)
    message = only_message()

    gone = acme("DELETE", f"/v1/messages/{message}/filings/contact/c-1")
    match(sqs_event(s3_created(mailbox.raw.bucket, key)), context())

    assert (gone.status, gone.text) == (204, "")
    assert archive("contact/c-1") == []
    assert len(archive("customer/K1")) == 1
    filings = acme("GET", f"/v1/messages/{message}/filings").json
    assert filings["unfiled"] == [shown_entity("contact", "c-1")]


def test_filing_by_hand_lifts_an_unfiling(mailbox):
    arrive(mailbox, 1)
    path = f"/v1/messages/{only_message()}/filings/contact/c-1"
    acme("DELETE", path)

    acme("PUT", path)

    assert len(archive("contact/c-1")) == 1


def test_a_private_message_loses_its_automatic_filings(mailbox):
    arrive(mailbox, 1)
    message = only_message()
    acme("PUT", f"/v1/messages/{message}/filings/quote/A-7")

    assert acme("PUT", f"/v1/messages/{message}/private").status == 204

    assert acme("GET", f"/v1/messages/{message}").json["private"]
    assert archive("contact/c-1") == []
    assert len(archive("quote/A-7")) == 1
    assert acme("DELETE", f"/v1/messages/{message}/private").status == 204
    assert not acme("GET", f"/v1/messages/{message}").json["private"]


def test_a_message_whose_bytes_are_gone_cannot_be_filed_by_hand(mailbox):
    key = arrive(mailbox, 1, sender="stranger@x.de")
    message = only_message()
    boto3.client("s3").delete_object(Bucket=mailbox.raw.bucket, Key=key)

    refused = acme("PUT", f"/v1/messages/{message}/filings/quote/A-7")

    assert (refused.status, refused.code) == (410, "raw_expired")
    assert archive("quote/A-7") == []
    assert acme("GET", f"/v1/messages/{message}/filings").json["items"] == []


@pytest.mark.parametrize("sender", ["max@kunde.de", "stranger@x.de"])
def test_the_link_leads_to_the_bytes_of_this_mail_for_five_minutes(mailbox, sender):
    key = arrive(mailbox, 1, sender=sender)
    raw, _ = mailbox.raw.get(RawKey("30d", TenantId("acme"), "anna", INBOX, 1, 1))

    link = acme("GET", f"/v1/messages/{only_message()}/raw").json["url"]

    filed = sender == "max@kunde.de"
    parts = urlsplit(link)
    bucket = parts.netloc.partition(".")[0]
    path = parts.path.lstrip("/")
    assert bucket == (mailbox.archive.bucket if filed else mailbox.raw.bucket)
    assert path.startswith("archive/acme/") if filed else path == key
    body = boto3.client("s3").get_object(Bucket=bucket, Key=path)["Body"].read()
    assert body == raw
    query = parse_qs(parts.query)
    assert {"60"} <= {*query.get("X-Amz-Expires", []), *_left(query)}


def _left(query):
    """Older signatures carry the moment of expiry."""
    now = datetime.now(UTC).timestamp()
    return ["300" for e in query.get("Expires", []) if 0 < int(e) - now <= 300]


def test_no_link_once_the_bytes_are_gone(mailbox):
    key = arrive(mailbox, 1, sender="stranger@x.de")
    boto3.client("s3").delete_object(Bucket=mailbox.raw.bucket, Key=key)

    refused = acme("GET", f"/v1/messages/{only_message()}/raw")

    assert (refused.status, refused.code) == (410, "raw_expired")


def test_lists_are_newest_first_and_paged_without_loss(mailbox):
    for number in range(7):
        arrive(mailbox, number)
    newest_first = [f"Offer {number}" for number in reversed(range(7))]

    for path in ("/v1/accounts/anna/messages", "/v1/archives/contact/c-1"):
        subjects, query = [], {"limit": "3"}
        while query:
            page = acme("GET", path, query=query).json
            subjects += [row["subject"] for row in page["items"]]
            query = {"limit": "3", "cursor": page["next"]} if page["next"] else None
        assert subjects == newest_first


def test_the_overview_is_filtered_by_folder_and_filed_mark(mailbox):
    arrive(mailbox, 1)
    arrive(mailbox, 2, sender="stranger@x.de")
    arrive(mailbox, 3, sender="stranger@x.de", folder=PROJECTS)

    def subjects(**query):
        return [row["subject"] for row in overview(**query)["items"]]

    assert subjects(filed="true") == ["Offer 1"]
    assert subjects(filed="false") == ["Offer 3", "Offer 2"]
    assert subjects(folder=PROJECTS) == ["Offer 3"]
    assert subjects(folder=PROJECTS, filed="true") == []
    first = overview(filed="false", limit="1")
    assert subjects(filed="false", limit="1", cursor=first["next"]) == ["Offer 2"]


def test_bcc_is_shown_only_to_those_who_see_the_mailbox(mailbox):
    mail = {"sender": "anna@own.de", "extra": "Bcc: secret@kunde.de\r\n", "role": "sent"}
    arrive(mailbox, 1, folder=SENT, **mail)
    path = f"/v1/messages/{only_message()}"
    acme("PUT", path + "/filings/quote/q1")

    before = user("GET", path)
    acme("PATCH", "/v1/accounts/anna", {"owner": "anna", "visibility": "full"})

    assert before.status == 200
    assert "secret@kunde.de" not in before.text
    assert user("GET", path).json["bcc"] != []
    assert "secret@kunde.de" not in Client("acme", "read", "bob")("GET", path).text


@pytest.mark.parametrize(
    "entity",
    ["Quote/A", "quote/a%2Fb", "quote/a%20b", "q%23/a", "quote/" + "x" * 129, "-quote/a"],
)
def test_an_entity_out_of_charset_is_refused(mailbox, entity):
    arrive(mailbox, 1)

    filed = acme("PUT", f"/v1/messages/{only_message()}/filings/{entity}")
    read = acme("GET", f"/v1/archives/{entity}")

    assert (filed.status, filed.code) == (read.status, read.code) == (422, "invalid_entity")


def test_a_cursor_of_another_tenant_shows_only_ones_own(mailbox):
    for number in range(3):
        arrive(mailbox, number)
    theirs = overview(limit="1")["next"]
    filed = acme("GET", "/v1/archives/contact/c-1", query={"limit": "1"}).json["next"]

    assert overview(other, cursor=theirs)["items"] == []
    page = other("GET", "/v1/archives/contact/c-1", query={"cursor": filed})
    assert page.json == {"items": [], "next": None}
    crossed = acme("GET", "/v1/archives/contact/c-1", query={"cursor": theirs})
    assert (crossed.status, crossed.code) == (400, "invalid_cursor")


def test_no_part_of_an_answer_tells_bcc_to_who_may_not_see_the_mailbox(mailbox):
    acme("PUT", "/v1/contacts/c-9", {"addresses": ["secret@k.de"]})
    arrive(mailbox, 1, sender="anna@own.de", extra="Bcc: secret@k.de\r\n", folder=SENT, role="sent")
    path = f"/v1/messages/{only_message()}"
    acme("PUT", path + "/filings/quote/q1")

    shown = [user("GET", path + more).text for more in ("", "/filings", "/html", "?content=false")]
    shown += [
        user("GET", "/v1/archives/quote/q1").text,
        user("GET", "/v1/archives/contact/c-9").text,
    ]

    assert all("secret@k.de" not in text and "c-9" not in text for text in shown)
    assert acme("GET", "/v1/archives/contact/c-9").json["items"] != []
    assert user("GET", "/v1/archives/contact/c-9").json == {"items": [], "next": None}
    assert b"\nBcc: secret@k.de" in linked(acme("GET", path + "/raw").json["url"])
    without = linked(user("GET", path + "/raw").json["url"])
    assert b"secret" not in without
    assert without.endswith(b"Hello 1\r\n")


def test_a_stranger_who_put_a_copy_into_his_own_sent_folder_sees_no_bcc(mailbox):
    connect_account(mailbox, TenantId("acme"), "bob", "bob@own.de", filing=True)
    acme("PATCH", "/v1/accounts/bob", {"owner": "user-1"})
    arrive(mailbox, 1, sender="anna@own.de", extra="Bcc: secret@k.de\r\n", folder=SENT, role="sent")
    key = RawKey("30d", TenantId("acme"), "bob", SENT, 1, 1)
    raw, metadata = mailbox.raw.get(RawKey("30d", TenantId("acme"), "anna", SENT, 1, 1))
    mailbox.raw.put(key, raw, metadata)
    match(sqs_event(s3_created(mailbox.raw.bucket, key.text)), context())

    shown = Client("acme", "read", "user-1")("GET", f"/v1/messages/{only_message()}").json

    assert shown["bcc"] == []


def test_an_undeclared_alias_is_suggested_until_it_is_declared(aws):
    account = {"id": "anna", "address": "anna@own.de", "host": "imap.own.de", "username": "anna"}
    filing = {"automatic_filing": {"enabled": True, "since": "2026-01-01T00:00:00Z"}}
    acme("POST", "/v1/accounts", account | {"password": "canary"} | filing)
    acme("PUT", "/v1/contacts/c-1", {"addresses": ["team@own.de"]})

    for number in (1, 2):
        arrive(aws, number, sender="alias@shop.de", folder=SENT, role="sent")

    codes = [(w["code"], w["address"]) for w in acme("GET", "/v1/accounts/anna").json["warnings"]]
    assert codes == [("alias_suggested", "alias@shop.de")]
    assert len(archive("contact/c-1")) == 2
    acme("PATCH", "/v1/accounts/anna", {"aliases": ["alias@shop.de"]})
    assert acme("GET", "/v1/accounts/anna").json["warnings"] == []
