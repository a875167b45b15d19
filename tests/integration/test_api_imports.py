"""Imports: a file of lines, uploaded by a signed link, worked off in slices, a result a line."""

import random
import time
from dataclasses import replace

import pytest
from infra.local.aws import lock_moto
from tests.support.aws_calls import killed_at
from tests.support.http_events import Client
from tests.support.imports import begun, lines, results, signed_headers, started, upload
from tests.support.stored_mail import arrive, work_off
from tests.support.tenants import connect_account

from ablage.store import keys
from ablage.store.due import waiting
from ablage.store.queues import Unsent
from ablage.tenancy import TenantId
from match import imports
from match.batches import run_batch

ACME = TenantId("acme")
acme, other = Client("acme"), Client("other")


@pytest.fixture(autouse=True)
def company(aws):
    lock_moto()  # lines are applied side by side
    return aws


def done(items, client=acme, **asked):
    """The job after it was worked off, and the results of its lines."""
    job = started(client, items, **asked)
    work_off()
    shown = client("GET", f"/v1/jobs/{job['id']}").json
    return shown, results(shown["result_url"]) if shown["state"] == "done" else []


def ids(path="/v1/contacts", client=acme):
    return [item["id"] for item in client("GET", path, query={"limit": "100"}).json["items"]]


def test_every_line_is_applied_and_has_its_result():
    acme("PUT", "/v1/contacts/c2", {"name": "Max", "source_version": 5})

    job, told = done(
        [
            {"id": "c1", "name": "Eva", "addresses": ["eva@x.de"], "customers": ["K1"]},
            {"id": "c2", "source_version": 4},
            {"id": "c3", "addresses": ["x"]},
            {"id": "c1", "delete": True},
            ["no object"],
        ]
    )

    counts = {"created": 1, "stale": 1, "deleted": 1, "invalid_address": 1, "invalid_item": 1}
    assert (job["state"], job["done"], job["total"], job["failed"]) == ("done", 5, 5, 2)
    assert job["result"] == counts
    assert [(r["line"], r.get("id"), r["status"]) for r in told] == [
        (1, "c1", 201),
        (2, "c2", 200),
        (3, "c3", 422),
        (4, "c1", 204),
        (5, None, 422),
    ]
    assert (told[2]["code"], told[2]["pointer"]) == ("invalid_address", "/addresses/0")
    assert ids() == ["c2"]
    assert ids(client=other) == []


def test_a_file_as_systems_write_it_is_read_line_by_line():
    content = (
        b"\xef\xbb\xbf" + b'{"id": "c1"}\r\n\r\n{"id": "c2", "name": "M\xc3\xbcller"}\n{"id"\n'
        b'\xff\xfe\n{"id": "c3", "name": "\\ud800"}\n{"id": "c4", "name": NaN}\n'
        + b'{"id": "c5", "name": "' + b"x" * 70_000 + b'"}\n' + b"[" * 30_000 + b"\n"
        + b'{"id": "c6"}'
    )  # fmt: skip

    _, told = done(content)

    assert [r.get("code") for r in told] == [
        None, None, "malformed_json", "malformed_json", "malformed_json", "malformed_json",
        "line_too_long", "malformed_json", None,
    ]  # fmt: skip
    assert ids() == ["c1", "c2", "c6"]
    assert acme("GET", "/v1/contacts/c2").json["name"] == "Müller"


def test_the_link_takes_exactly_what_was_announced():
    job = begun(acme, b"x" * 12)

    assert job["upload"]["headers"] == {
        "Content-Type": "application/x-ndjson",
        "Content-Length": "12",
    }
    assert {"content-length", "content-type"} <= set(signed_headers(job["upload"]["url"]))
    assert job["state"] == "awaiting_upload"


def test_nothing_is_applied_before_the_whole_upload_is_there_and_started(aws):
    content = lines([{"id": "c1"}])
    job = begun(acme, content)

    early = acme("POST", f"/v1/imports/{job['id']}/start")
    upload(job, content[:-3])
    short = acme("POST", f"/v1/imports/{job['id']}/start")
    upload(job, content)

    assert (early.status, early.code) == (short.status, short.code) == (409, "not_uploaded")
    assert waiting(aws.table, int(time.time()) + 999, 9) == []
    assert other("POST", f"/v1/imports/{job['id']}/start").code == "job_not_found"
    assert acme("POST", f"/v1/imports/{job['id']}/start").json["state"] == "queued"
    (due,) = waiting(aws.table, int(time.time()) + 1, 9)
    assert due.batch_id == job["id"]
    work_off()
    again = acme("POST", f"/v1/imports/{job['id']}/start")
    assert (again.status, again.json["state"]) == (202, "done")


