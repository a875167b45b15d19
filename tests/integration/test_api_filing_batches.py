"""Filing in batches: each item as the single call would answer, in order, and safe to repeat."""

import pytest
from infra.local.aws import lock_moto
from tests.support.aws import received_bodies
from tests.support.http_events import Client
from tests.support.stored_mail import arrive
from tests.support.tenants import connect_account

from ablage.settings import settings
from ablage.store import messages
from ablage.store.aws import client as aws_client
from ablage.tenancy import TenantId

acme, other = Client("acme"), Client("other")


@pytest.fixture
def mails(aws):
    """Ids of three mails that nobody filed; the other tenant has the first one too."""
    lock_moto()  # items go side by side
    for tenant in ("acme", "other"):
        connect_account(aws, TenantId(tenant), "anna", "anna@own.de", filing=True)
    for number in (1, 2, 3):
        arrive(aws, number, "max@kunde.de", "anna@own.de")
    arrive(aws, 1, "max@kunde.de", "anna@own.de", tenant="other")
    rows = acme("GET", "/v1/accounts/anna/messages").json["items"]
    return [row["message"] for row in sorted(rows, key=lambda row: row["subject"])]


def item(message, action="file", entity="quote/A-7"):
    kind, entity_id = entity.split("/")
    return {"message": message, "entity_type": kind, "entity_id": entity_id, "action": action}


def send(*items, client=acme, **more):
    return client("POST", "/v1/filings/batch", {"items": list(items)}, **more)


def archived(entity="quote/A-7", client=acme):
    return [r["message"] for r in client("GET", f"/v1/archives/{entity}").json["items"]]


def test_each_item_is_answered_as_the_single_call_would_be(mails, aws):
    first, second, third = mails
    expired = f"raw/30d/acme/anna/{'0' * 16}/1/3.eml"
    aws_client("s3").delete_object(Bucket=aws.raw.bucket, Key=expired)

    answer = send(
        item(first), item("a" * 26), item(second, "unfile"), item(third), item(first, entity="x/Y")
    )

    assert answer.status == 200
    assert [(r["status"], r["code"]) for r in answer.json["items"]] == [
        (200, None), (404, "not_found"), (204, None), (410, "raw_expired"), (200, None),
    ]  # fmt: skip
    assert (answer.json["failed"], answer.json["not_done"]) == (2, 0)
    assert archived() == archived("x/Y") == [first]
    single = acme("PUT", f"/v1/messages/{third}/filings/quote/A-7")
    assert (single.status, single.json["detail"]) == (410, answer.json["items"][3]["detail"])


def test_items_of_one_message_are_done_in_their_order(mails):
    send(item(mails[0]), item(mails[0], "unfile"), item(mails[1], "unfile"), item(mails[1]))

    assert archived() == [mails[1]]


def test_a_repeat_changes_nothing(mails, aws):
    asked = [item(mails[0]), item(mails[1], "unfile")]
    send(*asked)
    before = [messages.read(aws.table, TenantId("acme"), m) for m in mails]
    received_bodies(settings().match_queue_url)

    again = send(*asked)

    assert [r["status"] for r in again.json["items"]] == [200, 204]
    assert [messages.read(aws.table, TenantId("acme"), m) for m in mails] == before
    assert received_bodies(settings().match_queue_url) == []


def test_what_there_is_no_time_for_is_told_and_left_alone(mails):
    late = Client("acme", remaining_ms=5_000)

    answer = send(*(item(m) for m in mails), client=late)

    assert [r["code"] for r in answer.json["items"]] == ["not_done"] * 3
    assert answer.json["not_done"] == 3
    assert archived() == []


def test_a_repeat_with_the_same_key_does_what_there_was_no_time_for(mails):
    key = {"Idempotency-Key": "k1"}
    send(item(mails[0]), client=Client("acme", remaining_ms=5_000), headers=key)

    again = send(item(mails[0]), headers=key)

    assert [r["status"] for r in again.json["items"]] == [200]
    assert archived() == [mails[0]]


def test_another_tenant_s_messages_are_not_found(mails):
    answer = send(item(mails[1]), item(mails[0]), client=other)

    assert [r["status"] for r in answer.json["items"]] == [404, 200]
    assert archived() == []
    assert archived(client=other) == [mails[0]]


def test_messages_the_caller_does_not_see_are_not_found(mails):
    stranger = Client("acme", scopes="read file", subject="bert")

    answer = send(item(mails[0]), client=stranger)

    assert [r["status"] for r in answer.json["items"]] == [404]
    assert archived() == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"action": "move"}, "/items/1/action"),
        ({"entity_type": "QUOTE"}, "/items/1/entity_type"),
        ({"entity_id": "a/b"}, "/items/1/entity_id"),
        ({"note": ""}, "/items/1/note"),
    ],
)
def test_a_malformed_item_is_refused_and_nothing_is_done(mails, change, pointer):
    refused = send(item(mails[0]), item(mails[1]) | change)

    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == pointer
    assert archived() == []


@pytest.mark.usefixtures("aws")
def test_more_than_a_hundred_are_refused():
    assert send(*[item("a" * 26)] * 101).status == 422
