"""What an invocation tells: one line, metrics in it, no call for it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws_calls import aws_calls
from tests.support.events import context, s3_created, sqs_event
from tests.support.mailboxes import TENANT, a_mail, connect_mailbox
from tests.support.tenants import connect_account

from ablage.messages import utc_text
from ablage.settings import settings
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import Storage
from match.handler import lambda_handler as match
from sync import tools as tools_module
from sync.dispatch import lambda_handler as dispatch
from sync.handler import lambda_handler as sync


@pytest.fixture
def local(aws: Storage, imap: EmbeddedImap, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setenv("MAIL_CA_FILE", str(imap.ca_file))
    monkeypatch.setenv("MAIL_LOCAL_HOSTS", f"{imap.host}:{imap.port}")
    monkeypatch.setenv("STACK_NAME", "ablage-test")
    settings.cache_clear()
    tools_module.access.cache_clear()
    yield aws
    tools_module.access.cache_clear()
    settings.cache_clear()


def poll_of(seconds_ago: int, *accounts: str, interval: int = 5) -> dict[str, Any]:
    due = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return {
        "kind": "poll",
        "minute": due.strftime("%Y-%m-%dT%H:%M:00Z"),
        "second": due.second,
        "interval": interval,
        "tenant": TENANT,
        "accounts": list(accounts),
    }


def lines(caplog: pytest.LogCaptureFixture, logger: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == logger]


def test_a_warm_invocation_opens_no_secret_and_logs_one_line_for_all_its_accounts(
    local: Storage, imap: EmbeddedImap, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"box{n}" for n in range(12)]
    for name in names:
        connect_mailbox(local, imap, user, account_id=name)
    sync(sqs_event(poll_of(0, *names)), context())
    caplog.clear()

    with aws_calls() as calls, caplog.at_level("DEBUG"):
        sync(sqs_event(poll_of(0, *names[:6]), poll_of(0, *names[6:])), context())

    assert calls == ["dynamodb:BatchGetItem"] * 2
    (line,) = lines(caplog, "sync")
    assert line["counts"]["polled"] == 12


def test_the_summary_tells_how_late_polls_came_also_those_it_dropped(
    local: Storage, imap: EmbeddedImap, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    connect_mailbox(local, imap, user)

    with caplog.at_level("INFO"):
        sync(sqs_event(poll_of(100, "box"), poll_of(2000, "box")), context())

    (line,) = lines(caplog, "sync")
    assert (line["counts"]["polled"], line["counts"]["polls_too_late"]) == (1, 1)
    assert [round(lag, -2) for lag in line["PollLag"]] == [100, 2000]
    (described,) = line["_aws"]["CloudWatchMetrics"]
    assert described == {
        "Namespace": "Ablage",
        "Dimensions": [["Stack"]],
        "Metrics": [{"Name": "PollLag", "Unit": "Seconds"}],
    }
    assert line["Stack"] == "ablage-test"
    assert abs(line["_aws"]["Timestamp"] / 1000 - datetime.now(UTC).timestamp()) < 60


def test_a_tick_without_polls_tells_that_none_is_late(
    local: Storage, imap: EmbeddedImap, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        dispatch({"time": "2026-11-24T12:00:00Z"}, context())
        connect_mailbox(local, imap, user)
        dispatch({"time": "2026-11-24T12:05:00Z"}, context())

    assert [line.get("PollLag") for line in lines(caplog, "dispatch")] == [[0], None]


def test_match_tells_how_long_new_mail_took_and_leaves_old_mail_out(
    local: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    now = datetime.now(UTC)
    account = connect_account(local, TENANT, "box", "me@own.de", filing=True)
    local.table.update(
        (f"T#{TENANT}#ACCOUNTS", "ACCOUNT#box"),
        "SET created_at = :at",
        values={":at": utc_text(now - timedelta(hours=3))},
    )
    told = [
        (timedelta(minutes=2), "inbox", None),
        (timedelta(hours=4), "inbox", None),  # of the first import
        (timedelta(minutes=2), "sent", None),
        (timedelta(minutes=2), "inbox", "job-1"),
    ]
    keys = []
    for uid, (age, role, job) in enumerate(told, 1):
        key = RawKey("30d", account.tenant, "box", "0" * 16, 1, uid)
        local.raw.put(key, a_mail(uid), RawMetadata(utc_text(now - age), role=role, job=job))
        keys.append(key.text)

    with caplog.at_level("INFO"):
        match(sqs_event(*(s3_created(local.raw.bucket, key) for key in keys)), context())

    (line,) = lines(caplog, "match")
    assert [round(delay, -1) for delay in line["FiledDelay"]] == [120]
