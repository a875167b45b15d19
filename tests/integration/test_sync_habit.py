"""An account's tier, on a real server: counted over a simulated day, up with mail and people, down
without."""

from dataclasses import replace

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws_calls import aws_calls
from tests.support.mailboxes import TENANT, a_mail, connect_mailbox, state_of, tools_for
from tests.support.polling import poll_once

from ablage.accounts import Account, slot
from ablage.habit import DAY, HOUR
from ablage.store import due, jobs
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from sync.jobs import run_job
from sync.tools import Tools


@pytest.fixture
def account(aws: Storage, imap: EmbeddedImap, user: str) -> Account:
    return connect_mailbox(aws, imap, user)


@pytest.fixture
def tools(aws: Storage, imap: EmbeddedImap, account: Account) -> Tools:
    tools = tools_for(aws, imap)
    poll_once(tools, account)
    return tools


def at(tools: Tools, seconds: float) -> Tools:
    now = tools.now() + seconds
    return replace(tools, now=lambda: now)


def is_due(where: Storage, account: Account, interval: int) -> bool:
    minute = slot(TENANT, account.account_id, interval)
    return (TENANT, account.account_id) in due.due_accounts(where.table, interval, minute)


def test_an_idle_look_that_is_noted_is_one_write(
    aws: Storage, account: Account, tools: Tools
) -> None:
    poll_once(at(tools, HOUR), account)

    with aws_calls() as calls:
        poll_once(at(tools, 7 * HOUR - 1), account)
        poll_once(at(tools, 7 * HOUR), account)

    assert calls == [*["dynamodb:BatchGetItem"] * 4, "dynamodb:UpdateItem"]


def test_a_mailbox_falls_asleep_and_wakes_with_the_first_mail(
    aws: Storage, imap: EmbeddedImap, account: Account, tools: Tools
) -> None:
    tiers = []
    for days in (0.0, 0.1, 4, 15):
        poll_once(at(tools, days * DAY), account)
        tiers.append(state_of(aws, account).interval)
        assert is_due(aws, account, tiers[-1])

    imap.append(account.username, "INBOX", a_mail())
    poll_once(at(tools, 16 * DAY), account)

    assert tiers == [1, 5, 15, 60]
    assert state_of(aws, account).interval == 5
    assert is_due(aws, account, 5)
    assert not is_due(aws, account, 60)


def test_mail_in_three_hours_makes_it_live(
    aws: Storage, imap: EmbeddedImap, account: Account, tools: Tools
) -> None:
    for hours in (30, 31, 32):
        imap.append(account.username, "INBOX", a_mail(hours))
        poll_once(at(tools, hours * HOUR), account)

    state = state_of(aws, account)
    assert (state.interval, len(state.habit.recent), sum(state.habit.hours)) == (1, 3, 3)


def test_more_mail_in_the_same_hour_does_not_write_the_state(
    aws: Storage, imap: EmbeddedImap, account: Account, tools: Tools
) -> None:
    noon = replace(tools, now=lambda: 1_800_000_000.0)
    imap.append(account.username, "INBOX", a_mail(1))
    poll_once(noon, account)
    before = state_of(aws, account)
    imap.append(account.username, "INBOX", a_mail(2))

    poll_once(at(noon, 60), account)

    assert state_of(aws, account) == before


def test_a_first_listing_is_no_habit(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    account = connect_mailbox(aws, imap, user)
    imap.append(user, "INBOX", a_mail())

    poll_once(tools_for(aws, imap), account)

    assert state_of(aws, account).habit.recent == ()


def test_somebody_who_asks_for_a_sync_raises_the_tier(
    aws: Storage, account: Account, tools: Tools
) -> None:
    later = at(tools, 30 * DAY)
    poll_once(later, account)
    assert state_of(aws, account).interval == 60
    jobs.create(aws.table, Job(TENANT, "j1", "sync", "box"), later.epoch())

    run_job(later, TENANT, "j1")

    assert state_of(aws, account).interval == 1
    assert is_due(aws, account, 1)
