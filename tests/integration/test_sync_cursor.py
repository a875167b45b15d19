"""Cursor, lease and leftover work: nothing lost, nothing doubled."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.mailboxes import (
    TENANT,
    a_mail,
    connect_mailbox,
    tools_for,
)
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once

from ablage.mailbox.names import folder_id
from ablage.store import cursors, keys
from ablage.store.storage import Storage
from ablage.store.table import ConditionFailed
from sync.poll import more


def test_a_new_uidvalidity_is_listed_anew(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    imap.create_folder(user, "Projekt")
    projekt = folder_id(b"Projekt")
    account = connect_mailbox(aws, imap, user, folder_modes={projekt: "auto"})
    imap.append(user, "Projekt", a_mail(1))
    tools = tools_for(aws, imap)
    poll_once(tools, account)
    before = cursor_of(aws, account, projekt)
    with imap.connect(user) as wire:
        wire._command(b'DELETE "Projekt"')
        wire.create_folder("Projekt")
        wire.append("Projekt", a_mail(2))

    poll_once(tools, account)

    after = cursor_of(aws, account, projekt)
    assert after.uidvalidity != before.uidvalidity
    assert sorted(key.uidvalidity for key in keys_of(aws)) == sorted(
        [before.uidvalidity, after.uidvalidity]
    )


def test_a_crash_before_the_cursor_repeats_and_doubles_nothing(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    with imap.connect(user) as wire:
        for number in range(3):
            wire.append("INBOX", a_mail(number))
    poll_once(tools_for(aws, imap), account)
    place = keys.folder(TENANT, "box", INBOX)
    aws.table.delete(place)

    counts = poll_once(tools_for(aws, imap), account)

    assert counts["already_stored"] == 3
    assert len(keys_of(aws)) == 3


def test_another_workers_lease_is_respected(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    account = connect_mailbox(aws, imap, user)
    imap.append(user, "INBOX", a_mail())
    tools = tools_for(aws, imap)
    lease = cursors.take_lease(aws.table, TENANT, "box", tools.epoch())

    poll_once(tools, account)
    assert keys_of(aws) == []

    later = tools.now() + cursors.LEASE_SECONDS + 1
    poll_once(replace(tools, now=lambda: later), account)
    assert len(keys_of(aws)) == 1
    assert lease == cursors.Lease(1)


def test_a_late_writer_cannot_move_the_cursor(aws: Storage) -> None:
    first = cursors.take_lease(aws.table, TENANT, "box", 1000)
    second = cursors.take_lease(aws.table, TENANT, "box", 1000 + cursors.LEASE_SECONDS + 1)
    assert (first, second) == (cursors.Lease(1), cursors.Lease(2))
    fresh = cursors.Cursor(INBOX, 7)
    moved = cursors.move_cursor(aws.table, TENANT, "box", fresh, fence=2)

    with pytest.raises(ConditionFailed):
        cursors.move_cursor(aws.table, TENANT, "box", replace(moved, high=9), fence=1)
    with pytest.raises(ConditionFailed):
        cursors.move_cursor(aws.table, TENANT, "box", fresh, fence=2)


def test_two_workers_at_once_store_each_mail_once(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    with imap.connect(user) as wire:
        uids = [wire.append("INBOX", a_mail(number)) for number in range(20)]
    workers = [tools_for(aws, imap) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda tools: poll_once(tools, account), workers))

    assert sorted(key.uid for key in keys_of(aws)) == uids
    assert sum(tools.summary.counts().get("stored", 0) for tools in workers) == len(uids)
    assert cursor_of(aws, account).high == uids[-1]


def test_what_a_slice_leaves_is_done_by_the_next(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    with imap.connect(user) as wire:
        for number in range(12):
            wire.append("INBOX", a_mail(number, b"x" * 600_000))

    poll_once(tools_for(aws, imap, slice_bytes=1_000_000), account)
    after_poll = len(keys_of(aws))
    item = aws.table.get(keys.more(TENANT, "box"))
    assert 0 < after_poll < 12
    assert item is not None
    assert item["due"] == "DUE#MORE"

    tools = tools_for(aws, imap)
    more(tools, TENANT, "box")

    assert len(keys_of(aws)) == 12
    assert aws.table.get(keys.more(TENANT, "box")) is None
    assert cursor_of(aws, account).since is None


def test_a_first_listing_is_left_to_backfill_even_if_a_worker_died(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    with imap.connect(user) as wire:
        for number in range(12):
            wire.append("INBOX", a_mail(number, b"x" * 600_000))
    poll_once(tools_for(aws, imap, slice_bytes=1_000_000), account)
    aws.table.delete(keys.more(TENANT, "box"))
    before = len(keys_of(aws))

    poll_once(tools_for(aws, imap), account)

    assert len(keys_of(aws)) == before
    assert aws.table.get(keys.more(TENANT, "box"))


def test_leftover_work_is_taken_by_one_worker(aws: Storage) -> None:
    cursors.leave_more(aws.table, TENANT, "box", 1000)

    assert cursors.claim_more(aws.table, TENANT, "box", 1000)
    assert not cursors.claim_more(aws.table, TENANT, "box", 1001)
    assert cursors.claim_more(aws.table, TENANT, "box", 1001 + cursors.LEASE_SECONDS)
