"""Records of any type: put, read, listed, deleted; where their addresses lead; labels in lists."""

from collections import Counter

import pytest
from tests.support.aws_calls import aws_calls
from tests.support.http_events import Client
from tests.support.stored_mail import arrive, work_off
from tests.support.tenants import connect_account

from ablage.store import keys
from ablage.store.record_writes import DELETED_SECONDS
from ablage.tenancy import TenantId

acme, other = Client("acme"), Client("other")
LEAD = "/v1/records/lead/L1"
OFFER = {"label": "Angebot AN-2026/17", "url": "https://crm.example/offers/17?tab={1}"}

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def company(aws):
    for client in (acme, other):
        connect_account(aws, TenantId(client.tenant), "anna", "anna@own.de", filing=True)
    return aws


def archive(entity, client=acme, **query):
    return client("GET", f"/v1/archives/{entity}", query=query or None).json["items"]


def subjects(entity, client=acme):
    return [row["subject"] for row in archive(entity, client)]


def test_a_record_comes_back_as_it_was_put():
    body = OFFER | {
        "addresses": ["Lea@Lead.DE"],
        "parents": [{"type": "project", "id": "P1"}],
        "source_version": 7,
    }

    created = acme("PUT", LEAD, body)

    assert (created.status, created.headers["ETag"]) == (201, '"1"')
    assert acme("GET", LEAD).json == {
        "type": "lead",
        "id": "L1",
        **body,
        "archived": False,
        "version": 1,
        "backfill": None,
        "stale": False,
        "deleted": False,
        "warnings": [],
    }
    assert other("GET", LEAD).code == "not_found"
    assert [r["id"] for r in acme("GET", "/v1/records/lead").json["items"]] == ["L1"]
    assert other("GET", "/v1/records/lead").json["items"] == []


def test_records_are_paged_through_without_loss():
    for number in range(5):
        acme("PUT", f"/v1/records/lead/L{number}", {"label": str(number)})

    seen, query = [], {"limit": "2"}
    while query:
        page = acme("GET", "/v1/records/lead", query=query).json
        seen += [record["id"] for record in page["items"]]
        query = {"limit": "2", "cursor": page["next"]} if page["next"] else None

    assert seen == [f"L{number}" for number in range(5)]


def test_an_address_leads_to_every_active_record_and_to_each_ones_parents(company):
    parents = [{"type": "project", "id": "P1"}, {"type": "customer", "id": "K1"}]
    acme("PUT", LEAD, {"addresses": ["lea@lead.de"], "parents": parents})
    acme("PUT", "/v1/records/supplier/S1", {"addresses": ["lea@lead.de"]})
    acme("PUT", "/v1/records/supplier/S2", {"addresses": ["lea@lead.de"], "archived": True})
    acme("PUT", "/v1/contacts/c1", {"addresses": ["lea@lead.de"], "customers": ["K2"]})
    other("PUT", "/v1/records/supplier/S9", {"addresses": ["lea@lead.de"]})

    arrive(company, 1, "lea@lead.de", "anna@own.de")

    filed = [f"{e}/{i}" for e, i in (("lead", "L1"), ("project", "P1"), ("customer", "K1"),
             ("supplier", "S1"), ("contact", "c1"), ("customer", "K2"))]  # fmt: skip
    assert [entity for entity in filed if subjects(entity) == ["Mail 1"]] == filed
    assert subjects("supplier/S2") == subjects("supplier/S9") == []
    (row,) = acme("GET", "/v1/accounts/anna/messages").json["items"]
    assert row["filings_count"] == 6


def test_a_grandparent_is_not_filed_at(company):
    acme("PUT", LEAD, {"addresses": ["l@x.de"], "parents": [{"type": "project", "id": "P1"}]})
    acme("PUT", "/v1/records/project/P1", {"parents": [{"type": "program", "id": "G"}]})

    arrive(company, 1, "l@x.de", "anna@own.de")

    assert subjects("project/P1") == ["Mail 1"]
    assert subjects("program/G") == []