def test_an_upload_that_was_replaced_after_the_start_is_not_applied():
    job = begun(acme, lines([{"id": "c1"}]))
    upload(job, lines([{"id": "c1"}]))
    acme("POST", f"/v1/imports/{job['id']}/start")

    upload(job, lines([{"id": "c2"}]))
    work_off()

    shown = acme("GET", f"/v1/jobs/{job['id']}").json
    assert (shown["state"], shown["code"]) == ("failed", "upload_changed")
    assert ids() == []


def test_a_snapshot_deletes_what_it_does_not_name():
    known = [{"id": f"c{number:02d}"} for number in range(20)]
    done(known)
    other("PUT", "/v1/contacts/c19", {})
    acme("PUT", "/v1/customers/K1", {})

    job, told = done(known[:18], mode="snapshot")

    assert (job["total"], job["result"]) == (20, {"unchanged": 18, "deleted": 2})
    assert [(r["id"], r["status"]) for r in told if "absent" in r] == [("c18", 204), ("c19", 204)]
    assert ids() == [item["id"] for item in known[:18]]
    assert (ids(client=other), ids("/v1/customers")) == (["c19"], ["K1"])


@pytest.mark.parametrize("named", [17, 0])
def test_a_snapshot_that_would_delete_over_ten_percent_changes_nothing_unconfirmed(named):
    known = [{"id": f"c{number:02d}"} for number in range(20)]
    done(known)
    wanted = [item | {"name": "new"} for item in known[:named]]

    refused, _ = done(wanted, mode="snapshot")

    assert (refused["state"], refused["code"]) == ("failed", "too_many_deletions")
    assert f"{20 - named} of 20" in refused["detail"]
    assert len(ids()) == 20
    assert acme("GET", "/v1/contacts/c00").json["name"] == ""
    confirmed, _ = done(wanted, mode="snapshot", confirm=True)
    assert confirmed["result"]["deleted"] == 20 - named
    assert len(ids()) == named


def test_a_snapshot_with_a_line_that_names_nobody_changes_nothing():
    acme("PUT", "/v1/contacts/c1", {})

    job, _ = done(b'{"id": "c2"}\n{"id": \n', mode="snapshot", confirm=True)

    assert (job["code"], "Line 2" in job["detail"]) == ("unreadable_line", True)
    assert ids() == ["c1"]


def test_a_line_that_is_refused_does_not_delete_whom_it_names():
    acme("PUT", "/v1/contacts/c1", {"name": "stays"})

    job, _ = done([{"id": "c1", "addresses": ["x"]}], mode="snapshot", confirm=True)

    assert job["result"] == {"invalid_address": 1}
    assert acme("GET", "/v1/contacts/c1").json["name"] == "stays"


def test_a_snapshot_leaves_what_was_written_since_it_began(aws, monkeypatch):
    monkeypatch.setattr(imports, "CHUNK", 10)
    done([{"id": f"c{number:02d}"} for number in range(20)])
    job = started(acme, [{"id": f"c{number:02d}"} for number in range(19)], mode="snapshot")
    run_batch(aws, ACME, job["id"], seconds=0)

    acme("PUT", "/v1/contacts/c19", {"name": "just now"})
    run_batch(aws, ACME, job["id"])

    assert acme("GET", f"/v1/jobs/{job['id']}").json["result"] == {"unchanged": 19, "stale": 1}
    assert acme("GET", "/v1/contacts/c19").json["name"] == "just now"


