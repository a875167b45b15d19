"""Looking back over stored mail through the API and the match function: apply, count, undo."""

import boto3
import pytest
from tests.support.http_events import Client
from tests.support.stored_mail import SINCE, UNTIL, arrive, work_off
from tests.support.tenants import connect_account

from ablage.store import batches
from ablage.tenancy import TenantId

acme, other = Client("acme"), Client("other")
MAX = {"name": "Max", "addresses": ["max@kunde.de"], "customers": ["k1"]}


@pytest.fixture
def company(aws):
    """Two mails of Max and one to him, nobody knows him yet; another tenant has the first, too."""
    for tenant in ("acme", "other"):
        connect_account(aws, TenantId(tenant), "anna", "anna@own.de", filing=True)
        arrive(aws, 1, "max@kunde.de", "anna@own.de", tenant=tenant)
    arrive(aws, 2, "max@kunde.de", "anna@own.de")
    arrive(aws, 3, "anna@own.de", "max@kunde.de", sent=True)
    return aws


def archive(entity="contact/c1", client=acme):
    return [row["subject"] for row in client("GET", f"/v1/archives/{entity}").json["items"]]


def start(client=acme, **body):
    started = client("POST", "/v1/batches", body)
    assert started.status == 202, started.text
    work_off()
    return client("GET", f"/v1/jobs/{started.json['id']}").json


def undo(job, client=acme):
    started = client("POST", f"/v1/batches/{job}/undo")
    assert started.status == 202, started.text
    work_off()
    return client("GET", f"/v1/jobs/{started.json['id']}").json


def test_a_new_contact_gets_its_earlier_mail_and_undo_takes_it_away_for_good(company):
    put = acme("PUT", "/v1/contacts/c1", MAX)
    work_off()
    done = acme("GET", f"/v1/jobs/{put.json['backfill']}").json

    assert (done["kind"], done["state"], done["preview"]) == (
        "backfill_contact", "done", {"messages": 3, "more": False},
    )  # fmt: skip
    assert (done["done"], done["total"], done["result"]) == (3, 3, {"changed": 3})
    assert archive() == archive("customer/k1") == ["Mail 3", "Mail 2", "Mail 1"]
    assert archive(client=other) == []

    undone = undo(done["id"])
    arrive(company, 1, "max@kunde.de", "anna@own.de", uid=9)

    assert (undone["state"], undone["result"]) == ("done", {"changed": 3})
    assert archive() == []
    assert acme("GET", f"/v1/jobs/{done['id']}").json["undone_by"] == undone["id"]
    assert undo(done["id"])["id"] == undone["id"]


def test_what_a_person_filed_meanwhile_outlives_the_undo(company):
    job = acme("PUT", "/v1/contacts/c1", MAX).json["backfill"]
    work_off()
    message = acme("GET", "/v1/archives/contact/c1").json["items"][0]["message"]
    acme("PUT", f"/v1/messages/{message}/filings/contact/c1")

    undo(job)

    assert archive() == ["Mail 3"]
    assert archive("customer/k1") == []


def test_no_back_filling_without_earlier_mail_or_where_policy_has_it_off(company):
    unknown = acme("PUT", "/v1/contacts/c2", {"addresses": ["new@kunde.de"]})
    acme("PUT", "/v1/policy", {"backfill_days": 0})
    off = acme("PUT", "/v1/contacts/c1", MAX)

    assert (unknown.json["backfill"], off.json["backfill"]) == (None, None)
    refused = acme("POST", "/v1/batches", {"kind": "backfill_contact", "contact": "c1"})
    assert refused.code == "backfill_off"
    done = start(kind="backfill_contact", contact="c1", days=30)
    assert done["result"] == {"changed": 3}


