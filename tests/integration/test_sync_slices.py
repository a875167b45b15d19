"""A large mailbox in many slices: newest first, new mail meanwhile, none sent by sync itself."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.aws import received_bodies
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import TENANT, connect_mailbox, state_of, tools_for
from tests.support.odd_inbox import Hook, asked, inbox
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once

from ablage.accounts import Account, Folder
from ablage.mailbox.pace import START
from ablage.mailbox.providers import DAY_BYTES
from ablage.observability import Summary
from ablage.store import cursors, day_bytes, keys
from ablage.store.storage import Storage
from sync.day_budget import LIVE_RESERVE
from sync.dispatch import dispatch
from sync.poll import more

Hostile = Callable[[Script], HostileImap]
SLICES = 200
DISPATCHED = 20  # each so many slices dispatch sends the work; sync never does
MB = 1024 * 1024


def sized(size: int) -> Hook:
    """Every mail is listed with this size, so that each travels alone."""

    def hook(talk: Talk, command: bytes) -> bool:
        if b"FETCH" not in command or b"BODY" in command:
            return False
        rows = [b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (n, n, size) for n in asked(command)]
        talk.ok(b"".join(rows))
        return True

    return hook


def uids(where: Storage) -> list[int]:
    return sorted(key.uid for key in keys_of(where))


def claimed(where: Storage, at: datetime) -> list[str]:
    """The accounts whose leftover work a tick finds; what it sends lies in BackfillQueue."""
    dispatch(where, at, Summary())
    sent = [json.loads(body) for body in received_bodies(os.environ["BACKFILL_QUEUE_URL"])]
    assert all(body["kind"] == "more" for body in sent)
    return [body["account"] for body in sent]


def slow_down(where: Storage) -> None:
    """As after trouble: one command in flight at a time."""
    lease = cursors.take_lease(where.table, TENANT, "box", 0)
    assert lease
    cursors.release_lease(where.table, TENANT, "box", replace(lease, slow_until=2**32))


def test_two_hundred_slices_of_one_mailbox_run_through(aws: Storage, hostile: Hostile) -> None:
    last = SLICES
    server = hostile(inbox(lambda: last, sized(MB)))
    account = connect_mailbox(aws, server, "u@example.com")
    begin = datetime.now(UTC).replace(second=0, microsecond=0)
    slow_down(aws)  # one mail a slice
    tools = tools_for(aws, server, slice_bytes=1)
    poll_once(tools, account)
    slices, lows = 1, [cursor_of(aws, account).low]

    while aws.table.get(keys.more(TENANT, "box")) and slices < 2 * SLICES:
        at = begin + timedelta(minutes=slices)
        if slices % DISPATCHED == 1:  # a tick costs moto as much as the slice
            assert claimed(aws, at) == ["box"]
        more(replace(tools, now=at.timestamp, began=time.monotonic()), TENANT, "box")
        slices += 1
        lows.append(cursor_of(aws, account).low or 1)

    assert claimed(aws, begin + timedelta(days=1)) == []
    cursor = cursor_of(aws, account)
    assert uids(aws) == list(range(1, last + 1))
    assert (cursor.high, cursor.since, cursor.low) == (last, None, 0)
    assert slices == SLICES
    assert lows == sorted(lows, reverse=True)
    assert state_of(aws, account).code is None


def test_the_newest_mail_comes_first_and_new_mail_meanwhile(aws: Storage, hostile: Hostile) -> None:
    last = [10]
    server = hostile(inbox(lambda: last[0], sized(MB)))
    account = connect_mailbox(aws, server, "u@example.com")

    poll_once(tools_for(aws, server, slice_bytes=1), account)
    first = uids(aws)
    last[0] = 12
    poll_once(tools_for(aws, server), account)
    second = uids(aws)
    cursor = cursor_of(aws, account)
    more(tools_for(aws, server), TENANT, "box")

    assert first == list(range(11 - START, 11))
    assert second == [*first, 11, 12]
    assert (cursor.high, cursor.low, cursor.ceiling) == (0, 11 - START, 12)
    assert uids(aws) == list(range(1, 13))
    assert cursor_of(aws, account).high == 12


def test_an_import_begun_upwards_goes_on_from_the_top(aws: Storage, hostile: Hostile) -> None:
    """A cursor of schema 1: UIDs up to 4 of 10 are stored."""
    server = hostile(inbox(lambda: 10, sized(MB)))
    account = connect_mailbox(aws, server, "u@example.com")
    before = cursors.Cursor(INBOX, 7, high=4, since="2020-01-01", ceiling=10, version=1)
    item = cursors.cursor_item(before, 1) | {"schema": 1}
    del item["low"]
    aws.table.put(keys.folder(TENANT, "box", INBOX), item)
    cursors.leave_more(aws.table, TENANT, "box", 0)

    more(tools_for(aws, server, slice_bytes=1), TENANT, "box")
    assert uids(aws) == list(range(11 - START, 11))
    more(tools_for(aws, server), TENANT, "box")

    assert uids(aws) == [5, 6, 7, 8, 9, 10]
    assert cursor_of(aws, account).high == 10


def test_uids_far_apart_are_no_work(aws: Storage, hostile: Hostile) -> None:
    """As in an Inbox at web.de or GMX: LogicLabs-OU/OpenArchiver#485."""
    there = [7, 743_000_001, 743_000_009, 743_500_000]

    def hook(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"STATUS"):
            talk.ok(b"* STATUS INBOX (UIDNEXT 743500001 UIDVALIDITY 7 MESSAGES 4)\r\n")
        elif command.startswith(b"EXAMINE"):
            talk.ok(b"* 4 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 743500001] x\r\n")
        elif b"SEARCH" in command:
            talk.ok(b"* SEARCH" + b"".join(b" %d" % uid for uid in there) + b"\r\n")
        else:
            return False
        return True

    server = hostile(inbox(lambda: 1, hook))
    account = connect_mailbox(aws, server, "u@example.com")

    poll_once(tools_for(aws, server), account)

    assert uids(aws) == there
    assert cursor_of(aws, account).high == there[-1]
    assert sum(b"FETCH" in line for line in server.heard) == 2


