"""Mail held for a person: what comes onto the list, what accept and reject make of it."""

import pytest
from tests.support.aws import received_bodies
from tests.support.events import context, s3_created, sqs_event
from tests.support.http_events import Client
from tests.support.tenants import connect_account, index_contact, index_many_contacts

from ablage.policy import Policy
from ablage.settings import settings
from ablage.store import policies
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.tenancy import TenantId
from match.handler import lambda_handler as match

acme, other = Client("acme"), Client("other")
FAILED = "Authentication-Results: mx.own.de; dmarc=fail header.from=%s\r\n"


def arrive(aws, number, sender, to, *, tenant="acme", verdict=FAILED, role="inbox"):
    trace = verdict % sender.partition("@")[2] if verdict else ""
    raw = (
        f"{trace}From: {sender}\r\nTo: {to}\r\nSubject: Mail {number}\r\n"
        f"Message-ID: <m{number}@x>\r\nDate: Fri, 20 Nov 2026 10:00:{number:02d} +0000\r\n"
        "\r\nHi\r\n"
    ).encode()
    folder = "1" * 16 if role == "sent" else "0" * 16
    key = RawKey("30d", TenantId(tenant), "anna", folder, 1, number)
    aws.raw.put(key, raw, RawMetadata("2026-11-20T10:00:00Z", role=role))
    match(sqs_event(s3_created(aws.raw.bucket, key.text)), context())


def repair():
    """What is queued for match, delivered."""
    bodies = received_bodies(settings().match_queue_url)
    match(sqs_event(*bodies), context())


@pytest.fixture
def held(aws):
    """In two tenants: mail that claims to be ours, to a customer."""
    for client in (acme, other):
        tenant = TenantId(client.tenant)
        connect_account(aws, tenant, "anna", "anna@own.de", filing=True)
        index_contact(aws, tenant, "max@kunde.de", "c1", ["k1"])
        arrive(aws, 1, "anna@own.de", "max@kunde.de", tenant=client.tenant)
    return aws


def review(client=acme, **query):
    return client("GET", "/v1/review", query=query).json["items"]


def archive(client=acme, entity="contact/c1"):
    return client("GET", f"/v1/archives/{entity}").json["items"]


def test_mail_that_claims_to_be_ours_waits_for_a_verdict(held):
    (row,) = review()

    assert (row["reason"], row["address"]) == ("claimed_own", "anna@own.de")
    assert (row["authentication"], row["subject"]) == ("fail", "Mail 1")
    message = acme("GET", f"/v1/messages/{row['message']}").json
    assert (message["review"], message["authentication"]) == ("held", "fail")
    assert (message["filings"], archive()) == ([], [])


def test_accepted_mail_is_decided_and_leaves_the_list(held):
    (row,) = review()

    first = acme("PUT", f"/v1/review/{row['message']}", {"verdict": "accept"})
    repair()
    again = acme("PUT", f"/v1/review/{row['message']}", {"verdict": "accept"})

    assert (first.status, first.json["decided"]) == (202, False)
    assert (again.status, again.json["decided"], again.json["reason"]) == (200, True, "matched")
    assert [one["message"] for one in archive()] == [row["message"]]
    message = acme("GET", f"/v1/messages/{row['message']}").json
    assert (message["direction"], message["review"]) == ("outbound", "accepted")
    assert (review(), len(review(other)), archive(other)) == ([], 1, [])
    assert received_bodies(settings().match_queue_url) == []


def test_rejected_mail_is_filed_by_nothing_until_somebody_thinks_again(held):
    (row,) = review()
    path = f"/v1/review/{row['message']}"

    rejected = acme("PUT", path, {"verdict": "reject"})
    arrive(held, 1, "anna@own.de", "max@kunde.de", verdict="", role="sent")
    stays = archive()
    acme("PUT", path, {"verdict": "accept"})
    repair()

    assert (rejected.status, rejected.json["review"]) == (200, "rejected")
    assert rejected.json["reason"] == "claimed_own"
    assert (stays, review()) == ([], [])
    assert len(archive()) == 1