def test_earlier_mail_of_a_records_new_address_is_filed_and_the_warning_names_it(company):
    arrive(company, 1, "lea@lead.de", "anna@own.de")

    put = acme("PUT", LEAD, {"addresses": ["lea@lead.de", "anna@own.de"]})
    work_off()

    assert acme("GET", f"/v1/jobs/{put.json['backfill']}").json["state"] == "done"
    assert subjects("lead/L1") == ["Mail 1"]
    (warning,) = put.json["warnings"]
    assert (warning["code"], warning["entity_type"], warning["entity_id"], warning["messages"]) == (
        "own_address",
        "lead",
        "L1",
        1,
    )


def test_contacts_and_customers_are_records_of_their_type():
    parents = [{"type": "customer", "id": "K1"}, {"type": "project", "id": "P1"}]
    acme("PUT", "/v1/contacts/c1", {"name": "Max", "addresses": ["m@x.de"], "customers": ["K1"]})

    assert acme("GET", "/v1/records/contact/c1").json["label"] == "Max"
    assert acme("GET", "/v1/records/contact/c1").json["parents"] == parents[:1]
    acme("PUT", "/v1/records/contact/c1", {"label": "Max M.", "parents": parents})
    assert acme("GET", "/v1/contacts/c1").json["name"] == "Max M."
    assert acme("GET", "/v1/customers/K1/contacts").json["items"][0]["id"] == "c1"
    assert other("GET", "/v1/customers/K1/contacts").json["items"] == []
    acme("PUT", "/v1/contacts/c1", {"name": "Max", "customers": ["K2"]})
    kept = acme("GET", "/v1/records/contact/c1").json["parents"]
    assert kept == [{"type": "customer", "id": "K2"}, parents[1]]


def test_contacts_of_a_customer_are_paged():
    for number in range(3):
        acme("PUT", f"/v1/contacts/c{number}", {"customers": ["K1"]})

    first = acme("GET", "/v1/customers/K1/contacts", query={"limit": "2"}).json
    rest = acme("GET", "/v1/customers/K1/contacts", query={"cursor": first["next"]}).json

    assert [c["id"] for c in first["items"]] == ["c0", "c1"]
    assert ([c["id"] for c in rest["items"]], rest["next"]) == (["c2"], None)


def test_children_leave_a_deleted_record_and_follow_a_merged_contact():
    acme("PUT", "/v1/contacts/c1", {})
    acme("PUT", "/v1/contacts/c2", {})
    parents = [{"type": "contact", "id": "c1"}, {"type": "project", "id": "P1"}]
    acme("PUT", LEAD, {"parents": parents})
    acme("PUT", "/v1/records/project/P1", {})

    acme("DELETE", "/v1/records/project/P1")
    acme("POST", "/v1/contacts/c1/merge", {"into": "c2"})

    assert acme("GET", LEAD).json["parents"] == [{"type": "contact", "id": "c2"}]
    assert acme("GET", "/v1/records/contact/c1").json["merged_into"] == "c2"


def test_records_that_are_each_others_parents_can_all_be_deleted(aws):
    one, two = "/v1/records/project/P1", "/v1/records/project/P2"
    acme("PUT", one, {"parents": [{"type": "project", "id": "P2"}]})
    acme("PUT", two, {"parents": [{"type": "project", "id": "P1"}]})

    assert acme("PUT", one, {"parents": [{"type": "project", "id": "P1"}]}).code == "its_own_parent"
    assert [acme("DELETE", path).status for path in (one, two)] == [204, 204]


