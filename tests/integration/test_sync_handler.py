"""The handler of SyncQueue and BackfillQueue, with real event shapes."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.events import context, sqs_event
from tests.support.mailboxes import (
    OTHER,
    PASSWORD,
    TENANT,
    a_mail,
    connect_mailbox,
    put_secret,
    raw_keys,
    state_of,
)

from ablage.settings import settings
from ablage.store import cursors, due, jobs, keys
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from sync import tools as tools_module
from sync.handler import Batch, lambda_handler


@pytest.fixture
def local(aws: Storage, imap: EmbeddedImap, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """The two settings that only this machine has."""
    monkeypatch.setenv("MAIL_CA_FILE", str(imap.ca_file))
    monkeypatch.setenv("MAIL_LOCAL_HOSTS", f"{imap.host}:{imap.port}")
    settings.cache_clear()
    tools_module.access.cache_clear()
    yield aws
    tools_module.access.cache_clear()
    settings.cache_clear()


def poll_body(minutes_ago: int = 0, interval: int = 5, **changes: Any) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    body = {
        "kind": "poll",
        "minute": at.strftime("%Y-%m-%dT%H:%MZ"),
        "interval": interval,
        "tenant": TENANT,
        "accounts": ["box"],
    }
    return body | changes


def failures(*bodies: dict[str, Any] | str) -> int:
    return len(lambda_handler(sqs_event(*bodies), context())["batchItemFailures"])


def test_a_poll_message_syncs_its_accounts(local: Storage, imap: EmbeddedImap, user: str) -> None:
    connect_mailbox(local, imap, user)
    imap.append(user, "INBOX", a_mail())

    assert failures(poll_body()) == 0
    assert len(raw_keys(local)) == 1


def test_a_poll_older_than_its_interval_is_dropped(
    local: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(local, imap, user)

    assert failures(poll_body(minutes_ago=7, interval=5)) == 0
    assert state_of(local, account).status == "syncing"


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        {"kind": "unknown"},
        {"kind": "more", "tenant": "acme"},
        {"kind": "job", "tenant": "Not A Tenant", "job": "j"},
        {"kind": "poll", "minute": "soon", "interval": 5, "tenant": "acme", "accounts": []},
    ],
)
def test_a_message_that_is_none_of_ours_fails_alone(
    local: Storage, imap: EmbeddedImap, user: str, body: dict[str, Any] | str
) -> None:
    connect_mailbox(local, imap, user)
    imap.append(user, "INBOX", a_mail())

    assert failures(body, poll_body()) == 1
    assert len(raw_keys(local)) == 1


def test_a_job_message_runs_the_job(local: Storage, imap: EmbeddedImap, user: str) -> None:
    connect_mailbox(local, imap, user)
    jobs.create(local.table, Job(TENANT, "j1", "check", "box"), int(time.time()))

    assert failures({"kind": "job", "tenant": TENANT, "job": "j1"}) == 0
    assert jobs.get(local.table, TENANT, "j1").shown_state == "done"


def test_a_job_behind_a_long_batch_is_left_to_dispatch(
    local: Storage, imap: EmbeddedImap, user: str
) -> None:
    connect_mailbox(local, imap, user)
    now = int(time.time())
    jobs.create(local.table, Job(TENANT, "j1", "check", "box"), now)
    late = replace(tools_module.tools(), began=time.monotonic() - 61)
    record = sqs_event({"kind": "job", "tenant": TENANT, "job": "j1"})["Records"][0]

    Batch(late).handle(record)

    assert jobs.get(local.table, TENANT, "j1").state == "queued"
    assert [waiting.job_id for waiting in due.waiting(local.table, now, 10)] == ["j1"]


def test_leftover_work_is_done(local: Storage, imap: EmbeddedImap, user: str) -> None:
    connect_mailbox(local, imap, user)
    imap.append(user, "INBOX", a_mail())
    now = int(time.time())
    cursors.leave_more(local.table, TENANT, "box", now - 5)

    assert failures({"kind": "more", "tenant": TENANT, "account": "box", "sent": now}) == 0
    assert len(raw_keys(local)) == 1
    assert local.table.get(keys.more(TENANT, "box")) is None


def test_backfill_older_than_a_minute_is_dropped(
    local: Storage, imap: EmbeddedImap, user: str
) -> None:
    connect_mailbox(local, imap, user)
    imap.append(user, "INBOX", a_mail())
    now = int(time.time())
    cursors.leave_more(local.table, TENANT, "box", now - 500)

    assert failures({"kind": "more", "tenant": TENANT, "account": "box", "sent": now - 90}) == 0
    assert raw_keys(local) == []
    assert local.table.get(keys.more(TENANT, "box"))


def test_leftover_work_of_a_dead_password_waits_for_a_good_look(
    local: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(local, imap, user)
    put_secret(local, account, "wrong")
    now = int(time.time())
    cursors.leave_more(local.table, TENANT, "box", now - 5)

    failures({"kind": "more", "tenant": TENANT, "account": "box", "sent": now})

    assert local.table.get(keys.more(TENANT, "box")) is None
    assert state_of(local, account).code == "login_refused"


def test_an_invocation_logs_one_line_without_secrets(
    local: Storage, imap: EmbeddedImap, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    connect_mailbox(local, imap, user)
    imap.append(user, "INBOX", a_mail())

    with caplog.at_level("DEBUG", logger="sync"):
        failures(poll_body())

    (line,) = [record for record in caplog.records if record.name == "sync"]
    assert vars(line)["counts"]["stored"] == 1
    assert user not in str(vars(line))
    assert PASSWORD not in str(vars(line))


def test_a_defect_in_one_account_fails_its_own_message_alone(
    local: Storage, imap: EmbeddedImap, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    connect_mailbox(local, imap, user, sync_since="canary, no date")
    connect_mailbox(local, imap, user, tenant=OTHER)
    imap.append(user, "INBOX", a_mail())
    event = sqs_event(poll_body(), poll_body(tenant=OTHER))

    with caplog.at_level("ERROR", logger="sync"):
        failed = lambda_handler(event, context())["batchItemFailures"]

    assert [each["itemIdentifier"] for each in failed] == [event["Records"][0]["messageId"]]
    (line,) = [record for record in caplog.records if record.name == "sync"]
    assert vars(line)["fault"].startswith("ValueError at ")
    assert "canary" not in str(vars(line))


def test_an_item_that_cannot_be_read_fails_its_own_message_alone(
    local: Storage, imap: EmbeddedImap, user: str
) -> None:
    connect_mailbox(local, imap, user)
    connect_mailbox(local, imap, user, tenant=OTHER)
    imap.append(user, "INBOX", a_mail())
    local.table.update(keys.account_state(TENANT, "box"), "REMOVE #i", names={"#i": "interval"})
    event = sqs_event(poll_body(), poll_body(tenant=OTHER))

    failed = lambda_handler(event, context())["batchItemFailures"]

    assert [each["itemIdentifier"] for each in failed] == [event["Records"][0]["messageId"]]
    assert len(raw_keys(local)) == 1


def test_a_record_that_is_none_of_ours_leaves_a_line(
    local: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("ERROR", logger="sync"):
        failures("canary")

    lines = [vars(record) for record in caplog.records if record.name == "sync"]
    assert [line["message"] for line in lines] == ["record_failed"]
    assert "canary" not in str(lines)