def test_records_of_one_type_are_imported_as_a_snapshot():
    acme("PUT", "/v1/records/lead/L1", {})
    acme("PUT", "/v1/records/offer/O1", {})
    asked = {"type": "records", "mode": "snapshot", "confirm": True}

    job, _ = done([{"id": "L2", "label": "Two"}], **asked, entity_type="lead")
    _, told = done([{"type": "a", "id": "1"}, {"type": "b", "id": "1"}], type="records")

    assert job["result"] == {"created": 1, "deleted": 1}
    assert (ids("/v1/records/lead"), ids("/v1/records/offer")) == (["L2"], ["O1"])
    assert [(r["type"], r["status"]) for r in told] == [("a", 201), ("b", 201)]
    refused = acme("POST", "/v1/imports", asked | {"size": 1})
    assert (refused.code, refused.json["errors"][0]["pointer"]) == ("missing_field", "/entity_type")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"type": "leads", "size": 1}, "/type"),
        ({"type": "contacts"}, "/size"),
        ({"type": "contacts", "size": 32 * 1024 * 1024 + 1}, "/size"),
        ({"type": "contacts", "size": 1, "mode": "replace"}, "/mode"),
        ({"type": "contacts", "size": 1, "entity_type": "lead"}, "/entity_type"),
        ({"type": "records", "size": 1, "entity_type": "Lead"}, "/entity_type"),
    ],
)
def test_an_import_that_cannot_be_is_refused_by_field(body, pointer):
    refused = acme("POST", "/v1/imports", body)

    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == pointer


def test_own_addresses_are_counted_and_listed_and_earlier_mail_waits_for_one_step(aws):
    connect_account(aws, ACME, "anna", "anna@own.de", filing=True)
    arrive(aws, 1, "max@kunde.de", "anna@own.de")
    boss = {"id": "c2", "addresses": ["Anna@own.de"]}

    job, told = done([{"id": "c1", "addresses": ["max@kunde.de"]}, boss])

    assert job["result"] == {"created": 2, "warned": 1}
    warning = {"code": "own_address", "account": "anna", "address": "anna@own.de"}
    assert [r.get("warnings") for r in told] == [None, [warning]]
    assert acme("GET", "/v1/archives/contact/c1").json["items"] == []
    assert work_off() == 0
    since = {"kind": "reevaluate", "since": "2026-01-01T00:00:00Z"}
    acme("POST", "/v1/batches", since)
    work_off()
    assert len(acme("GET", "/v1/archives/contact/c1").json["items"]) == 1


def test_an_import_is_no_batch_to_be_undone():
    job, _ = done([{"id": "c1"}])

    assert acme("POST", f"/v1/batches/{job['id']}/undo").code == "not_undoable"
    assert job["undo_until"] is None


def test_lines_of_one_record_are_applied_one_after_the_other():
    wanted = [{"id": f"c{number % 3}", "name": str(number)} for number in range(40)]

    done(wanted)

    names = [acme("GET", f"/v1/contacts/c{n}").json["name"] for n in range(3)]
    assert names == ["39", "37", "38"]


@pytest.mark.parametrize("seed", range(4))
def test_killed_anywhere_an_import_goes_on_where_it_was(aws, monkeypatch, seed):
    monkeypatch.setattr(imports, "CHUNK", 3)
    monkeypatch.setattr(imports, "THREADS", 1)
    known = [{"id": f"old{n}", "addresses": [f"old{n}@x.de"]} for n in range(2)]
    wanted = [
        {"id": f"c{number:02d}", "addresses": [f"c{number:02d}@x.de"]} for number in range(11)
    ]
    done(known)
    job = started(acme, wanted, mode="snapshot", confirm=True)["id"]
    dice, now = random.Random(seed), time.time()

    kills = 0
    for _ in range(60):
        now += 200
        with killed_at(dice.randint(1, 60), dice.choice(["before-call", "after-call"])) as killed:
            run_batch(replace(aws, queues=Unsent()), ACME, job, now=lambda at=now: at)
        kills += len(killed)
        aws.table.update(keys.job(ACME, job), "SET attempts = :none", values={":none": 0})
        if acme("GET", f"/v1/jobs/{job}").json["state"] == "done":
            break

    shown = acme("GET", f"/v1/jobs/{job}").json
    told = results(shown["result_url"])
    assert kills > 3
    assert (shown["done"], shown["total"], shown["failed"]) == (13, 13, 0)
    assert [r.get("id") for r in told] == [i["id"] for i in (*wanted, *known)]
    assert ids() == [item["id"] for item in wanted]
    assert not any("stale" in r.get("outcome", "") for r in told)
    for item in (*wanted, *known):
        assert "pending" not in aws.table.get(keys.record(ACME, "contact", item["id"]))
        found = acme("GET", "/v1/contacts", query={"address": f"{item['id']}@x.de"}).json
        assert [c["id"] for c in found["items"]] == [item["id"]] * (item in wanted)
