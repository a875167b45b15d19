"""What is fetched of an account in a day is counted, whoever fetches it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.http_events import Client
from tests.support.mailboxes import (
    OTHER,
    TENANT,
    connect_mailbox,
    put_account,
    state_of,
    tools_for,
)
from tests.support.odd_inbox import inbox
from tests.support.polling import keys_of, poll_once

from ablage.accounts import NEVER
from ablage.mailbox.pace import START
from ablage.mailbox.providers import DAY_BYTES
from ablage.mailbox.pull import BATCH_MAILS
from ablage.store import cursors, day_bytes, jobs, keys
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from sync.day_budget import LIVE_RESERVE
from sync.jobs import run_job
from sync.poll import more

Hostile = Callable[[Script], HostileImap]
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
MIDNIGHT = NOON + 12 * 3600
TODAY = "2026-11-26"
MAILS = 4
RESERVE = DAY_BYTES // LIVE_RESERVE


def used(where: Storage, day: str = TODAY) -> int:
    return day_bytes.get(where.table, TENANT, "box", day)


def use(where: Storage, size: int, day: str = TODAY) -> None:
    day_bytes.add(where.table, TENANT, "box", day, size)


@pytest.fixture
def server(hostile: Hostile) -> HostileImap:
    return hostile(inbox(lambda: MAILS, lambda _talk, _command: False))


def start(where: Storage, job_id: str = "j1") -> None:
    jobs.create(where.table, Job(TENANT, job_id, "sync", "box"), int(NOON) - 60)


def run_at(where: Storage, server: HostileImap, at: float, job_id: str = "j1") -> Job:
    run_job(tools_for(where, server, now=lambda: at), TENANT, job_id)
    return jobs.get(where.table, TENANT, job_id)


def fetched(where: Storage) -> int:
    return sum(len(where.raw.get(key)[0]) for key in keys_of(where))


def test_what_a_job_fetches_counts(aws: Storage, server: HostileImap) -> None:
    connect_mailbox(aws, server, "u@example.com")
    use(aws, 1000)
    start(aws)

    job = run_at(aws, server, NOON)

    assert job.total == MAILS
    assert used(aws) == 1000 + fetched(aws)


def test_what_a_job_fetches_counts_though_its_session_is_lost(
    aws: Storage, hostile: Hostile
) -> None:
    def hook(talk: Talk, command: bytes) -> bool:
        if b"BODY" in command:
            talk.say(b'* 1 FETCH (UID 1 BODY[] "a mail of 23 bytes ...")\r\n')
            talk.reset()
        return False

    server = hostile(inbox(lambda: MAILS, hook))
    connect_mailbox(aws, server, "u@example.com")
    start(aws)

    run_at(aws, server, NOON)

    assert used(aws) > 0


def test_a_job_may_use_what_is_kept_for_new_mail_and_an_import_not(
    aws: Storage, server: HostileImap
) -> None:
    connect_mailbox(aws, server, "u@example.com")
    use(aws, DAY_BYTES - RESERVE)
    cursors.leave_more(aws.table, TENANT, "box", 0)
    start(aws)

    more(tools_for(aws, server, now=lambda: NOON), TENANT, "box")
    assert keys_of(aws) == []
    job = run_at(aws, server, NOON)

    assert (job.total, job.synced) == (MAILS, True)


def test_a_job_waits_for_the_next_day_without_a_login(aws: Storage, server: HostileImap) -> None:
    connect_mailbox(aws, server, "u@example.com")
    use(aws, DAY_BYTES)
    start(aws)

    job = run_at(aws, server, NOON)
    early = run_at(aws, server, MIDNIGHT - 1)
    assert (job.waits_for, job.due_at) == ("day_bytes_used", int(MIDNIGHT))
    assert (early.due_at, server.connections) == (int(MIDNIGHT), 0)
    job = run_at(aws, server, MIDNIGHT + 1)

    assert (job.total, job.synced, job.waits_for) == (MAILS, True, "")
    assert used(aws, "2026-11-27") == fetched(aws)


def test_a_slice_ends_with_the_days_bytes_and_goes_on_the_next_day(
    aws: Storage, hostile: Hostile
) -> None:
    many = START * BATCH_MAILS + 10  # more than are asked for at once
    server = hostile(inbox(lambda: many, lambda _talk, _command: False))
    connect_mailbox(aws, server, "u@example.com")
    use(aws, DAY_BYTES - 1)
    start(aws)

    run_at(aws, server, NOON)
    job = run_at(aws, server, NOON + 1)
    before = len(keys_of(aws))
    assert (job.waits_for, job.synced) == ("day_bytes_used", False)
    job = run_at(aws, server, MIDNIGHT + 1)

    assert 0 < before < many
    assert (job.total, job.synced) == (many, True)
    assert len(keys_of(aws)) == many


def test_new_mail_and_other_accounts_have_their_own(aws: Storage, server: HostileImap) -> None:
    account = connect_mailbox(aws, server, "u@example.com")
    connect_mailbox(aws, server, "u@example.com", tenant=OTHER)
    use(aws, DAY_BYTES - RESERVE)

    poll_once(tools_for(aws, server, now=lambda: NOON), account)

    assert len(keys_of(aws)) == MAILS
    assert day_bytes.get(aws.table, OTHER, "box", TODAY) == 0


def test_a_job_beside_a_poll_loses_no_count(aws: Storage) -> None:
    lease = cursors.take_lease(aws.table, TENANT, "box", int(NOON), TODAY)
    assert lease
    use(aws, 500)
    cursors.release_lease(aws.table, TENANT, "box", lease, 70)

    assert used(aws) == 570
    again = cursors.take_lease(aws.table, TENANT, "box", int(NOON), TODAY)
    assert again
    assert again.day_bytes == 570


def test_many_at_once_lose_no_count_at_the_turn_of_the_day(aws: Storage) -> None:
    use(aws, 10_000, "2026-11-25")
    threads = [threading.Thread(target=use, args=(aws, 3)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert used(aws) == 24


def test_a_day_that_is_over_takes_nothing_from_the_next(aws: Storage) -> None:
    lease = cursors.take_lease(aws.table, TENANT, "box", int(NOON), TODAY)
    assert lease
    use(aws, 5, "2026-11-27")

    cursors.release_lease(aws.table, TENANT, "box", lease, 999)

    assert used(aws, "2026-11-27") == 5
    assert cursors.take_lease(aws.table, TENANT, "box", int(NOON), TODAY)


def test_a_lease_that_was_lost_counts_nothing_and_frees_nothing(aws: Storage) -> None:
    old = cursors.take_lease(aws.table, TENANT, "box", int(NOON), TODAY)
    later = int(NOON) + cursors.LEASE_SECONDS + 1
    assert old
    assert cursors.take_lease(aws.table, TENANT, "box", later, TODAY)

    cursors.release_lease(aws.table, TENANT, "box", old, 70)

    assert used(aws) == 0
    assert cursors.take_lease(aws.table, TENANT, "box", later, TODAY) is None


def test_the_api_tells_what_a_job_waits_for(aws: Storage, server: HostileImap) -> None:
    connect_mailbox(aws, server, "u@example.com")
    use(aws, DAY_BYTES)
    start(aws)
    run_at(aws, server, NOON)

    shown = Client(TENANT)("GET", "/v1/jobs/j1").json

    assert (shown["state"], shown["code"]) == ("running", None)
    assert (shown["waits_for"], shown["waits_until"]) == (
        "day_bytes_used",
        "2026-11-27T00:00:00Z",
    )
    assert "midnight" in shown["detail"]
    run_at(aws, server, MIDNIGHT + 1)
    shown = Client(TENANT)("GET", "/v1/jobs/j1").json
    assert (shown["waits_for"], shown["waits_until"], shown["detail"]) == (None, None, None)


def test_a_job_of_a_mailbox_that_waits_tells_the_accounts_code(
    aws: Storage, server: HostileImap
) -> None:
    account = connect_mailbox(aws, server, "u@example.com")
    waits = {"status": "throttled", "code": "throttled", "not_before": int(NOON) + 600}
    put_account(aws, account, replace(state_of(aws, account), **waits))
    start(aws)

    run_at(aws, server, NOON)

    shown = Client(TENANT)("GET", "/v1/jobs/j1").json
    assert (shown["waits_for"], shown["waits_until"]) == ("throttled", "2026-11-26T12:10:00Z")
    assert shown["detail"] == "The provider asks us to slow down."


def test_a_job_that_failed_while_it_waited_tells_why(aws: Storage, server: HostileImap) -> None:
    account = connect_mailbox(aws, server, "u@example.com")
    use(aws, DAY_BYTES)
    start(aws)
    run_at(aws, server, NOON)
    refused = {"status": "reauth_required", "code": "login_refused", "not_before": NEVER}
    put_account(aws, account, replace(state_of(aws, account), **refused))

    run_at(aws, server, MIDNIGHT + 1)

    shown = Client(TENANT)("GET", "/v1/jobs/j1").json
    assert (shown["state"], shown["code"], shown["waits_for"]) == ("failed", "login_refused", None)
    assert aws.table.get(keys.lease(TENANT, "box"))