def test_an_account_switched_on_gets_its_earlier_mail_at_once_or_not_at_all(aws):
    connect_account(aws, TenantId("acme"), "anna", "anna@own.de", filing=False)
    acme("PUT", "/v1/contacts/c1", MAX)
    arrive(aws, 1, "max@kunde.de", "anna@own.de")
    arrive(aws, 2, "anna@own.de", "max@kunde.de", sent=True)
    asked = {"kind": "backfill_account", "account": "anna", "days": 30}
    assert acme("POST", "/v1/batches", asked).code == "filing_off"
    acme("PATCH", "/v1/accounts/anna", {"automatic_filing": {"enabled": True}})

    done = start(**asked)

    assert done["result"] == {"changed": 2}
    assert archive() == ["Mail 2", "Mail 1"]
    undo(done["id"])
    arrive(aws, 1, "max@kunde.de", "anna@own.de", uid=9)
    assert archive() == []
    assert start(**asked)["result"] == {"changed": 2}
    assert archive() == []


def test_a_mail_whose_bytes_have_expired_is_counted(aws):
    connect_account(aws, TenantId("acme"), "anna", "anna@own.de", filing=False)
    arrive(aws, 1, "max@kunde.de", "anna@own.de")
    s3 = boto3.client("s3")
    for listed in s3.list_objects_v2(Bucket=aws.raw.bucket)["Contents"]:
        s3.delete_object(Bucket=aws.raw.bucket, Key=listed["Key"])
    acme("PATCH", "/v1/accounts/anna", {"automatic_filing": {"enabled": True}})

    done = start(kind="backfill_account", account="anna")

    assert (done["state"], done["failed"], done["result"]) == ("done", 1, {"raw_expired": 1})


def test_a_purge_takes_what_the_entry_blocks_and_undo_puts_it_back(company):
    acme("PUT", "/v1/contacts/c1", MAX)
    work_off()
    message = acme("GET", "/v1/archives/contact/c1").json["items"][2]["message"]
    acme("PUT", f"/v1/messages/{message}/filings/quote/q1")
    asked = {"kind": "purge_blocked", "entry": "@Kunde.DE"}
    assert acme("POST", "/v1/batches", asked).code == "not_blocked"
    acme("POST", "/v1/blocklist", {"entry": "kunde.de"})
    assert len(archive()) == 3

    done = start(**asked)

    assert done["result"] == {"changed": 3}
    assert archive() == archive("customer/k1") == []
    assert archive("quote/q1") == ["Mail 1"]
    undo(done["id"])
    assert archive() == archive("customer/k1") == ["Mail 3", "Mail 2", "Mail 1"]


def test_undo_finds_a_contact_that_was_merged_and_fills_no_archive_deleted_since(company):
    for client in (acme, other):
        client("PUT", "/v1/contacts/c1", MAX)
        work_off()
        client("POST", "/v1/blocklist", {"entry": "kunde.de"})
        client("PUT", "/v1/contacts/c2", {"addresses": ["moritz@kunde.de"]})
    purges = {c: start(c, kind="purge_blocked", entry="kunde.de")["id"] for c in (acme, other)}
    acme("POST", "/v1/contacts/c1/merge", {"into": "c2"})
    other("DELETE", "/v1/contacts/c1", query={"archive": "delete"})
    work_off()

    for client, purge in purges.items():
        undo(purge, client)

    assert archive("contact/c2") == archive("customer/k1") == ["Mail 3", "Mail 2", "Mail 1"]
    assert archive() == []
    assert (archive(client=other), archive("customer/k1", other)) == ([], ["Mail 1"])


def test_undo_of_a_back_filling_takes_the_mail_from_whom_its_contact_was_merged_into(company):
    job = acme("PUT", "/v1/contacts/c1", MAX).json["backfill"]
    work_off()
    acme("PUT", "/v1/contacts/c2", {"addresses": ["moritz@kunde.de"]})
    acme("POST", "/v1/contacts/c1/merge", {"into": "c2"})
    work_off()
    assert len(archive("contact/c2")) == 3

    undo(job)

    assert archive("contact/c2") == archive("customer/k1") == []


