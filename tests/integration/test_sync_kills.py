"""Killed at any AWS call, a poll loses nothing, doubles nothing, and the next ones finish."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws_calls import ANSWERED, SENT, SERVICES, aws_calls
from tests.support.mailboxes import a_mail, connect_mailbox, raw_keys, tools_for

from ablage.accounts import Account
from ablage.mailbox.names import folder_id
from ablage.store import cursors, keys
from ablage.store.aws import client
from ablage.store.raw_mail import parse_key
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from sync.poll import more, poll

INBOX = folder_id(b"INBOX")
STEP = cursors.LEASE_SECONDS + 1


class Killed(BaseException):
    """The process is gone: nothing catches it, and nothing gets through after it."""


@contextmanager
def killed_at(number: int, moment: str) -> Iterator[None]:
    """Dies before or after call number `number` (from 0); every later call dies too."""
    calls = itertools.count()
    dead = []

    def hook(**_: Any) -> None:
        if dead or next(calls) == number:
            dead.append(True)
            raise Killed

    def stay_dead(**_: Any) -> None:
        if dead:
            raise Killed

    for service in SERVICES:
        events = client(service).meta.events
        events.register_first(moment, hook, unique_id="kill")
        events.register_first(SENT, stay_dead, unique_id="dead")
    try:
        yield
    except Killed:
        pass
    finally:
        for service in SERVICES:
            client(service).meta.events.unregister(moment, unique_id="kill")
            client(service).meta.events.unregister(SENT, unique_id="dead")


def uids_of(where: Storage, tenant: TenantId) -> list[tuple[str, int]]:
    found = [key for text in raw_keys(where) if (key := parse_key(text))]
    return sorted((key.folder_id, key.uid) for key in found if key.tenant == tenant)


def finish(where: Storage, imap: EmbeddedImap, account: Account) -> None:
    """The following ticks, each later than a lease, and leftover work when there is some."""
    now = tools_for(where, imap).now()
    for tick in range(1, 4):
        at = now + tick * STEP
        tools = tools_for(where, imap, now=lambda at=at: at)
        poll(tools, [(account.tenant, account.account_id)])
        if where.table.get(keys.more(account.tenant, account.account_id)):
            more(tools, account.tenant, account.account_id)


def calls_of_a_poll(where: Storage, imap: EmbeddedImap, account: Account) -> int:
    with aws_calls() as calls:
        poll(tools_for(where, imap), [(account.tenant, account.account_id)])
    return len(calls)


@pytest.mark.parametrize("moment", [SENT, ANSWERED])
@pytest.mark.parametrize("begun", [False, True])
def test_a_kill_at_any_call_loses_and_doubles_nothing(
    aws: Storage, imap: EmbeddedImap, user: str, moment: str, begun: bool
) -> None:
    with imap.connect(user) as wire:
        for number in range(3):
            wire.append("INBOX", a_mail(number))
        wire.append("Sent", a_mail(9))
        expected = sorted(
            (folder_id(name.encode()), uid) for name in ("INBOX", "Sent") for uid in wire.uids(name)
        )
    counted = connect_mailbox(aws, imap, user, tenant=TenantId("counted"))
    number_of_calls = calls_of_a_poll(aws, imap, counted)
    assert number_of_calls > 10
    uidvalidity = inbox_cursor(aws, counted).uidvalidity
    first = min(uid for folder, uid in expected if folder == INBOX)
    wanted = [each for each in expected if not begun or each != (INBOX, first)]

    for number in range(number_of_calls):
        account = connect_mailbox(aws, imap, user, tenant=TenantId(f"t{number}"))
        if begun:
            half_done(aws, account, uidvalidity, first)
        with killed_at(number, moment):
            poll(tools_for(aws, imap), [(account.tenant, account.account_id)])
        finish(aws, imap, account)

        assert uids_of(aws, account.tenant) == wanted
        assert inbox_cursor(aws, account).high == max(u for f, u in expected if f == INBOX)


def inbox_cursor(where: Storage, account: Account) -> cursors.Cursor:
    cursor = cursors.get_cursor(where.table, account.tenant, "box", INBOX)
    assert cursor is not None
    return cursor


def half_done(where: Storage, account: Account, uidvalidity: int, high: int) -> None:
    """An earlier worker moved the cursor beyond the first mail, and held a lease long ago."""
    lease = cursors.take_lease(where.table, account.tenant, "box", 1000)
    assert lease is not None
    cursor = cursors.Cursor(INBOX, uidvalidity, high=high)
    cursors.move_cursor(where.table, account.tenant, "box", cursor, lease.fence)
