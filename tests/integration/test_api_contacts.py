"""Contacts and customers through the API."""

import pytest
from tests.support.http_events import Client

acme = Client("acme")
other = Client("other")

pytestmark = pytest.mark.usefixtures("aws")

MAX = {"name": "Max", "addresses": ["Max@Kunde.DE"], "customers": ["K1", "K2"]}


def test_a_contact_comes_back_as_it_was_put():
    created = acme("PUT", "/v1/contacts/c-1", MAX)

    assert created.status == 201
    assert acme("GET", "/v1/contacts/c-1").json == {
        "id": "c-1",
        "name": "Max",
        "addresses": ["Max@Kunde.DE"],
        "customers": ["K1", "K2"],
        "url": "",
        "archived": False,
        "source_version": None,
        "version": 1,
        "backfill": None,
        "stale": False,
        "deleted": False,
        "warnings": [],
    }


def test_putting_the_same_contact_again_changes_nothing():
    acme("PUT", "/v1/contacts/c-1", MAX)

    again = acme("PUT", "/v1/contacts/c-1", MAX)

    assert (again.status, again.json["version"]) == (200, 1)


def test_a_contact_is_found_by_any_spelling_of_its_address():
    acme("PUT", "/v1/contacts/c-1", MAX)
    acme("PUT", "/v1/contacts/c-2", {"addresses": ["max@kunde.de"]})

    found = acme("GET", "/v1/contacts", query={"address": "MAX@kunde.de."})

    assert [c["id"] for c in found.json["items"]] == ["c-1", "c-2"]


def test_a_contact_is_no_longer_found_by_an_address_it_lost():
    acme("PUT", "/v1/contacts/c-1", MAX)

    acme("PUT", "/v1/contacts/c-1", MAX | {"addresses": ["neu@kunde.de"]})

    assert acme("GET", "/v1/contacts", query={"address": "max@kunde.de"}).json["items"] == []
    assert acme("GET", "/v1/contacts", query={"address": "neu@kunde.de"}).json["items"] != []


def test_equal_ids_of_two_tenants_are_two_contacts():
    acme("PUT", "/v1/contacts/c-1", MAX)

    assert other("GET", "/v1/contacts/c-1").status == 404
    assert other("GET", "/v1/contacts", query={"address": "max@kunde.de"}).json["items"] == []
    other("PUT", "/v1/contacts/c-1", {"name": "Eve"})
    assert acme("GET", "/v1/contacts/c-1").json["name"] == "Max"


def test_another_tenants_contact_looks_like_none_at_all():
    acme("PUT", "/v1/contacts/c-1", MAX)

    assert other("GET", "/v1/contacts/c-1").text == other("GET", "/v1/contacts/nobody").text


def test_a_deleted_contact_is_gone_from_every_list():
    acme("PUT", "/v1/contacts/c-1", MAX)

    deleted = acme("DELETE", "/v1/contacts/c-1")

    assert (deleted.status, deleted.text) == (204, "")
    assert acme("GET", "/v1/contacts/c-1").code == "not_found"
    assert acme("DELETE", "/v1/contacts/c-1").code == "not_found"
    assert acme("GET", "/v1/contacts").json["items"] == []
    assert acme("GET", "/v1/contacts", query={"address": "max@kunde.de"}).json["items"] == []


def test_a_deleted_contact_can_be_put_again():
    acme("PUT", "/v1/contacts/c-1", MAX)
    acme("DELETE", "/v1/contacts/c-1")

    again = acme("PUT", "/v1/contacts/c-1", MAX)

    assert again.status == 201
    assert len(acme("GET", "/v1/contacts", query={"address": "max@kunde.de"}).json["items"]) == 1