def test_deciding_again_leaves_to_an_account_what_it_did_not_file_in_its_time(company):
    connect_account(company, TenantId("acme"), "bert", "bert@own.de", filing=False)
    arrive(company, 1, "max@kunde.de", "bert@own.de", account="bert")
    acme("PUT", "/v1/contacts/bert", {"addresses": ["bert@own.de"]})
    acme("PATCH", "/v1/accounts/bert", {"automatic_filing": {"enabled": True}})

    start(kind="reevaluate", since=SINCE)

    assert archive("contact/bert") == []
    start(kind="backfill_account", account="bert")
    start(kind="reevaluate", since=SINCE)
    assert archive("contact/bert") == ["Mail 1"]


def test_deciding_again_follows_a_contact_to_its_new_customer(company):
    acme("PUT", "/v1/contacts/c1", MAX)
    work_off()
    acme("PUT", "/v1/contacts/c1", MAX | {"customers": ["k2"]})
    assert archive("customer/k2") == []

    done = start(kind="reevaluate", since=SINCE, until=UNTIL)

    assert done["result"] == {"changed": 3}
    assert archive("customer/k1") == []
    assert archive("customer/k2") == archive() == ["Mail 3", "Mail 2", "Mail 1"]
    undo(done["id"])
    assert len(archive("customer/k1")) == 3
    assert archive("customer/k2") == []


def test_batches_undone_in_any_order_leave_nothing_of_either(company):
    backfill = acme("PUT", "/v1/contacts/c1", MAX).json["backfill"]
    work_off()
    acme("PUT", "/v1/contacts/c1", MAX | {"customers": ["k2"]})
    again = start(kind="reevaluate", since=SINCE)["id"]

    undo(backfill)
    undo(again)

    assert archive() == archive("customer/k1") == archive("customer/k2") == []


def test_deciding_again_counts_a_mail_of_two_mailboxes_once(company):
    connect_account(company, TenantId("acme"), "bert", "bert@own.de", filing=True)
    arrive(company, 1, "max@kunde.de", "anna@own.de", account="bert")

    done = start(kind="reevaluate", since=SINCE)

    assert (done["done"], done["result"]) == (3, {"unchanged": 3})


def test_a_batch_that_cannot_be_is_refused(aws):
    window = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-19T00:00:00Z"}
    asked = [
        ({"kind": "reevaluate"}, "missing_field"),
        ({"kind": "backfill_contact"}, "missing_field"),
        ({"kind": "backfill_contact", "contact": "nobody"}, "not_found"),
        ({"kind": "backfill_account", "account": "nobody"}, "not_found"),
        ({"kind": "purge_blocked", "entry": "x.*.de"}, "wildcard_inside"),
        ({"kind": "undo"}, "invalid_request"),
        ({"kind": "reevaluate", "since": "2026-11-20"}, "invalid_request"),
        ({"kind": "reevaluate", **window}, "empty_window"),
    ]

    codes = [acme("POST", "/v1/batches", body).code for body, _ in asked]

    assert codes == [code for _, code in asked]


def test_only_batches_of_the_last_seven_days_can_be_undone_by_their_tenant(company):
    job = acme("PUT", "/v1/contacts/c1", MAX).json["backfill"]
    work_off()
    undoing = undo(job)["id"]
    sync = acme("POST", "/v1/accounts/anna/check").json["id"]
    old = batches.Batch(
        TenantId("acme"), "job-old", "reevaluate", {}, undo_until="2026-11-01T00:00:00Z"
    )
    batches.create(company.table, old, 1)

    assert acme("POST", f"/v1/batches/{undoing}/undo").code == "not_undoable"
    assert acme("POST", "/v1/batches/job-old/undo").code == "undo_expired"
    assert acme("POST", f"/v1/batches/{sync}/undo").code == "job_not_found"
    assert other("POST", f"/v1/batches/{job}/undo").code == "job_not_found"
    assert Client("acme", scopes="read file")("POST", "/v1/batches", {}).code == (
        "insufficient_scope"
    )