def test_a_deleted_record_takes_its_archive_along_where_asked(company):
    acme("PUT", LEAD, {"addresses": ["lea@lead.de"]})
    arrive(company, 1, "lea@lead.de", "anna@own.de")

    assert acme("DELETE", LEAD).status == 204
    assert subjects("lead/L1") == ["Mail 1"]
    assert acme("DELETE", LEAD, query={"archive": "delete"}).status == 202
    work_off()
    assert subjects("lead/L1") == []
    assert acme("GET", LEAD).code == acme("DELETE", LEAD).code == "not_found"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://x.de/a",
        "//x.de",
        "https://",
        "https:///a",
        "https://bank.de@evil.de/",
        'https://x.de/"onclick',
        "https://x.de/a b",
        "https://x.de\\@evil.de",
        "https://x.de/\x00",
        " https://x.de",
        "https://x.de/\n",
        "data:text/html,x",
    ],
)
def test_a_link_is_whole_and_http_alone(url):
    refused = acme("PUT", LEAD, {"url": url})

    assert (refused.status, refused.code) == (422, "invalid_url")
    assert refused.json["errors"][0]["pointer"] == "/url"


def test_a_link_has_an_end():
    assert acme("PUT", LEAD, {"url": "https://x.de/" + "a" * 2000}).code == "invalid_request"
    assert acme("PUT", LEAD, {"url": "https://x.de/" + "a" * 1987}).status == 201


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"parents": [{"type": "Project", "id": "1"}]}, "invalid_entity", "/parents/0"),
        ({"parents": [{"type": "project", "id": "a/b"}]}, "invalid_entity", "/parents/0"),
        ({"parents": [{"type": "project"}]}, "invalid_request", "/parents/0/id"),
        ({"addresses": ["x"]}, "invalid_address", "/addresses/0"),
        ({"name": "x"}, "invalid_request", "/name"),
        ({"source_version": -1}, "invalid_source_version", "/source_version"),
        ({"source_version": "yesterday"}, "invalid_source_version", "/source_version"),
        ({"source_version": "2026-11-26T10:00:00"}, "invalid_source_version", "/source_version"),
        ({"source_version": 10**18}, "invalid_source_version", "/source_version"),
    ],
)
def test_a_bad_record_is_refused_by_field(body, code, pointer):
    refused = acme("PUT", LEAD, body)

    assert (refused.status, refused.code) == (422, code)
    assert refused.json["errors"][0]["pointer"] == pointer
    assert acme("GET", LEAD).status == 404


def test_lists_and_filings_show_label_and_link_of_today(company):
    acme("PUT", "/v1/records/quote/Q1", OFFER)
    acme("PUT", "/v1/contacts/c1", {"name": "Max", "addresses": ["max@kunde.de"]})
    other("PUT", "/v1/records/quote/Q1", {"label": "Theirs"})
    arrive(company, 1, "max@kunde.de", "anna@own.de")
    (row,) = archive("contact/c1")
    filing = f"/v1/messages/{row['message']}/filings/quote/Q1"
    shown = {"entity_type": "quote", "entity_id": "Q1", **OFFER}
    max_shown = {"entity_type": "contact", "entity_id": "c1", "label": "Max", "url": None}

    by_hand = acme("PUT", filing).json
    acme("PUT", f"/v1/messages/{row['message']}/filings/quote/Q2")

    assert row["entity"] == max_shown
    assert by_hand.items() >= shown.items()
    assert archive("quote/Q1")[0]["entity"] == shown
    assert archive("quote/Q1", labels="false")[0]["entity"]["label"] is None
    (overview,) = acme("GET", "/v1/accounts/anna/messages").json["items"]
    nothing = {"entity_type": "quote", "entity_id": "Q2", "label": None, "url": None}
    assert overview["filings"] == [max_shown, shown, nothing]
    for path in ("", "/filings"):
        read = acme("GET", f"/v1/messages/{row['message']}{path}").json
        (quote,) = [f for f in read.get("filings", read.get("items")) if f["entity_id"] == "Q1"]
        assert quote.items() >= shown.items()
    acme("PUT", "/v1/records/quote/Q1", {"label": "Auftrag"})
    assert archive("quote/Q1")[0]["entity"]["label"] == "Auftrag"


