"""The blocklist and the policy through the API."""

import pytest
from tests.support.http_events import Client

from ablage.store import keys
from ablage.tenancy import TenantId

acme = Client("acme")
other = Client("other")

pytestmark = pytest.mark.usefixtures("aws")

DEFAULTS = {
    "match_subaddress": False,
    "match_reply_to": False,
    "match_inbound_recipients": False,
    "file_internal_mail": True,
    "file_kinds": ["normal", "bulk", "invitation", "auto_reply"],
    "own_address": "file",
    "own_domains": [],
    "internal_addresses": [],
    "acknowledged": [],
    "backfill_days": 30,
    "fan_out_flag": 25,
    "follow_moves": True,
    "hold_fail": False,
}


def entries(client=acme):
    return [item["value"] for item in client("GET", "/v1/blocklist").json["items"]]


def test_an_entry_shows_who_blocked_what():
    added = acme("POST", "/v1/blocklist", {"entry": "*@Kunde.DE", "note": "why"})

    assert added.status == 201
    (shown,) = acme("GET", "/v1/blocklist").json["items"]
    assert shown == added.json
    assert (shown["kind"], shown["value"], shown["entry"]) == ("domain", "kunde.de", "*@Kunde.DE")
    assert (shown["note"], shown["added_by"]) == ("why", "anna")


def test_match_finds_the_entry_by_its_key(aws):
    acme("POST", "/v1/blocklist", {"entry": "Kunde.DE"})
    acme("POST", "/v1/blocklist", {"entry": "Max@Kunde.DE"})

    acme_id = TenantId("acme")
    assert aws.table.get(keys.blocked_domain(acme_id, "kunde.de")) is not None
    assert aws.table.get(keys.blocked_address(acme_id, "max@kunde.de")) is not None


def test_another_spelling_of_an_entry_is_the_same_entry():
    first = acme("POST", "/v1/blocklist", {"entry": "x.de", "note": "first"})

    again = [acme("POST", "/v1/blocklist", {"entry": e}) for e in ("@x.de", "*@X.DE", "x.de.")]

    assert [answer.status for answer in again] == [200, 200, 200]
    assert [answer.json for answer in again] == [first.json] * 3
    assert entries() == ["x.de"]


def test_an_entry_is_removed_by_its_id():
    entry = acme("POST", "/v1/blocklist", {"entry": "müller@bücher.de"}).json

    removed = acme("DELETE", f"/v1/blocklist/{entry['id']}")

    assert (removed.status, removed.text) == (204, "")
    assert entries() == []
    assert acme("DELETE", f"/v1/blocklist/{entry['id']}").code == "not_found"


@pytest.mark.parametrize("entry_id", ["x", "%00", "T1RIRVIjeA", "QUREUkVTUyM", "a" * 3000, "ä"])
def test_an_id_that_is_none_of_ours_is_not_found(entry_id):
    assert acme("DELETE", f"/v1/blocklist/{entry_id}").code == "not_found"


def test_entries_belong_to_their_tenant():
    entry = acme("POST", "/v1/blocklist", {"entry": "x.de"}).json

    assert entries(other) == []
    theirs = other("DELETE", f"/v1/blocklist/{entry['id']}")
    assert theirs.text == other("DELETE", "/v1/blocklist/none").text
    assert entries() == ["x.de"]


def test_blocking_a_free_mail_domain_warns():
    added = acme("POST", "/v1/blocklist", {"entry": "gmx.de"}).json

    assert [warning["code"] for warning in added["warnings"]] == ["free_mail_domain"]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"entry": "*.x.de"}, "wildcard_inside", "/entry"),
        ({"entry": "co.uk"}, "public_suffix", "/entry"),
        ({"entry": "no entry"}, "invalid_entry", "/entry"),
        ({"entry": ""}, "invalid_entry", "/entry"),
        ({"entry": "x" * 601}, "invalid_request", "/entry"),
        ({"entry": 7}, "invalid_request", "/entry"),
        ({}, "invalid_request", "/entry"),
        ({"entry": "x.de", "note": "x" * 501}, "invalid_request", "/note"),
        ({"entry": "x.de", "kind": "domain"}, "invalid_request", "/kind"),
    ],
)
def test_a_bad_entry_is_refused_by_field(body, code, pointer):
    refused = acme("POST", "/v1/blocklist", body)

    assert (refused.status, refused.code) == (422, code)
    assert refused.json["errors"][0]["pointer"] == pointer
    assert entries() == []


