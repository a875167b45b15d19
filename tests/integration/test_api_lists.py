"""Short pages: tombstones and what has expired are left out, and `next` alone tells of more."""

import time

import pytest
from tests.support.http_events import Client
from tests.support.tenants import connect_account

from ablage.store import keys
from ablage.store.lists import ROWS_READ
from ablage.tenancy import TenantId
from api.openapi import main

acme = Client("acme")
ACME = TenantId("acme")


def message_id(number):
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:026d}")


def row(number, **more):
    at = f"2026-11-01T00:{number // 60:02d}:{number % 60:02d}Z"
    return at, {
        "m": message_id(number), "t": at, "s": f"Offer {number}", "p": "max@kunde.de",
        "w": "inbound", "sn": "", "k": "normal", "v": 1, **more,
    }  # fmt: skip


def put_archived(aws, number, **more):
    at, item = row(number, o=["auto"], **more)
    aws.table.put(keys.archive_entry(ACME, "quote", "A-7", at, message_id(number)), item)


def put_listed(aws, number, **more):
    at, item = row(number, n=0, r="no_match", fo=["0" * 16], **more)
    aws.table.put(keys.overview(ACME, "anna", at, message_id(number)), item | {"c": at})


def walk(path, **query):
    """Subjects of each page."""
    pages, cursor = [], {}
    while cursor is not None:
        page = acme("GET", path, query=query | cursor).json
        pages.append([item["subject"] for item in page["items"]])
        cursor = {"cursor": page["next"]} if page["next"] else None
    return pages


def test_a_page_of_an_archive_leaves_out_tombstones(aws):
    put_archived(aws, 1)
    for number in (2, 3):
        put_archived(aws, number, gone=True)
    put_archived(aws, 4)

    pages = walk("/v1/archives/quote/A-7", limit="2")

    assert pages == [["Offer 4"], ["Offer 1"], []]


def test_what_has_expired_is_left_out_before_it_is_deleted(aws):
    connect_account(aws, ACME, "anna", "anna@own.de", filing=False)
    now = int(time.time())
    put_listed(aws, 1, expires=now - 1)
    put_listed(aws, 2, expires=now + 600)
    put_listed(aws, 3)

    assert walk("/v1/accounts/anna/messages") == [["Offer 3", "Offer 2"]]


def test_a_filter_that_hits_nothing_reads_a_bounded_number_of_rows(aws):
    connect_account(aws, ACME, "anna", "anna@own.de", filing=False)
    for number in range(ROWS_READ + 20):
        put_listed(aws, number)

    page = acme("GET", "/v1/accounts/anna/messages", query={"filed": "true"}).json

    assert page["items"] == []
    query = {"filed": "true", "cursor": page["next"]}
    rest = acme("GET", "/v1/accounts/anna/messages", query=query)
    assert rest.json == {"items": [], "next": None}


@pytest.mark.usefixtures("aws")
def test_contacts_of_what_is_no_address_are_refused():
    refused = acme("GET", "/v1/contacts", query={"address": "nobody"})

    assert (refused.status, refused.code) == (422, "invalid_address")
    assert refused.json["errors"][0]["pointer"] == "address"


@pytest.mark.usefixtures("aws")
def test_contacts_of_an_address_nobody_has_are_none():
    answer = acme("GET", "/v1/contacts", query={"address": "nobody@x.de"})

    assert answer.json == {"items": [], "next": None}


@pytest.mark.usefixtures("aws")
def test_customers_are_paged_through_and_saved_once():
    for customer in ("K1", "K2", "K3"):
        acme("PUT", f"/v1/customers/{customer}", {"name": customer})
    again = acme("PUT", "/v1/customers/K1", {"name": "K1"})
    acme("DELETE", "/v1/customers/K2")

    first = acme("GET", "/v1/customers", query={"limit": "2"}).json
    rest = acme("GET", "/v1/customers", query={"limit": "2", "cursor": first["next"]}).json

    assert (again.status, again.json["version"]) == (200, 1)
    assert [c["id"] for c in first["items"] + rest["items"]] == ["K1", "K3"]


def test_the_check_of_the_description_passes():
    assert main(["--check"]) == 0
