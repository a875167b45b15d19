"""POST /v1/explain: the same decision as match makes, of a mail nobody stores."""

import base64
import json

import pytest
from tests.support.aws_calls import aws_calls
from tests.support.events import context, s3_created, sqs_event
from tests.support.http_events import Client
from tests.support.tenants import connect_account, index_contact

from ablage.limits import EXPLAIN_BYTES
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.tenancy import TenantId
from match.handler import lambda_handler as match

acme, other = Client("acme"), Client("acme2")
RECEIVED = "2026-11-20T10:00:05Z"


def mail(sender="Max <Max@Kunde.DE>", to="anna@own.de", extra=""):
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: Offer\r\nMessage-ID: <m1@x.de>\r\n"
        f"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n{extra}\r\nHello secret-word\r\n"
    )


@pytest.fixture
def mailbox(aws):
    for client in (acme, other):
        connect_account(aws, TenantId(client.tenant), "anna", "anna@own.de", filing=True)
    index_contact(aws, TenantId("acme"), "max@kunde.de", "c-1", ["K1"])
    acme("POST", "/v1/blocklist", {"entry": "spam.de"})
    return aws


def explained(client=acme, **body):
    answer = client("POST", "/v1/explain", body)
    assert answer.status == 200, answer.text
    return answer.json


def entities(found):
    return {(e["entity_type"], e["entity_id"]) for e in found["would_file"]}


@pytest.mark.parametrize(
    "body",
    [
        {"message": mail()},
        {"message": base64.b64encode(mail().encode()).decode()},
        {"headers": mail().partition("\r\n\r\n")[0]},
        {"message": mail(), "account": "anna", "received_at": "2026-11-20T11:00:05+01:00"},
    ],
    ids=["text", "base64", "headers", "account"],
)
def test_what_would_happen_and_why(mailbox, body):
    found = explained(**body)

    assert entities(found) == {("contact", "c-1"), ("customer", "K1")}
    assert found["explanation"] == (
        "Filed at contact c-1 and customer K1, because it came from max@kunde.de."
    )
    assert found["decision"]["reason"] == "matched"
    assert found["decision"]["versions"] == {"normaliser": 1, "policy": 0}
    assert found["read_as"]["sender"] == ["max@kunde.de"]
    assert found["message"] is None


@pytest.mark.parametrize(
    ("changes", "body", "reason"),
    [
        ({"sender": '"max@kunde.de" <b@unknown.de>'}, {}, "no_match"),
        ({"sender": "a@sub.spam.de"}, {}, "blocklist"),
        ({"sender": "anna@own.de", "to": "max@kunde.de"}, {"role": "sent"}, "matched"),
        ({}, {"role": "drafts"}, "kind"),
        ({"extra": "Sensitivity: Private\r\n"}, {}, "private"),
        ({}, {"account": "anna", "received_at": "2025-12-31T23:59:59Z"}, "before_since"),
        ({"sender": "nobody"}, {}, "unparseable"),
    ],
)
def test_every_gate_answers_as_match_would(mailbox, changes, body, reason):
    found = explained(message=mail(**changes), **body)

    assert found["decision"]["reason"] == reason
    assert bool(found["would_file"]) is (reason == "matched")
    assert found["decision"]["explanation"] == found["explanation"]


def test_it_decides_like_match_itself(mailbox):
    raw = mail("anna@own.de", "max@kunde.de, eva@kunde.de", "Cc: x@spam.de\r\n").encode()
    asked = explained(message=raw.decode(), account="anna", role="sent")
    key = RawKey("30d", TenantId("acme"), "anna", "1" * 16, 1, 1)
    mailbox.raw.put(key, raw, RawMetadata(RECEIVED, role="sent"))
    match(sqs_event(s3_created(mailbox.raw.bucket, key.text)), context())
    (row,) = acme("GET", "/v1/accounts/anna/messages").json["items"]
    stored = acme("GET", f"/v1/messages/{row['message']}").json

    again = explained(message=raw.decode(), account="anna", role="sent")

    assert asked["decision"] == stored["decision"] == again["decision"]
    assert entities(asked) == {(e["entity_type"], e["entity_id"]) for e in stored["filings"]}
    assert again["message"] == row["message"]
    assert again["would_file"] == []
    assert again["message_explanation"] == stored["decision"]["explanation"]


def test_a_mail_taken_away_by_hand_would_not_be_filed_again(mailbox):
    raw = mail().encode()
    key = RawKey("30d", TenantId("acme"), "anna", "0" * 16, 1, 1)
    mailbox.raw.put(key, raw, RawMetadata(RECEIVED, role="inbox"))
    match(sqs_event(s3_created(mailbox.raw.bucket, key.text)), context())
    (row,) = acme("GET", "/v1/accounts/anna/messages").json["items"]
    for filed in ("contact/c-1", "customer/K1"):
        acme("DELETE", f"/v1/messages/{row['message']}/filings/{filed}")

    found = explained(message=mail())

    assert found["would_file"] == []
    assert "took it away" in found["message_explanation"]


def test_another_tenants_contacts_say_nothing(mailbox):
    assert explained(other, message=mail())["decision"]["reason"] == "no_match"
    assert acme("POST", "/v1/explain", {"message": mail(), "account": "bob"}).code == "not_found"


def test_nothing_is_written_sent_or_logged(mailbox, capsys, caplog):
    with aws_calls() as calls:
        explained(message=mail(), account="anna")

    assert set(calls) <= {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}
    said = capsys.readouterr().out + caplog.text
    assert not [word for word in ("secret-word", "kunde.de", "Offer") if word in said]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "message_or_headers"),
        ({"message": mail(), "headers": "From: a@b.de"}, 422, "message_or_headers"),
        ({"message": "no mail"}, 422, "not_a_mail"),
        ({"message": mail(), "received_at": "yesterday"}, 422, "invalid_request"),
        ({"message": mail(), "role": "spam"}, 422, "invalid_request"),
        ({"message": mail() + "x" * EXPLAIN_BYTES}, 413, "message_too_large"),
        ({"message": mail() + "x" * 2 * EXPLAIN_BYTES}, 413, "body_too_large"),
    ],
)
def test_what_cannot_be_explained_is_refused_clearly(mailbox, body, status, code):
    answer = acme("POST", "/v1/explain", body)

    assert (answer.status, answer.code) == (status, code)


def test_a_mail_of_a_megabyte_is_still_explained(mailbox):
    text = mail()
    whole = text + "x" * (EXPLAIN_BYTES - len(text))

    assert entities(explained(message=base64.b64encode(whole.encode()).decode()))


def test_other_routes_keep_their_limit(mailbox):
    answer = acme("POST", "/v1/blocklist", json.dumps({"entry": "x" * 70_000}))

    assert (answer.status, answer.code) == (413, "body_too_large")


def test_one_needs_the_scope_read(mailbox):
    assert Client("acme", scopes="file manage")(
        "POST", "/v1/explain", {"message": mail()}
    ).code == ("insufficient_scope")