def test_entries_are_paged_through_without_loss():
    values = [f"x{number}.de" for number in range(5)] + ["max@kunde.de"]
    for value in values:
        acme("POST", "/v1/blocklist", {"entry": value})

    first = acme("GET", "/v1/blocklist", query={"limit": "4"}).json
    rest = acme("GET", "/v1/blocklist", query={"limit": "4", "cursor": first["next"]}).json

    assert sorted(item["value"] for item in first["items"] + rest["items"]) == sorted(values)
    assert rest["next"] is None


def test_the_policy_has_its_defaults_until_it_is_set():
    assert acme("GET", "/v1/policy").json == DEFAULTS | {"version": 0}


def test_a_policy_comes_back_normalised_and_only_to_its_tenant():
    body = {
        "own_address": "ask",
        "own_domains": ["@Firma.DE", "firma.de"],
        "internal_addresses": ["Team@Firma.DE"],
        "acknowledged": [{"entity_type": "contact", "entity_id": "c-1"}],
        "file_kinds": ["normal"],
    }

    put = acme("PUT", "/v1/policy", body)

    expected = DEFAULTS | body | {"own_domains": ["firma.de"], "version": 1}
    assert put.json == expected | {"internal_addresses": ["team@firma.de"]}
    assert acme("GET", "/v1/policy").json == put.json
    assert other("GET", "/v1/policy").json["version"] == 0


def test_putting_the_same_policy_again_changes_nothing():
    first = acme("PUT", "/v1/policy", {"match_reply_to": True})

    assert acme("PUT", "/v1/policy", {"match_reply_to": True}).json == first.json


def test_a_policy_somebody_else_replaced_is_not_overwritten():
    etag = acme("PUT", "/v1/policy", {"match_reply_to": True}).headers["ETag"]
    acme("PUT", "/v1/policy", {"match_subaddress": True})

    late = acme("PUT", "/v1/policy", {}, headers={"if-match": etag})

    assert (late.status, late.code) == (412, "version_conflict")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"own_domains": ["gmail.com"]}, "free_mail_domain", "/own_domains/0"),
        ({"own_domains": ["ok.de", "de"]}, "public_suffix", "/own_domains/1"),
        ({"own_domains": ["a b"]}, "invalid_domain", "/own_domains/0"),
        ({"internal_addresses": ["team"]}, "invalid_address", "/internal_addresses/0"),
        ({"own_address": "never"}, "invalid_request", "/own_address"),
        ({"file_kinds": ["bounce"]}, "invalid_request", "/file_kinds/0"),
        ({"match_reply_to": "yes"}, "invalid_request", "/match_reply_to"),
        ({"match_reply_to": 1}, "invalid_request", "/match_reply_to"),
        ({"backfill_days": 366}, "invalid_request", "/backfill_days"),
        ({"backfill_days": True}, "invalid_request", "/backfill_days"),
        ({"acknowledged": ["contact#c"]}, "invalid_request", "/acknowledged/0"),
        ({"version": 1}, "invalid_request", "/version"),
        (
            {"acknowledged": [{"entity_type": "contact", "entity_id": "a/b"}]},
            "invalid_entity",
            None,
        ),
    ],
)
def test_a_bad_policy_is_refused_by_field(body, code, pointer):
    refused = acme("PUT", "/v1/policy", body)

    assert (refused.status, refused.code) == (422, code)
    assert pointer is None or refused.json["errors"][0]["pointer"] == pointer
    assert acme("GET", "/v1/policy").json["version"] == 0
