"""An archive by date, party and the like: what fits, in bounded work, whatever lies between."""

import re
import time

import pytest
from tests.support.aws_calls import aws_calls
from tests.support.http_events import Client
from tests.support.stored_mail import arrive
from tests.support.tenants import connect_account, index_contact

from ablage.limits import ROWS_FILTERED
from ablage.messages import Entity
from ablage.store import keys
from ablage.store.archive_filters import Filter, FilteredArchive
from ablage.store.rows import party_digest
from ablage.tenancy import TenantId

ACME, OTHER = TenantId("acme"), TenantId("other")
acme, other = Client("acme"), Client("other")
NOW = int(time.time())
PATH = "/v1/archives/quote/A-7"


def put(aws, number, *, tenant=ACME, party="max@kunde.de", **more):
    at = f"2026-11-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    message = "".join(chr(ord("a") + int(digit)) for digit in f"{number:026d}")
    row = {"m": message, "t": at, "s": f"Angebot {number}", "p": party, "w": "inbound", "sn": "",
           "k": "normal", "v": 1, "o": ["auto"], "ac": ["anna"],
           "pd": party_digest(party), **more}  # fmt: skip
    aws.table.put(keys.archive_entry(tenant, "quote", "A-7", at, message), row)


def shown(client=acme, **query):
    """Numbers of the mails, over all pages."""
    found, cursor = [], {}
    while cursor is not None:
        page = client("GET", PATH, query=query | cursor).json
        found += [int(re.sub(r"\D", "", item["subject"])) for item in page["items"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    return found


@pytest.fixture
def rows(aws):
    put(aws, 1)
    put(aws, 2, w="outbound", party="eva@kunde.de")
    put(aws, 3, k="bulk", at=2)
    put(aws, 4, o=["auto", "manual"], s="GRÜSSE 4")
    put(aws, 5, o=["manual"], s="Grüße 5")
    put(aws, 6, gone=True)
    put(aws, 1, tenant=OTHER)
    return aws


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"direction": "outbound"}, [2]),
        ({"party": "Max@KUNDE.de"}, [5, 4, 3, 1]),
        ({"party": "eva@kunde.de"}, [2]),
        ({"party": "nobody@kunde.de"}, []),
        ({"kind": "bulk"}, [3]),
        ({"attachment": "true"}, [3]),
        ({"attachment": "false", "kind": "normal"}, [5, 4, 2, 1]),
        ({"subject": "angeb"}, [3, 2, 1]),
        ({"subject": "grüsse"}, [5, 4]),
        ({"origin": "manual"}, [5, 4]),
        ({"origin": "auto", "party": "max@kunde.de", "subject": "4"}, [4]),
        ({"since": "2026-11-01T00:00:02Z"}, [5, 4, 3, 2]),
        ({"until": "2026-11-01T00:00:02Z"}, [1]),
        ({"since": "2026-11-01T01:00:02+01:00", "until": "2026-11-01T00:00:04Z"}, [3, 2]),
    ],
)
def test_what_fits_is_shown_newest_first_on_pages_of_any_size(rows, query, found):
    assert shown(**query) == found
    assert shown(limit="1", **query) == found


def test_another_tenant_s_archive_is_filtered_alone(rows):
    assert shown(client=other, direction="inbound") == [1]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"direction": "up"}, "query.direction"),
        ({"kind": "letter"}, "query.kind"),
        ({"origin": "robot"}, "query.origin"),
        ({"attachment": "maybe"}, "query.attachment"),
        ({"party": "nobody"}, "party"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "until"),
        ({"sender": "max@kunde.de"}, "sender"),
    ],
)
@pytest.mark.usefixtures("aws")
def test_an_unknown_value_is_refused_with_its_name(query, pointer):
    refused = acme("GET", PATH, query=query)

    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == pointer.removeprefix("query.")


def test_without_filters_or_by_date_a_page_is_one_query(rows):
    for query in ({"labels": "false"}, {"labels": "false", "since": "2026-11-01T00:00:02Z"}):
        with aws_calls() as calls:
            acme("GET", PATH, query=query)

        assert [call for call in calls if call == "dynamodb:Query"] == ["dynamodb:Query"]


def test_a_request_looks_at_a_bounded_number_of_rows_and_tells_where_to_go_on(aws):
    put(aws, 0, w="outbound")
    for number in range(1, 60):
        put(aws, number)
    archive = FilteredArchive(aws.table, ACME, Entity("quote", "A-7"), Filter(direction="outbound"),
                              NOW, left=50)  # fmt: skip

    rows, more = archive.page(None, 25)
    rest, end = FilteredArchive(
        aws.table, ACME, Entity("quote", "A-7"), Filter(direction="outbound"), NOW
    ).page(more, 25)

    assert (rows, archive.left) == ([], 0)
    assert archive.page(more, 25) == ([], more)
    assert ([row["w"] for row in rest], end) == (["outbound"], None)
    assert ROWS_FILTERED == 2000


def test_whoever_sees_some_mailboxes_gets_what_fits_of_these(rows):
    connect_account(rows, ACME, "anna", "anna@own.de", filing=True)
    put(rows, 7, ac=["!bert"])
    anna = Client("acme", scopes="read", subject="anna")

    assert shown(client=anna, direction="inbound") == [5, 4, 3, 1]


def test_sent_mail_is_found_by_each_of_its_recipients(aws):
    connect_account(aws, ACME, "anna", "anna@own.de", filing=True)
    index_contact(aws, ACME, "p0@kunde.de", "A-7", [])
    everybody = ", ".join(f"Person {n} <P{n}@kunde.de>" for n in range(12))
    arrive(aws, 1, "anna@own.de", everybody, sent=True)
    arrive(aws, 2, "p0@kunde.de", "anna@own.de")

    def found(party):
        page = acme("GET", "/v1/archives/contact/A-7", query={"party": party}).json
        return sorted(item["subject"] for item in page["items"])

    assert found("p0@kunde.de") == ["Mail 1", "Mail 2"]
    assert found("p3@kunde.de") == ["Mail 1"]
    assert found("p11@kunde.de") == ["Mail 1"]  # its row has no room for all: the message is asked
    assert found("p12@kunde.de") == found("anna@own.de") == []
