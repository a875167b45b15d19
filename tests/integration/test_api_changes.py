"""The feed through the API: pages, cursors, and who hears of what."""

import base64
import time
from dataclasses import replace

import pytest
from tests.support.feed import whole_feed
from tests.support.http_events import Client
from tests.support.mailboxes import OTHER, TENANT
from tests.support.tenants import connect_account

from ablage.accounts import AccountState
from ablage.change import change
from ablage.events import ACCOUNT, JOB
from ablage.filings import file_by_hand, mark_private
from ablage.messages import CLAIMED_OWN, AddressDecision, Copy, Entity, Facts, Message
from ablage.store import batches, feed, jobs, keys
from ablage.store.accounts import account_item, state_item, write_state
from ablage.store.feed import moment
from ablage.store.jobs import Job

acme, other = Client("acme"), Client("other")
user = Client("acme", scopes="read file", subject="bert")
AGO = 60.0
ID = "m" * 26
COPY = Copy("anna", "0" * 16, 1, 7, "2026-11-20T10:00:00Z", "bb" * 32, "aa" * 32)


def filed(aws, *entities, tenant=TENANT, ago=AGO, message_id=ID):
    """A message, and one change for each list of entities."""
    at = time.time() - ago

    def intent(message):
        if message is None:
            return Message(tenant, message_id, COPY.received_at, Facts(), "aa" * 32, copies=(COPY,))
        for entity in entities:
            message = file_by_hand(Entity("quote", entity), "anna", COPY.received_at)(message)
        return message

    for _ in range(2):
        change(aws, tenant, message_id, intent, now=lambda: at)


def read(client=acme, **query):
    answer = client("GET", "/v1/changes", query=query)
    assert answer.status == 200, answer.text
    return answer.json


def walked(client=acme, **query):
    """Every event, page after page, and the last cursor."""
    page = read(client, **query)
    found = list(page["items"])
    while page["more"]:
        page = read(client, **query | {"after": page["next"]})
        found += page["items"]
    return found, page["next"]


def test_a_page_tells_what_was_filed_and_the_next_only_what_is_new(aws):
    filed(aws, "q1")

    first = read()
    filed(aws, "q2", message_id="n" * 26, ago=30)
    second = read(after=first["next"])
    third = read(after=second["next"])

    (event,) = first["items"]
    assert {name: value for name, value in event.items() if value and name not in ("id", "at")} == {
        "type": "EmailFiled",
        "message": ID,
        "entity_type": "quote",
        "entity_id": "q1",
        "by": "anna",
    }
    assert (len(event["id"]), event["at"][-1], first["more"]) == (32, "Z", False)
    assert second["items"] == [] or second["items"][0]["message"] == "n" * 26
    assert third["items"] == []


def test_what_is_younger_than_ten_seconds_waits(aws):
    filed(aws, "q1", ago=5)

    first = read()
    begins = read(after="now")

    assert (first["items"], begins["items"]) == ([], [])


def test_pages_end_within_a_change_and_lose_and_double_nothing(aws):
    filed(aws, *(f"q{n:03}" for n in range(70)))
    filed(aws, "q1", tenant=OTHER)

    for limit in ("7", "25", "100"):
        found, _ = walked(limit=limit)
        assert sorted(e["entity_id"] for e in found) == [f"q{n:03}" for n in range(70)], limit
        assert len({event["id"] for event in found}) == 70
    assert len(walked(other)[0]) == 1


def test_a_cursor_before_days_without_events_reads_on(aws):
    filed(aws, "q1", ago=25 * 86_400)
    filed(aws, "q2", ago=86_400, message_id="n" * 26)

    found, cursor = walked(limit="1")

    assert [event["entity_id"] for event in found] == ["q1", "q2"]
    assert read(after=cursor)["items"] == []


def test_types_are_chosen(aws):
    filed(aws, "q1")
    at = int((time.time() - 60) * 1000)
    row = feed.fact(TENANT, at, JOB, "job#j1", {"job": "j1", "kind": "sync", "state": "done"})
    feed.put_with(aws.table, row, [], lambda: at / 1000)

    (event,) = read(types="JobFinished,EmailHeld")["items"]

    assert (event["type"], event["job"], event["state"]) == ("JobFinished", "j1", "done")
    refused = acme("GET", "/v1/changes", query={"types": "EmailFiled,Nonsense"})
    assert (refused.status, refused.code) == (422, "unknown_event_type")
    assert refused.json["errors"][0]["pointer"] == "types"


def test_a_cursor_older_than_thirty_days_is_gone(aws):
    old = moment(int((time.time() - 31 * 86_400) * 1000))
    cursor = base64.urlsafe_b64encode(old.encode()).rstrip(b"=").decode()

    answer = acme("GET", "/v1/changes", query={"after": cursor})

    assert (answer.status, answer.code) == (410, "cursor_expired")


@pytest.mark.parametrize("text", ["x", "2026-99-99T99:99:99.999Z", "9999-12-31T00:00:00.000Z"])
def test_a_made_up_cursor_opens_nothing(aws, text):
    filed(aws, "q1", tenant=OTHER)
    cursor = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    answer = acme("GET", "/v1/changes", query={"after": cursor})

    assert answer.status in (200, 400), answer.text
    assert "q1" not in answer.text


def owned(aws, owner="anna", **more):
    account = connect_account(aws, TENANT, "anna", "anna@own.de", filing=True)
    account = replace(account, owner=owner, **more)
    aws.table.put(keys.account(TENANT, "anna"), account_item(account))