def test_contacts_are_paged_through_without_loss():
    ids = [f"c-{number}" for number in range(7)]
    for contact in ids:
        acme("PUT", f"/v1/contacts/{contact}", {"addresses": ["same@kunde.de"]})

    for query in ({}, {"address": "same@kunde.de"}):
        seen, cursor = [], {}
        while cursor is not None:
            page = acme("GET", "/v1/contacts", query={"limit": "3"} | query | cursor).json
            seen += [item["id"] for item in page["items"]]
            cursor = {"cursor": page["next"]} if page["next"] else None
        assert seen == ids


def test_a_version_somebody_else_replaced_is_not_overwritten():
    etag = acme("PUT", "/v1/contacts/c-1", MAX).headers["ETag"]
    acme("PUT", "/v1/contacts/c-1", MAX | {"name": "Moritz"})

    late = acme("PUT", "/v1/contacts/c-1", MAX, headers={"if-match": etag})

    assert (late.status, late.code) == (412, "version_conflict")
    assert acme("GET", "/v1/contacts/c-1").json["name"] == "Moritz"


def test_a_customer_lists_its_contacts():
    acme("PUT", "/v1/contacts/c-1", MAX)
    acme("PUT", "/v1/customers/K1", {"name": "Kunde", "addresses": ["info@kunde.de"]})

    assert acme("GET", "/v1/customers/K1").json["contacts"] == ["c-1"]
    assert [c["id"] for c in acme("GET", "/v1/customers").json["items"]] == ["K1"]
    assert other("GET", "/v1/customers/K1").code == "not_found"


def test_contacts_leave_a_deleted_customer():
    acme("PUT", "/v1/contacts/c-1", MAX)
    acme("PUT", "/v1/customers/K1", {"name": "Kunde"})

    assert acme("DELETE", "/v1/customers/K1").status == 204

    assert acme("GET", "/v1/contacts/c-1").json["customers"] == ["K2"]
    assert acme("GET", "/v1/customers/K1").code == "not_found"


def test_an_id_is_percent_decoded_once():
    acme("PUT", "/v1/contacts/crm%3A1", MAX)

    assert acme("GET", "/v1/contacts/crm:1").json["id"] == "crm:1"
    assert acme("GET", "/v1/contacts/crm%253A1").code == "invalid_entity"


@pytest.mark.parametrize("contact", ["a%2Fb", "a%20b", "a%00", "%FF", "x" * 129, "a%23b", "ä"])
def test_an_id_out_of_charset_is_refused(contact):
    refused = acme("PUT", f"/v1/contacts/{contact}", MAX)

    assert (refused.status, refused.code) == (422, "invalid_entity")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"addresses": ["a@x.de", "no address"]}, "invalid_address", "/addresses/1"),
        ({"addresses": ["Max <max@x.de>"]}, "invalid_address", "/addresses/0"),
        ({"addresses": [f"a{n}@x.de" for n in range(51)]}, "invalid_request", "/addresses"),
        ({"customers": ["ok", "a/b"]}, "invalid_entity", "/customers/1"),
        ({"customers": [str(n) for n in range(51)]}, "invalid_request", "/customers"),
        ({"name": 3}, "invalid_request", "/name"),
        ({"name": "x" * 201}, "invalid_request", "/name"),
        ({"tenant": "other"}, "invalid_request", "/tenant"),
        ({"version": 7}, "invalid_request", "/version"),
        ({"addresses": "a@x.de"}, "invalid_request", "/addresses"),
        ({"a/b~c": 1}, "invalid_request", "/a~1b~0c"),
    ],
)
def test_a_bad_contact_is_refused_by_field(body, code, pointer):
    refused = acme("PUT", "/v1/contacts/c-1", body)

    assert (refused.status, refused.code) == (422, code)
    assert refused.json["errors"][0]["pointer"] == pointer
    assert acme("GET", "/v1/contacts/c-1").status == 404


@pytest.mark.parametrize("version", ["x", '"-1"', '"1.5"', '"' + "9" * 20 + '"'])
def test_an_etag_that_is_none_of_ours_is_refused(version):
    refused = acme("PUT", "/v1/contacts/c-1", MAX, headers={"if-match": version})

    assert refused.code == "invalid_etag"
