"""Jobs: a check tells what it found, a sync of named folders ends when its mails are matched."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws import received_bodies
from tests.support.mailboxes import (
    OTHER,
    TENANT,
    a_mail,
    connect_mailbox,
    put_account,
    put_secret,
    raw_keys,
    state_of,
    tools_for,
)

from ablage.accounts import AccountState
from ablage.mailbox.names import folder_id
from ablage.mailbox.network import Network
from ablage.store import jobs, keys
from ablage.store.jobs import Job
from ablage.store.raw_mail import RawKey, parse_key
from ablage.store.storage import Storage
from sync.jobs import ATTEMPTS, run_job
from sync.poll import poll
from sync.tools import Tools

INBOX = folder_id(b"INBOX")
SENT = folder_id(b"Sent")
TRASH = folder_id(b"Trash")


def start(where: Storage, tools: Tools, kind: str, *folders: str, since: str | None = None) -> Job:
    job = Job(TENANT, "j1", kind, "box", folders=folders, since=since)
    jobs.create(where.table, job, tools.epoch())
    return job


def ended(where: Storage) -> Job:
    return jobs.get(where.table, TENANT, "j1")


def sent_to_match() -> list[dict[str, dict[str, str]]]:
    return [json.loads(body) for body in received_bodies(os.environ["MATCH_QUEUE_URL"])]


def keys_of(where: Storage) -> list[RawKey]:
    return [key for text in raw_keys(where) if (key := parse_key(text))]


def test_a_check_answers_with_the_folders(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    account = connect_mailbox(aws, imap, user)
    tools = tools_for(aws, imap)
    start(aws, tools, "check")

    run_job(tools, TENANT, "j1")

    job = ended(aws)
    assert job.shown_state == "done"
    assert job.result is not None
    assert [(f["name"], f["role"], f["synced"]) for f in job.result["folders"]] == [
        ("INBOX", "inbox", True),
        ("Sent", "sent", True),
        ("Trash", "trash", False),
    ]
    assert state_of(aws, account).status == "syncing"


def test_a_check_with_a_wrong_password_fails_with_its_code(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    put_secret(aws, account, "wrong")
    tools = tools_for(aws, imap)
    start(aws, tools, "check")

    run_job(tools, TENANT, "j1")

    assert (ended(aws).shown_state, ended(aws).code) == ("failed", "login_refused")
    assert state_of(aws, account).status == "reauth_required"


def test_a_sync_job_stores_its_folder_and_marks_every_copy(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    connect_mailbox(aws, imap, user, folder_modes={TRASH: "on_demand"})
    imap.append(user, "Trash", a_mail(1))
    imap.append(user, "INBOX", a_mail(2))
    tools = tools_for(aws, imap)
    start(aws, tools, "sync", TRASH)

    run_job(tools, TENANT, "j1")

    (stored,) = keys_of(aws)
    assert stored.folder_id == TRASH
    assert aws.raw.get(stored)[1].job == "j1"
    job = ended(aws)
    assert (job.total, job.done, job.synced, job.shown_state) == (1, 0, True, "running")
    jobs.tick_copy(aws.table, TENANT, "j1", stored.copy_id)
    assert ended(aws).shown_state == "done"


@pytest.mark.parametrize("modes", [{}, {INBOX: "never"}])
def test_a_folder_that_is_never_read_is_not_read_by_a_job(
    aws: Storage, imap: EmbeddedImap, user: str, modes: dict[str, str]
) -> None:
    connect_mailbox(aws, imap, user, folder_modes=modes)
    imap.append(user, "Trash", a_mail(1))
    tools = tools_for(aws, imap)
    start(aws, tools, "sync", INBOX if modes else TRASH)

    run_job(tools, TENANT, "j1")

    job = ended(aws)
    assert (job.shown_state, job.code) == ("failed", "folder_never_synced")
    assert job.detail is not None
    assert "folder_modes" in job.detail
    assert keys_of(aws) == []


def test_a_private_folder_is_read_by_a_job_and_by_no_poll(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    imap.create_folder(user, "Privat")
    private = folder_id(b"Privat")
    account = connect_mailbox(aws, imap, user, sync_folders="all")
    imap.append(user, "Privat", a_mail(1))
    tools = tools_for(aws, imap)
    poll(tools, [(TENANT, account.account_id)])
    before = keys_of(aws)
    start(aws, tools, "sync", private)

    run_job(tools, TENANT, "j1")

    (stored,) = keys_of(aws)
    assert before == []
    assert aws.raw.get(stored)[1].role == "private"


def test_a_copy_that_is_stored_already_is_sent_to_match_again(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    imap.append(user, "INBOX", a_mail())
    tools = tools_for(aws, imap)
    poll(tools, [(TENANT, account.account_id)])
    (stored,) = keys_of(aws)
    start(aws, tools, "sync", INBOX)

    run_job(tools, TENANT, "j1")

    assert ended(aws).total == 1
    assert sent_to_match() == [{"match": {"key": stored.text, "job": "j1"}}]


def test_an_empty_folder_is_done_at_once(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    connect_mailbox(aws, imap, user)
    tools = tools_for(aws, imap)
    start(aws, tools, "sync", SENT)

    run_job(tools, TENANT, "j1")

    assert ended(aws).shown_state == "done"


def test_since_reaches_back_further_than_the_account(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    connect_mailbox(aws, imap, user, sync_since="2026-11-01T00:00:00Z")
    with imap.connect(user) as wire:
        wire.append("INBOX", a_mail(1), received=datetime(2026, 5, 1, tzinfo=UTC))
        wire.append("INBOX", a_mail(2), received=datetime(2025, 5, 1, tzinfo=UTC))
    tools = tools_for(aws, imap)
    start(aws, tools, "sync", INBOX, since="2026-01-01T00:00:00Z")

    run_job(tools, TENANT, "j1")

    assert len(keys_of(aws)) == 1
    assert ended(aws).total == 1


def test_a_folder_the_mailbox_does_not_have_fails_the_job(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    connect_mailbox(aws, imap, user)
    tools = tools_for(aws, imap)
    start(aws, tools, "sync", "0" * 16)

    run_job(tools, TENANT, "j1")

    assert (ended(aws).state, ended(aws).code) == ("failed", "folder_not_found")


def test_a_job_of_a_removed_account_fails(aws: Storage, imap: EmbeddedImap) -> None:
    tools = tools_for(aws, imap)
    start(aws, tools, "check")

    run_job(tools, TENANT, "j1")

    assert ended(aws).code == "account_not_found"


def test_a_long_job_goes_on_where_its_slice_ended(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    connect_mailbox(aws, imap, user)
    with imap.connect(user) as wire:
        for number in range(12):
            wire.append("INBOX", a_mail(number, b"x" * 600_000))
        wire.append("Sent", a_mail(99))
    tools = tools_for(aws, imap, slice_bytes=1_000_000)
    start(aws, tools, "sync", INBOX, SENT)

    slices = 0
    while not ended(aws).synced:
        run_job(tools, TENANT, "j1")
        slices += 1

    assert slices > 2
    assert ended(aws).total == len(keys_of(aws)) == 13
    assert sent_to_match() == []


def test_a_job_is_given_up_after_some_attempts(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    connect_mailbox(aws, imap, user, port=1)
    closed = Network(str(imap.ca_file), frozenset({f"{imap.host}:1"}))
    tools = tools_for(aws, imap, network=closed)
    start(aws, tools, "sync", INBOX)

    states = []
    for attempt in range(ATTEMPTS):
        at = tools.now() + attempt * (jobs.CLAIM_SECONDS + 1)
        run_job(replace(tools, now=lambda at=at: at), TENANT, "j1")
        states.append(ended(aws).state)

    assert states == ["running"] * (ATTEMPTS - 1) + ["failed"]
    assert ended(aws).code == "connect_failed"


def test_a_job_ends_at_once_where_somebody_must_change_something(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    connect_mailbox(aws, imap, user, port=1)
    tools = tools_for(aws, imap)
    start(aws, tools, "sync", INBOX)

    run_job(tools, TENANT, "j1")

    assert (ended(aws).state, ended(aws).code) == ("failed", "address_refused")


@pytest.mark.parametrize(("until", "state"), [(10**10 - 1, "failed"), (4_000_000_000, "running")])
def test_a_sync_waits_as_its_mailbox_does(
    aws: Storage, imap: EmbeddedImap, user: str, until: int, state: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    waiting = AccountState("throttled", "over_quota", "d", "s", not_before=until)
    put_account(aws, account, waiting)
    tools = tools_for(aws, imap)
    start(aws, tools, "sync", INBOX)

    run_job(tools, TENANT, "j1")

    assert ended(aws).state == state
    assert ended(aws).code == ("over_quota" if state == "failed" else None)
    waits = aws.table.get(keys.job(TENANT, "j1"))
    assert waits
    assert state == "failed" or waits["due_sk"].startswith(f"{until}#")
    assert keys_of(aws) == []


def test_a_job_is_worked_on_by_one_worker(aws: Storage) -> None:
    jobs.create(aws.table, Job(TENANT, "j1", "check", "box"), 1000)

    assert jobs.claim(aws.table, TENANT, "j1", 1000)
    assert jobs.claim(aws.table, TENANT, "j1", 1100) is None
    assert jobs.claim(aws.table, TENANT, "j1", 1000 + jobs.CLAIM_SECONDS)
    assert jobs.claim(aws.table, OTHER, "j1", 5000) is None


def test_a_finished_job_is_not_begun_again(aws: Storage) -> None:
    jobs.create(aws.table, Job(TENANT, "j1", "check", "box"), 1000)
    jobs.finish(aws.table, TENANT, "j1", {"folders": []})

    assert jobs.claim(aws.table, TENANT, "j1", 9000) is None
    item = aws.table.get(keys.job(TENANT, "j1"))
    assert item is not None
    assert "due" not in item