def test_labels_cost_one_call_a_page_where_somebody_wants_them(company):
    acme("PUT", "/v1/contacts/c1", {"addresses": ["max@kunde.de"], "customers": ["K1"]})
    for number in range(3):
        arrive(company, number, "max@kunde.de", "anna@own.de")

    def made(path, labels):
        with aws_calls() as seen:
            acme("GET", path, query={"labels": labels})
        return Counter(call for call in seen if call.endswith(("Query", "BatchGetItem")))

    for path in ("/v1/archives/contact/c1", "/v1/accounts/anna/messages"):
        more = made(path, "true") - made(path, "false")
        assert more == {"dynamodb:BatchGetItem": 1}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (7, 8),
        (9, 10),
        ("2026-11-26T10:00:00Z", "2026-11-26T11:00:00.5+01:00"),
        ("2026-11-26T10:00:00.000001Z", "2026-11-26T10:00:00.000002Z"),
        (999, "2020-01-01T00:00:00Z"),
    ],
)
def test_an_older_or_equal_write_changes_nothing_and_says_so(older, newer):
    acme("PUT", LEAD, {"label": "new", "source_version": newer})

    for late in (older, newer):
        answer = acme("PUT", LEAD, {"label": "old", "source_version": late})
        assert (answer.status, answer.json["stale"], answer.json["label"]) == (200, True, "new")
    assert acme("GET", LEAD).json["version"] == 1
    assert other("PUT", LEAD, {"label": "old", "source_version": older}).status == 201


def test_a_write_without_a_source_version_counts_and_keeps_the_one_that_was():
    acme("PUT", "/v1/customers/K1", {"name": "A", "source_version": 5})

    acme("PUT", "/v1/customers/K1", {"name": "B"})

    late = acme("PUT", "/v1/customers/K1", {"name": "C", "source_version": 5})
    assert (late.json["name"], late.json["stale"]) == ("B", True)
    assert late.json["source_version"] == 5


def test_a_late_older_write_does_not_bring_back_what_was_deleted():
    acme("PUT", "/v1/contacts/c1", {"addresses": ["m@x.de"], "source_version": 5})

    late = acme("DELETE", "/v1/contacts/c1", query={"source_version": "4"})
    assert (late.status, late.json) == (200, {"stale": True})
    assert acme("DELETE", "/v1/contacts/c1", query={"source_version": "6"}).status == 204
    older = acme("PUT", "/v1/contacts/c1", {"name": "Max", "source_version": 6})
    assert (older.status, older.json["stale"], older.json["deleted"]) == (200, True, True)
    assert acme("GET", "/v1/contacts/c1").status == 404
    assert acme("GET", "/v1/contacts", query={"address": "m@x.de"}).json["items"] == []
    assert acme("PUT", "/v1/contacts/c1", {"source_version": 7}).status == 201


def test_a_deletion_that_overtakes_its_record_is_remembered_for_thirty_days(aws):
    assert acme("DELETE", LEAD, query={"source_version": "6"}).status == 204

    assert acme("PUT", LEAD, {"source_version": 5}).json["deleted"] is True
    assert acme("DELETE", LEAD, query={"source_version": "6"}).json == {"stale": True}
    assert acme("DELETE", LEAD).code == "not_found"
    assert DELETED_SECONDS == 30 * 86400
    assert "expires" in aws.table.get(keys.record(TenantId("acme"), "lead", "L1"))
    refused = acme("DELETE", LEAD, query={"source_version": "soon"})
    assert (refused.code, refused.json["errors"][0]["pointer"]) == (
        "invalid_source_version",
        "source_version",
    )


def test_a_version_read_is_checked_before_the_source_version():
    acme("PUT", LEAD, {"label": "a", "source_version": 5})
    acme("PUT", LEAD, {"label": "b", "source_version": 6})

    late = acme("PUT", LEAD, {"source_version": 4}, headers={"if-match": '"1"'})

    assert late.code == "version_conflict"