@pytest.mark.parametrize(("used", "stored"), [(0, 10), (DAY_BYTES - DAY_BYTES // LIVE_RESERVE, 0)])
def test_a_days_bytes_end_an_import_and_keep_some_for_new_mail(
    aws: Storage, hostile: Hostile, used: int, stored: int
) -> None:
    last = [10]
    server = hostile(inbox(lambda: last[0], sized(MB)))
    account = connect_mailbox(aws, server, "u@example.com")
    cursor = cursors.Cursor(INBOX, 7, since="2020-01-01T00:00:00Z", ceiling=10, low=11)
    cursors.move_cursor(aws.table, TENANT, "box", cursor, 0)
    noon = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
    lease = cursors.take_lease(aws.table, TENANT, "box", 0)
    assert lease
    day_bytes.add(aws.table, TENANT, "box", "2026-11-26", used)
    cursors.release_lease(aws.table, TENANT, "box", lease)
    cursors.leave_more(aws.table, TENANT, "box", 0)

    more(tools_for(aws, server, now=lambda: noon), TENANT, "box")
    assert len(uids(aws)) == stored
    last[0] = 11
    poll_once(tools_for(aws, server, now=lambda: noon), account)

    assert 11 in uids(aws)
    item = aws.table.get(keys.more(TENANT, "box"))
    midnight = int(noon) + 12 * 3600
    assert (item is None) if stored else (item and item["due_sk"].startswith(f"{midnight}#"))
    assert day_bytes.get(aws.table, TENANT, "box", "2026-11-26") > used
    assert day_bytes.get(aws.table, TENANT, "box", "2026-11-27") == 0


def test_trouble_slows_the_next_session_down(aws: Storage, hostile: Hostile) -> None:
    """NO to one batch: for an hour one command is in flight at a time."""
    refused: list[bytes] = []

    def hook(talk: Talk, command: bytes) -> bool:
        if b"BODY" in command and not refused:
            refused.append(command)
            talk.ok(status=b"NO try again")
            return True
        return sized(MB)(talk, command)

    server = hostile(inbox(lambda: 8, hook))
    account = connect_mailbox(aws, server, "u@example.com")
    now = tools_for(aws, server).now()
    poll_once(tools_for(aws, server), account)
    lease = cursors.take_lease(aws.table, TENANT, "box", int(now))
    assert lease
    assert lease.slow_until >= int(now) + 3500
    assert uids(aws) == list(range(1, 9))


def test_each_folder_has_its_part_of_a_slice(aws: Storage, hostile: Hostile) -> None:
    def hook(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"LIST"):
            talk.ok(b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\n')
        elif command.startswith(b"STATUS"):
            name = command.split()[1]
            talk.ok(b"* STATUS %b (UIDNEXT 61 UIDVALIDITY 7 MESSAGES 60)\r\n" % name)
        else:
            return sized(MB)(talk, command)
        return True

    server = hostile(inbox(lambda: 60, hook))
    account: Account = connect_mailbox(aws, server, "u@example.com")

    poll_once(tools_for(aws, server, slice_bytes=1800), account)

    folders: tuple[Folder, ...] = state_of(aws, account).folders
    assert {key.folder_id for key in keys_of(aws)} == {folder.folder_id for folder in folders}
