"""How much is filed at an entity: bounded, side by side, and no more than the caller sees."""

import time

import pytest
from infra.local.aws import lock_moto
from tests.support.aws_calls import aws_calls
from tests.support.http_events import Client
from tests.support.tenants import connect_account

from ablage import limits
from ablage.messages import Entity
from ablage.store import keys
from ablage.store.accounts import account_item
from ablage.store.lists import archive_count
from ablage.store.storage import Storage
from ablage.tenancy import TenantId

ACME, OTHER = TenantId("acme"), TenantId("other")
acme, other = Client("acme"), Client("other")
NOW = int(time.time())


@pytest.fixture
def house(aws: Storage) -> Storage:
    lock_moto()  # counts go side by side
    return aws


def put(aws, number, entity="quote/A-7", tenant=ACME, **more):
    at = f"2026-11-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    message = "".join(chr(ord("a") + int(digit)) for digit in f"{number:026d}")
    row = {"m": message, "t": at, "s": f"Offer {number}", "p": "max@kunde.de", "w": "inbound",
           "sn": "", "k": "normal", "v": 1, "o": ["auto"], "ac": ["anna"], **more}  # fmt: skip
    aws.table.put(keys.archive_entry(tenant, *entity.split("/"), at, message), row)


def count(entity="quote/A-7", client=acme):
    return client("GET", f"/v1/archives/{entity}/count").json


def test_what_is_filed_is_counted_without_tombstones_and_what_has_expired(house):
    put(house, 1)
    put(house, 2, expires=NOW + 86_400)
    put(house, 3, expires=NOW - 1)
    put(house, 4, gone=True, expires=NOW + 86_400)

    assert count() == {"count": 2, "more": False}
    assert count("quote/A-8") == {"count": 0, "more": False}


def test_another_tenant_s_archive_of_the_same_id_is_another(house):
    put(house, 1)
    put(house, 1, tenant=OTHER)
    put(house, 2, tenant=OTHER)

    assert (count()["count"], count(client=other)["count"]) == (1, 2)


def test_a_count_is_one_query_and_ends_at_its_bound(house):
    for number in range(4):
        put(house, number)
    entity = Entity("quote", "A-7")

    with aws_calls() as calls:
        found = archive_count(house.table, ACME, entity, most=3, now=NOW)
        whole = archive_count(house.table, ACME, entity, most=4, now=NOW)

    assert (found, whole) == ((3, True), (4, False))
    assert calls == ["dynamodb:Query"] * 2


def test_a_caller_counts_what_he_sees(house):
    account = connect_account(house, ACME, "anna", "anna@own.de", filing=True)
    hidden = account_item(account) | {"visibility": "viewers", "owner": "anna"}
    house.table.put(keys.account(ACME, "anna"), hidden)
    for number in range(3):
        put(house, number)
    anna, bert = (Client("acme", scopes="read", subject=name) for name in ("anna", "bert"))

    assert count(client=anna) == {"count": 3, "more": False}
    assert count(client=bert) == {"count": 0, "more": False}


def test_without_time_a_caller_s_count_is_a_beginning(house):
    put(house, 1)
    late = Client("acme", scopes="read", remaining_ms=0)

    assert count(client=late) == {"count": 0, "more": True}


def test_a_hundred_archives_are_counted_in_their_order(house):
    put(house, 1, "quote/A-3")
    put(house, 2, "quote/A-3")
    put(house, 3, "invoice/R-1")
    asked = [{"entity_type": "quote", "entity_id": f"A-{n}"} for n in range(99)]
    asked.append({"entity_type": "invoice", "entity_id": "R-1"})

    items = acme("POST", "/v1/archives/counts", {"items": asked}).json["items"]

    assert [i["entity_id"] for i in items] == [i["entity_id"] for i in asked]
    assert {i["entity_id"]: i["count"] for i in items if i["count"]} == {"A-3": 2, "R-1": 1}
    assert other("POST", "/v1/archives/counts", {"items": asked[:4]}).json["items"][3] == {
        "entity_type": "quote", "entity_id": "A-3", "count": 0, "more": False,
    }  # fmt: skip


def test_the_rows_of_many_counts_are_bounded_together(house):
    most = limits.ROWS_COUNTED // limits.ARCHIVES_COUNTED
    for number in range(most + 1):
        put(house, number)
    asked = [{"entity_type": "quote", "entity_id": "A-7"}] * limits.ARCHIVES_COUNTED

    items = acme("POST", "/v1/archives/counts", {"items": asked}).json["items"]

    assert {(item["count"], item["more"]) for item in items} == {(most, True)}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("items", "pointer"),
    [
        ([], "/items"),
        ([{"entity_type": "quote", "entity_id": "1"}] * 101, "/items"),
        ([{"entity_type": "quote", "entity_id": "1"}, {"entity_type": "X", "entity_id": "1"}],
         "/items/1"),
        ([{"entity_type": "quote"}], "/items/0/entity_id"),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_is_refused_with_its_place(items, pointer):
    refused = acme("POST", "/v1/archives/counts", {"items": items})

    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == pointer