def test_what_was_filed_on_acceptance_goes_with_a_rejection(held):
    (row,) = review()
    path = f"/v1/review/{row['message']}"
    acme("PUT", path, {"verdict": "accept"})
    repair()
    assert len(archive()) == 1

    acme("PUT", path, {"verdict": "reject"})

    assert archive() == []


def test_the_sent_copy_of_held_mail_decides_it(held):
    arrive(held, 1, "anna@own.de", "max@kunde.de", verdict="", role="sent")

    assert (len(archive()), review()) == (1, [])


def test_policy_holds_forged_mail_of_contacts_only(held):
    wanted = Policy(hold_fail=True)
    policies.put_policy(held.table, TenantId("acme"), wanted, Policy())
    for client in (acme, other):
        arrive(held, 2, "max@kunde.de", "anna@own.de", tenant=client.tenant)
        arrive(held, 3, "stranger@x.de", "anna@own.de", tenant=client.tenant)

    newest, _ = review()
    acme("PUT", f"/v1/review/{newest['message']}", {"verdict": "accept"})
    repair()

    assert (newest["reason"], newest["address"]) == ("ambiguous_sender", "max@kunde.de")
    assert [row["subject"] for row in archive()] == ["Mail 2"]
    assert [row["authentication"] for row in archive(other)] == ["fail"]


def test_the_list_comes_in_pages_newest_first(held):
    for number in (2, 3):
        arrive(held, number, "anna@own.de", "max@kunde.de")

    page = acme("GET", "/v1/review", query={"limit": "2"}).json
    rest = review(cursor=page["next"])

    assert [row["subject"] for row in (*page["items"], *rest)] == ["Mail 3", "Mail 2", "Mail 1"]
    foreign = acme("GET", "/v1/review", query={"cursor": "QUJD"})
    assert (foreign.status, foreign.code) == (400, "invalid_cursor")


def test_a_verdict_is_asked_for_held_mail_only(held):
    arrive(held, 2, "max@kunde.de", "anna@own.de", verdict="")
    (filed,) = archive()
    (row,) = review(other)

    refused = acme("PUT", f"/v1/review/{filed['message']}", {"verdict": "accept"})
    unknown = acme("PUT", f"/v1/review/{'a' * 26}", {"verdict": "accept"})
    odd = acme("PUT", f"/v1/review/{row['message']}", {"verdict": "perhaps"})

    assert (refused.status, refused.code) == (409, "not_held")
    assert (unknown.status, odd.status) == (404, 422)
    reader = Client("acme", scopes="read")
    assert reader("PUT", f"/v1/review/{row['message']}", {"verdict": "accept"}).status == 403


def test_one_call_keeps_a_message_at_some_of_very_many_contacts(aws):
    connect_account(aws, TenantId("acme"), "anna", "anna@own.de", filing=True)
    index_many_contacts(
        aws, TenantId("acme"), "info@kunde.de", [f"c{n}" for n in range(30)], ["k1"]
    )
    arrive(aws, 1, "info@kunde.de", "anna@own.de", verdict="")
    (row,) = archive(entity="contact/c29")
    path = f"/v1/messages/{row['message']}/filings"
    keep = {"keep": [{"entity_type": "contact", "entity_id": "c7"}]}

    unfiled = acme("PUT", path, {"keep": [{"entity_type": "contact", "entity_id": "c77"}]})
    kept = acme("PUT", path, keep)
    again = acme("PUT", path, keep)
    arrive(aws, 1, "info@kunde.de", "anna@own.de", verdict="")

    assert row["flags"] == ["fan_out"]
    assert (unfiled.status, unfiled.code) == (422, "not_filed")
    assert (kept.status, kept.json["items"][0]["entity_id"]) == (200, "c7")
    assert (len(kept.json["items"]), len(kept.json["unfiled"])) == (1, 30)
    assert again.json == kept.json
    assert (archive(entity="contact/c29"), archive(entity="customer/k1")) == ([], [])
    (left,) = archive(entity="contact/c7")
    assert left["flags"] == []
