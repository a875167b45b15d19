"""A contact is archived, moved, deleted with or without its archive, merged."""

import time

import pytest
from tests.support.events import context, sqs_event
from tests.support.http_events import Client, shown_entity
from tests.support.stored_mail import arrive, stored, work_off
from tests.support.tenants import connect_account

from ablage.errors import InvalidInput
from ablage.records import joined, new_contact
from ablage.store import jobs, keys, messages, record_writes
from ablage.store.due import waiting
from ablage.tenancy import TenantId
from match.file_message import file_message, know
from match.handler import lambda_handler as match
from match.read_copy import read_copy

ACME = TenantId("acme")
acme, other = Client("acme"), Client("other")
MAX = {"name": "Max", "addresses": ["max@kunde.de"], "customers": ["k1"]}
MORITZ = {"name": "Moritz", "addresses": ["moritz@kunde.de"], "customers": ["k2"]}


@pytest.fixture
def company(aws):
    """Max, with one filed mail, in two tenants."""
    for client in (acme, other):
        connect_account(aws, TenantId(client.tenant), "anna", "anna@own.de", filing=True)
        client("PUT", "/v1/contacts/c1", MAX)
        arrive(aws, 1, "max@kunde.de", "anna@own.de", tenant=client.tenant)
    return aws


def archive(entity="contact/c1", client=acme):
    return [row["subject"] for row in client("GET", f"/v1/archives/{entity}").json["items"]]


def message_of(subject, entity="contact/c1"):
    rows = acme("GET", f"/v1/archives/{entity}").json["items"]
    return next(row["message"] for row in rows if row["subject"] == subject)


def test_an_archived_contact_keeps_its_mail_and_gets_no_new_one(company):
    answer = acme("PUT", "/v1/contacts/c1", MAX | {"archived": True})
    arrive(company, 2, "max@kunde.de", "anna@own.de")

    assert answer.json["archived"] is True
    assert archive() == archive("customer/k1") == ["Mail 1"]
    assert acme("GET", "/v1/contacts", query={"address": "max@kunde.de"}).json["items"] == []
    back = acme("PUT", "/v1/contacts/c1", MAX)
    work_off()
    assert acme("GET", f"/v1/jobs/{back.json['backfill']}").json["state"] == "done"
    assert archive() == ["Mail 2", "Mail 1"]


def test_a_removed_address_and_a_new_customer_count_from_now_on(company):
    acme("PUT", "/v1/contacts/c1", MAX | {"addresses": ["m@kunde.de"], "customers": ["k2"]})
    arrive(company, 2, "max@kunde.de", "anna@own.de")
    arrive(company, 3, "m@kunde.de", "anna@own.de")

    assert archive() == ["Mail 3", "Mail 1"]
    assert (archive("customer/k1"), archive("customer/k2")) == (["Mail 1"], ["Mail 3"])


def test_a_deleted_contact_leaves_its_archive_or_takes_it_along(company):
    assert acme("DELETE", "/v1/contacts/c1").status == 204
    assert archive() == ["Mail 1"]
    assert acme("DELETE", "/v1/contacts/c1", query={"archive": "all"}).code == "invalid_request"
    assert acme("DELETE", "/v1/contacts/c1").code == "not_found"

    gone = other("DELETE", "/v1/contacts/c1", query={"archive": "delete"})
    work_off()

    assert (gone.status, gone.json["kind"]) == (202, "delete_archive")
    assert other("GET", f"/v1/jobs/{gone.json['id']}").json["result"] == {"changed": 1}
    assert archive(client=other) == []
    assert archive("customer/k1", other) == ["Mail 1"]
    assert archive() == ["Mail 1"]
    assert acme("DELETE", "/v1/contacts/c1", query={"archive": "delete"}).status == 202
    work_off()
    assert archive() == []


def test_a_customers_new_address_gets_its_earlier_mail_which_goes_with_its_archive(company):
    arrive(company, 2, "info@kunde.de", "anna@own.de")

    put = acme("PUT", "/v1/customers/k1", {"addresses": ["info@kunde.de"]})
    work_off()

    assert acme("GET", f"/v1/jobs/{put.json['backfill']}").json["result"] == {"changed": 1}
    assert archive("customer/k1") == ["Mail 2", "Mail 1"]
    assert acme("DELETE", "/v1/customers/k1", query={"archive": "delete"}).status == 202
    work_off()
    assert (archive("customer/k1"), archive()) == ([], ["Mail 1"])