def test_a_person_hears_of_mail_that_is_open_to_him_and_of_no_other(aws):
    owned(aws, visibility="headers")
    filed(aws, "q1")
    assert [event["entity_id"] for event in read(user)["items"]] == ["q1"]

    change(aws, TENANT, ID, mark_private("anna"), now=lambda: time.time() - 20)

    assert read(user)["items"] == []
    assert len(read()["items"]) == 1
    assert len(read(replace(user, subject="anna"))["items"]) == 1


def test_a_person_hears_of_his_own_mailboxes_states_and_jobs(aws):
    owned(aws)
    at = int((time.time() - 60) * 1000)
    for type_, name in ((ACCOUNT, "a"), (JOB, "b")):
        row = feed.fact(TENANT, at, type_, name, {"account": "anna", "status": "ok", "job": "j"})
        feed.put_with(aws.table, row, [], lambda: at / 1000)

    assert read(user)["items"] == []
    for client in (replace(user, subject="anna"), replace(user, scopes="read manage"), acme):
        assert len(read(client)["items"]) == 2


def test_held_mail_is_told_with_its_message_alone_and_once(aws):
    held = AddressDecision("x@y.de", "from", *CLAIMED_OWN)
    message = Message(
        TENANT, ID, COPY.received_at, Facts(), "aa" * 32, copies=(COPY,), decisions=(held,)
    )
    change(aws, TENANT, ID, lambda _: message)
    change(aws, TENANT, ID, lambda now: replace(now, flags=frozenset({"variant"})))

    (event,) = whole_feed(aws, TENANT)

    assert (event.type, event.message, event.entity) == ("EmailHeld", ID, None)


# ---- accounts and jobs ---------------------------------------------------------------------------


OK, BROKEN = AccountState(status="ok"), AccountState(status="degraded", code="host_unreachable")


def told(aws, tenant=TENANT):
    return [dict(event.facts) for event in whole_feed(aws, tenant) if event.facts]


def test_another_status_is_told_once_and_the_same_never(aws):
    for tenant in (TENANT, OTHER):
        aws.table.put(keys.account_state(tenant, "anna"), state_item(OK))

    write_state(aws.table, TENANT, "anna", BROKEN, OK)
    write_state(aws.table, TENANT, "anna", replace(BROKEN, tries=2), BROKEN)
    write_state(aws.table, TENANT, "anna", BROKEN, OK)  # a second worker that saw it well
    write_state(aws.table, TENANT, "anna", OK, BROKEN)

    down = {"account": "anna", "status": "degraded", "previous": "ok", "code": "host_unreachable"}
    up = {"account": "anna", "status": "ok", "previous": "degraded"}
    assert told(aws) == [down, up]
    assert told(aws, OTHER) == []


def test_the_state_of_an_account_that_is_gone_is_not_told(aws):
    assert not write_state(aws.table, TENANT, "anna", BROKEN, OK)
    assert told(aws) == []


@pytest.mark.parametrize("ticks_first", [True, False])
def test_a_sync_job_is_told_when_its_last_mail_is_matched(aws, ticks_first):
    jobs.create(aws.table, Job(TENANT, "j1", "sync", "anna"), 1000)
    job = jobs.claim(aws.table, TENANT, "j1", 1000)
    job = replace(job, total=2)
    steps = [
        lambda: jobs.tick_copy(aws.table, TENANT, "j1", "c1"),
        lambda: jobs.mark_synced(aws.table, job),
        lambda: jobs.tick_copy(aws.table, TENANT, "j1", "c2"),
    ]
    for step in steps if not ticks_first else (steps[0], steps[2], steps[1]):
        assert told(aws) == []
        step()

    jobs.tick_copy(aws.table, TENANT, "j1", "c2")  # delivered again
    jobs.mark_synced(aws.table, job)

    assert told(aws) == [{"job": "j1", "kind": "sync", "state": "done", "account": "anna"}]
    assert jobs.get(aws.table, TENANT, "j1").shown_state == "done"


def test_a_tick_whose_worker_died_before_it_told_is_told_by_the_next(aws):
    jobs.create(aws.table, Job(TENANT, "j1", "sync", "anna"), 1000)
    job = replace(jobs.claim(aws.table, TENANT, "j1", 1000), total=1)
    jobs.mark_synced(aws.table, job)
    aws.table.put(keys.job_copy(TENANT, "j1", "c1"), {"expires": 9_999_999_999})
    aws.table.update(keys.job(TENANT, "j1"), "ADD done :one", values={":one": 1})

    assert not jobs.tick_copy(aws.table, TENANT, "j1", "c1")

    assert [each["job"] for each in told(aws)] == ["j1"]


def test_a_check_and_a_batch_are_told_once_with_how_they_ended(aws):
    jobs.create(aws.table, Job(TENANT, "j1", "check", "anna"), 1000)
    jobs.fail(aws.table, TENANT, "j1", "login_refused", "d")
    jobs.finish(aws.table, TENANT, "j1", {})
    batch = batches.Batch(TENANT, "j2", "purge", {}, created_at="x")
    batches.create(aws.table, batch, 1000)
    assert batches.finish(aws.table, batch)
    assert not batches.fail(aws.table, batch, "internal", "d")

    assert [(each["job"], each["state"], each.get("code")) for each in told(aws)] == [
        ("j1", "failed", "login_refused"),
        ("j2", "done", None),
    ]
