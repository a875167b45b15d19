"""Dispatch: who is polled in which minute, what a lost or doubled tick does, what waits."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from infra.local.aws import let_time_pass, lock_moto
from tests.support.aws import received_bodies
from tests.support.events import context
from tests.support.mailboxes import OTHER, TENANT, put_account

from ablage.accounts import Account, AccountState, slot
from ablage.store import cursors, jobs
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from sync import dispatch
from sync.dispatch import lambda_handler
from sync.polls import second_of

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def locked() -> None:
    lock_moto()


def tick(at: datetime) -> list[dict[str, Any]]:
    """The polls sent by the tick of that minute."""
    event = {"source": "aws.scheduler", "time": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    lambda_handler(event, context())
    let_time_pass("sync", delays=True)
    return [json.loads(body) for body in received_bodies(os.environ["SYNC_QUEUE_URL"])]


def backfill() -> list[dict[str, Any]]:
    return [json.loads(body) for body in received_bodies(os.environ["BACKFILL_QUEUE_URL"])]


def add_account(
    where: Storage, account_id: str, interval: int = 5, tenant: TenantId = TENANT
) -> Account:
    address = "a@b.de"
    account = Account(tenant, account_id, address, address, "imap.b.de", 993, address, 1)
    put_account(where, account, AccountState(interval=interval))
    return account


def polled(bodies: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(body["tenant"], account) for body in bodies for account in body["accounts"]]


def test_every_account_is_polled_once_an_interval(aws: Storage) -> None:
    expected = []
    for interval in (1, 5, 15):
        for number in range(4):
            add_account(aws, f"i{interval}-{number}", interval)
            expected += [f"i{interval}-{number}"] * (15 // interval)

    bodies = [body for minute in range(15) for body in tick(NOON + timedelta(minutes=minute))]

    assert sorted(account for _, account in polled(bodies)) == sorted(expected)


def test_an_account_keeps_its_slot(aws: Storage) -> None:
    add_account(aws, "box", 60)
    minute_of_slot = NOON + timedelta(minutes=slot(TENANT, "box", 60))

    tick(minute_of_slot - timedelta(minutes=1))
    bodies = tick(minute_of_slot + timedelta(seconds=42))

    assert bodies == [
        {
            "kind": "poll",
            "minute": minute_of_slot.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "second": second_of(TENANT, "box"),
            "interval": 60,
            "tenant": TENANT,
            "accounts": ["box"],
        }
    ]


def test_a_message_holds_a_hundred_accounts_of_one_tenant(aws: Storage) -> None:
    for number in range(120):
        add_account(aws, f"n{number}", 1)
    add_account(aws, "n1", 1, OTHER)

    bodies = tick(NOON)

    sizes = sorted((body["tenant"], len(body["accounts"])) for body in bodies)
    assert sizes == [(TENANT, 20), (TENANT, 100), (OTHER, 1)]


def test_lost_ticks_are_worked_off(aws: Storage) -> None:
    for number in range(10):
        add_account(aws, f"n{number}", 5)
    tick(NOON)

    bodies = tick(NOON + timedelta(minutes=5))

    assert len(polled(bodies)) == 10


def test_polls_too_old_for_their_interval_are_not_sent(aws: Storage) -> None:
    add_account(aws, "live", 1)
    add_account(aws, "slow", 60)
    tick(NOON)

    bodies = tick(NOON + timedelta(minutes=60))

    assert sorted(polled(bodies)) == [(TENANT, "live"), (TENANT, "slow")]


def test_a_doubled_or_late_tick_sends_nothing(aws: Storage) -> None:
    add_account(aws, "box", 1)
    assert len(tick(NOON)) == 1

    assert tick(NOON) == []
    assert tick(NOON - timedelta(minutes=3)) == []


def test_a_doubled_tick_still_sends_what_waits(aws: Storage) -> None:
    tick(NOON)
    cursors.leave_more(aws.table, TENANT, "box", int(NOON.timestamp()) - 10)

    tick(NOON)

    assert [body["account"] for body in backfill()] == ["box"]


def test_one_tick_from_the_future_does_not_stop_the_polls_till_then(aws: Storage) -> None:
    add_account(aws, "box", 1)
    tick(datetime(2099, 1, 1, tzinfo=UTC))

    sent = [tick(NOON), tick(NOON), tick(NOON + timedelta(minutes=1))]

    assert [len(bodies) for bodies in sent] == [1, 0, 1]


def test_an_account_that_is_off_is_not_polled(aws: Storage) -> None:
    account = add_account(aws, "box", 1)
    place = ("T#acme#ACCOUNT#box", "STATE")
    assert account.sync
    aws.table.update(place, "REMOVE due, due_sk")

    assert tick(NOON) == []


def test_waiting_work_goes_out_oldest_first(aws: Storage) -> None:
    now = int(NOON.timestamp())
    cursors.leave_more(aws.table, TENANT, "young", now - 10)
    cursors.leave_more(aws.table, OTHER, "old", now - 500)
    jobs.create(aws.table, Job(TENANT, "j1", "sync", "box"), now - 100)
    cursors.leave_more(aws.table, TENANT, "taken", now + 150)

    tick(NOON)

    assert backfill() == [
        {"kind": "more", "tenant": OTHER, "account": "old", "sent": now},
        {"kind": "job", "tenant": TENANT, "job": "j1", "sent": now},
        {"kind": "more", "tenant": TENANT, "account": "young", "sent": now},
    ]


def test_no_more_goes_out_than_twice_the_concurrency(aws: Storage) -> None:
    for number in range(30):
        cursors.leave_more(aws.table, TENANT, f"box{number:02d}", 1000 + number)

    tick(NOON)

    sent = [body["account"] for body in backfill()]
    assert sent == [f"box{number:02d}" for number in range(dispatch.MORE_PER_TICK)]


def test_an_account_named_like_a_job_is_none(aws: Storage) -> None:
    cursors.leave_more(aws.table, TENANT, "job:7", 1000)

    tick(NOON)

    assert [(body["kind"], body["account"]) for body in backfill()] == [("more", "job:7")]