def test_a_merge_moves_filings_tombstones_and_addresses(company):
    acme("PUT", "/v1/contacts/c2", MORITZ)
    arrive(company, 2, "max@kunde.de", "anna@own.de, moritz@kunde.de")
    arrive(company, 3, "anna@own.de", "max@kunde.de, moritz@kunde.de", sent=True)
    unfiled = message_of("Mail 2")
    acme("DELETE", f"/v1/messages/{unfiled}/filings/contact/c1")

    started = acme("POST", "/v1/contacts/c1/merge", {"into": "c2"})
    work_off()
    arrive(company, 4, "max@kunde.de", "anna@own.de")
    arrive(company, 2, "max@kunde.de", "anna@own.de, moritz@kunde.de", uid=9)

    done = acme("GET", f"/v1/jobs/{started.json['id']}").json
    assert (done["state"], done["undo_until"], done["result"]) == ("done", None, {"changed": 3})
    assert archive() == []
    assert archive("contact/c2") == ["Mail 4", "Mail 3", "Mail 1"]
    filings = acme("GET", f"/v1/messages/{unfiled}/filings").json
    assert filings["unfiled"] == [shown_entity("contact", "c2", "Moritz")]
    stays = acme("GET", "/v1/contacts/c2").json
    assert stays["addresses"] == ["moritz@kunde.de", "max@kunde.de"]
    assert stays["customers"] == ["k2", "k1"]
    moved = messages.read(company.table, ACME, message_of("Mail 1", "contact/c2"))
    assert moved is not None
    assert moved.decisions[0].hits == ("contact#c2", "customer#k1")
    assert archive(client=other) == ["Mail 1"]


def test_the_id_of_a_merged_contact_is_given_up(company):
    acme("PUT", "/v1/contacts/c2", MORITZ)
    job = acme("POST", "/v1/contacts/c1/merge", {"into": "c2"}).json["id"]

    read = acme("GET", "/v1/contacts/c1")
    assert (read.status, read.code, read.json["merged_into"]) == (410, "merged", "c2")
    assert acme("PUT", "/v1/contacts/c1", MAX).code == "merged"
    assert acme("DELETE", "/v1/contacts/c1").code == "merged"
    assert [c["id"] for c in acme("GET", "/v1/contacts").json["items"]] == ["c2"]
    assert acme("POST", "/v1/contacts/c1/merge", {"into": "c2"}).json["id"] == job
    assert acme("POST", "/v1/contacts/c1/merge", {"into": "c3"}).code == "merged"
    assert acme("POST", f"/v1/batches/{job}/undo").code == "not_undoable"


def test_a_merge_that_cannot_be_is_refused(company):
    assert acme("POST", "/v1/contacts/c1/merge", {"into": "c1"}).code == "merged_into_itself"
    assert acme("POST", "/v1/contacts/c1/merge", {"into": "nobody"}).code == "not_found"
    assert acme("POST", "/v1/contacts/nobody/merge", {"into": "c1"}).code == "not_found"
    assert acme("GET", "/v1/contacts/c1").status == 200


def test_a_killed_writers_back_filling_is_started_by_the_repair(company):
    arrive(company, 2, "new@kunde.de", "anna@own.de")
    wanted = new_contact(ACME, "c3", "New", ["new@kunde.de"], [])
    saved = record_writes.save_record(company, wanted, lambda standing: None)
    key, job = keys.record(ACME, "contact", "c3"), saved.backfill
    assert job
    company.table.delete(keys.job(ACME, job))
    company.table.update(
        key,
        "SET pending = :yes, lost = :none",
        values={":yes": True, ":none": {"keys": [], "parents": []}},
    )

    record_writes.repair_record(company, ACME, wanted.entity)

    assert jobs.get(company.table, ACME, job).kind == "backfill_contact"


@pytest.mark.parametrize("path", ["contacts/c3", "customers/k3"])
@pytest.mark.parametrize("earlier", [False, True])
def test_mail_that_was_being_matched_when_its_contact_was_made_is_filed(company, path, earlier):
    if earlier:
        arrive(company, 3, "new@kunde.de", "anna@own.de")
    reading = read_copy(company, stored(company, 2, "new@kunde.de", "anna@own.de"), None)
    known = know(company, [reading])
    acme("PUT", f"/v1/{path}", {"name": "New", "addresses": ["new@kunde.de"]})
    work_off()
    file_message(company, reading, known)
    entity_type, _, entity_id = path.partition("s/")
    before = archive(f"{entity_type}/{entity_id}")
    repair = {"repair": {"tenant": "acme", "record": f"{entity_type}#{entity_id}"}}

    started = []
    for _ in range(2):  # SQS delivers at least once
        match(sqs_event(repair), context())
        due = [one.batch_id for one in waiting(company.table, int(time.time()), 9)]
        for job in due:
            match(sqs_event({"batch": {"tenant": "acme", "job": job}}), context())
        started += due

    assert before == ["Mail 3"] * earlier
    assert archive(f"{entity_type}/{entity_id}") == [*before, "Mail 2"]
    assert len(started) == 1


def test_together_they_have_at_most_fifty_addresses():
    one = new_contact(ACME, "c1", "", [f"a{n}@x.de" for n in range(30)], ["k1"])
    two = new_contact(ACME, "c2", "", [f"b{n}@x.de" for n in range(30)], ["k2"])

    with pytest.raises(InvalidInput) as caught:
        joined(one, two)

    assert caught.value.code == "too_many_addresses"
