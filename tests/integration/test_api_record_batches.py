"""Contacts, customers and records in batches: each item as its single call, none half done."""

import json
import os

import pytest
from tests.support.aws import received_bodies
from tests.support.http_events import Client
from tests.support.stored_mail import arrive, work_off
from tests.support.tenants import connect_account

from ablage.tenancy import TenantId
from api.handler import RESERVE_SECONDS

acme, other = Client("acme"), Client("other")

pytestmark = pytest.mark.usefixtures("aws")


def batch(*items, of="contacts", client=acme):
    answer = client("POST", f"/v1/{of}/batch", {"items": list(items)})
    assert answer.status == 200, answer.text
    return answer.json["items"]


def said(results):
    return [(r["id"], r["status"], r["outcome"] or r["code"], r["pointer"]) for r in results]


def test_each_item_is_answered_in_order_as_its_single_call_would_be():
    acme("PUT", "/v1/contacts/old", {"name": "Old", "source_version": 5})
    acme("PUT", "/v1/contacts/gone", {})

    results = batch(
        {"id": "new", "name": "New", "addresses": ["new@x.de"], "customers": ["K1"]},
        {"id": "old", "name": "Older", "source_version": 5},
        {"id": "old", "name": "Newer"},
        {"id": "old", "name": "Newer"},
        {"id": "gone", "delete": True},
        {"id": "gone", "delete": True},
        {"id": "bad", "addresses": ["ok@x.de", "no address"]},
        {"id": "bad", "nmae": "x"},
        {"id": "a/b"},
        {"name": "nobody"},
        {"id": "new", "archive": "delete", "delete": True},
        {"id": "x", "delete": "yes"},
        {"id": "x", "type": "lead"},
    )

    assert said(results) == [
        ("new", 201, "created", None),
        ("old", 200, "stale", None),
        ("old", 200, "updated", None),
        ("old", 200, "unchanged", None),
        ("gone", 204, "deleted", None),
        ("gone", 404, "not_found", None),
        ("bad", 422, "invalid_address", "/items/6/addresses/1"),
        ("bad", 422, "invalid_request", "/items/7/nmae"),
        (None, 422, "invalid_entity", "/items/8/id"),
        (None, 422, "invalid_entity", "/items/9/id"),
        ("new", 202, "deleted", None),
        ("x", 422, "invalid_request", "/items/11/delete"),
        (None, 422, "other_type", "/items/12/type"),
    ]
    assert acme("GET", "/v1/contacts/old").json["name"] == "Newer"
    assert acme("GET", "/v1/contacts/bad").status == 404
    assert other("GET", "/v1/contacts").json["items"] == []
    assert acme("GET", f"/v1/jobs/{results[10]['job']}").json["kind"] == "delete_archive"


def test_customers_and_records_come_in_batches_too():
    assert said(batch({"id": "K1", "name": "K"}, of="customers")) == [("K1", 201, "created", None)]
    results = batch(
        {"type": "lead", "id": "L1", "label": "L", "parents": [{"type": "customer", "id": "K1"}]},
        {"type": "customer", "id": "K1", "delete": True},
        {"id": "L2"},
        of="records",
    )

    assert [(r["type"], r["status"], r["pointer"]) for r in results] == [
        ("lead", 201, None),
        ("customer", 204, None),
        (None, 422, "/items/2/type"),
    ]
    assert acme("GET", "/v1/records/lead/L1").json["parents"] == []


def test_a_deletion_in_a_batch_keeps_its_source_version():
    said_first = said(batch({"id": "c1", "delete": True, "source_version": 6}))
    said_then = said(batch({"id": "c1", "name": "late", "source_version": 5}))

    assert said_first == [("c1", 204, "deleted", None)]
    assert said_then == [("c1", 200, "stale", None)]
    assert acme("GET", "/v1/contacts/c1").status == 404
    assert said(batch({"id": "c1", "source_version": 6}, client=other)) == [
        ("c1", 201, "created", None)
    ]


def test_earlier_mail_is_filed_and_own_addresses_are_warned_of(aws):
    connect_account(aws, TenantId("acme"), "anna", "anna@own.de", filing=True)
    arrive(aws, 1, "max@kunde.de", "anna@own.de")

    one, two = batch(
        {"id": "c1", "addresses": ["max@kunde.de"]}, {"id": "c2", "addresses": ["anna@own.de"]}
    )
    work_off()

    assert acme("GET", f"/v1/jobs/{one['job']}").json["state"] == "done"
    assert len(acme("GET", "/v1/archives/contact/c1").json["items"]) == 1
    assert [w["code"] for w in two["warnings"]] == ["own_address"]


def test_where_time_runs_out_the_rest_is_not_done_and_a_repeat_does_it():
    items = [{"id": f"c{number}", "name": "x"} for number in range(4)]
    late = Client("acme", remaining_ms=RESERVE_SECONDS * 1000)

    results = batch(*items, client=late)
    again = batch(*items)

    assert [(r["id"], r["status"], r["code"]) for r in results] == [
        (f"c{number}", 503, "not_done") for number in range(4)
    ]
    assert [r["outcome"] for r in again] == ["created"] * 4
    assert [r["outcome"] for r in batch(*items)] == ["unchanged"] * 4
    assert (
        sum("batch" in json.loads(b) for b in received_bodies(os.environ["MATCH_QUEUE_URL"])) == 0
    )


@pytest.mark.parametrize("items", [[], [{"id": f"c{n}"} for n in range(101)], {"id": "c"}, [1]])
def test_a_batch_has_one_to_a_hundred_items(items):
    refused = acme("POST", "/v1/contacts/batch", {"items": items})

    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"].startswith("/items")


def test_a_hundred_contacts_with_every_address_fit_into_a_call():
    addresses = [f"{'x' * 40}{number}@{'y' * 40}.de" for number in range(50)]
    body = {"name": "ä" * 90, "addresses": addresses}
    late = Client("acme", remaining_ms=RESERVE_SECONDS * 1000)

    assert len(batch(*({"id": f"c{number}"} | body for number in range(100)), client=late)) == 100
