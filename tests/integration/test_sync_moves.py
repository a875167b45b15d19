"""Mail moved out of a folder before it was read: counted, looked for, stored once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws_calls import aws_calls
from tests.support.events import context, s3_created, sqs_event
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import (
    TENANT,
    a_mail,
    connect_mailbox,
    put_account,
    raw_keys,
    state_of,
    tools_for,
)
from tests.support.odd_inbox import inbox
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once
from tests.support.tenants import index_contact

from ablage.accounts import Account
from ablage.mailbox.listing import FolderStatus
from ablage.mailbox.names import folder_id
from ablage.policy import Policy
from ablage.store import keys, policies
from ablage.store.cursors import Cursor
from ablage.store.jobs import Job, create
from ablage.store.storage import Storage
from match.handler import lambda_handler as match
from sync.fetch_folder import missing
from sync.follow import TRIES
from sync.jobs import run_job

PROJECTS = folder_id(b"Projekte")


@contextmanager
def polled_before(
    aws: Storage, imap: EmbeddedImap, user: str, folder: str = "Projekte", **settings: Any
) -> Iterator[Account]:
    """An account that has been read, with one older mail in `folder`."""
    imap.create_folder(user, folder)
    imap.append(user, folder, a_mail(99))
    account = connect_mailbox(aws, imap, user, **settings)
    poll_once(tools_for(aws, imap), account)
    yield account


def deliver_and_move(imap: EmbeddedImap, user: str, number: int, target: str = "Projekte") -> int:
    """The UID in `target`."""
    with imap.connect(user) as wire:
        return wire.move("INBOX", wire.append("INBOX", a_mail(number)), target)


def test_a_moved_mail_is_stored_in_that_poll_once(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    with polled_before(aws, imap, user) as account:
        moved = deliver_and_move(imap, user, 1)
        stays = imap.append(user, "INBOX", a_mail(2))

        counts = poll_once(tools_for(aws, imap), account)
        again = poll_once(tools_for(aws, imap), account)

    assert (counts["moved_before_sync"], counts["followed"]) == (1, 1)
    assert "followed" not in again
    assert {(key.folder_id, key.uid) for key in keys_of(aws)} == {(PROJECTS, moved), (INBOX, stays)}


def test_what_was_found_is_not_looked_for_again(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    with polled_before(aws, imap, user) as account:
        deliver_and_move(imap, user, 1)
        poll_once(tools_for(aws, imap), account)
        deliver_and_move(imap, user, 2)

        counts = poll_once(tools_for(aws, imap), account)

    assert counts["followed"] == 1
    assert "already_stored" not in counts
    assert len(keys_of(aws)) == 2


def test_an_idle_poll_writes_nothing_behind_a_followed_move(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    with polled_before(aws, imap, user) as account:
        deliver_and_move(imap, user, 1)
        poll_once(tools_for(aws, imap), account)

        with aws_calls() as calls:
            poll_once(tools_for(aws, imap), account)

    assert set(calls) <= {"dynamodb:BatchGetItem", "dynamodb:GetItem", "kms:Decrypt"}


def test_mail_that_came_by_itself_stays_where_it_is(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    """A rule delivers into a folder that is read on demand: nothing was missed."""
    with polled_before(aws, imap, user) as account:
        imap.append(user, "Projekte", a_mail(1))
        imap.append(user, "INBOX", a_mail(2))

        counts = poll_once(tools_for(aws, imap), account)

    assert "moved_before_sync" not in counts
    assert [key.folder_id for key in keys_of(aws)] == [INBOX]


@pytest.mark.parametrize(
    ("folder", "settings"),
    [
        ("Privat", {}),
        ("Projekte", {"folder_modes": {PROJECTS: "private"}}),
        ("Projekte", {"folder_modes": {PROJECTS: "never"}}),
        ("Spam", {}),
    ],
)
def test_nobody_looks_where_nothing_may_be_read(
    aws: Storage, imap: EmbeddedImap, user: str, folder: str, settings: dict[str, Any]
) -> None:
    with polled_before(aws, imap, user, folder, **settings) as account:
        deliver_and_move(imap, user, 1, folder)

        counts = poll_once(tools_for(aws, imap), account)

    assert counts["moved_before_sync"] == 1
    assert keys_of(aws) == []


def test_a_policy_may_switch_it_off(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    policies.put_policy(aws.table, TENANT, Policy(follow_moves=False), Policy())
    with polled_before(aws, imap, user) as account:
        deliver_and_move(imap, user, 1)

        counts = poll_once(tools_for(aws, imap), account)

    assert counts["moved_before_sync"] == 1
    assert keys_of(aws) == []


def test_a_folder_made_for_the_mail_is_searched_too(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    with polled_before(aws, imap, user) as account:
        imap.create_folder(user, "Neu")
        deliver_and_move(imap, user, 1, "Neu")

        poll_once(tools_for(aws, imap), account)

    assert [key.folder_id for key in keys_of(aws)] == [folder_id(b"Neu")]


def test_older_mail_moved_meanwhile_is_left_alone(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    with polled_before(aws, imap, user) as account:
        with imap.connect(user) as wire:
            old = datetime.now(UTC) - timedelta(days=5)
            wire.append("Projekte", a_mail(3), received=old)
        deliver_and_move(imap, user, 1)

        counts = poll_once(tools_for(aws, imap), account)

    assert counts["followed"] == 1


def test_a_job_in_between_forgets_nothing(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    with polled_before(aws, imap, user) as account:
        deliver_and_move(imap, user, 1)
        tools = tools_for(aws, imap)
        create(aws.table, Job(TENANT, "j1", "check", "box"), tools.epoch())
        run_job(tools, TENANT, "j1")

        poll_once(tools_for(aws, imap), account)

    assert [key.folder_id for key in keys_of(aws)] == [PROJECTS]


def test_a_listing_in_between_forgets_nothing(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    with polled_before(aws, imap, user) as account:
        deliver_and_move(imap, user, 1)
        tools = tools_for(aws, imap)
        later = tools.now() + 7 * 3600  # folders are listed again

        poll_once(replace(tools, now=lambda: later), account)

    assert [key.folder_id for key in keys_of(aws)] == [PROJECTS]


def test_a_slice_cut_off_before_the_search_searches_in_the_next(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    with polled_before(aws, imap, user) as account:
        deliver_and_move(imap, user, 1)
        imap.append(user, "INBOX", a_mail(2, b"x" * 2_000))
        imap.append(user, "INBOX", a_mail(3))

        poll_once(tools_for(aws, imap, slice_bytes=1_000), account)
        between = {key.folder_id for key in keys_of(aws)}
        poll_once(tools_for(aws, imap), account)

    assert between == {INBOX}
    assert {key.folder_id for key in keys_of(aws)} == {INBOX, PROJECTS}


def test_a_first_listing_misses_nothing(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    deliver_and_move(imap, user, 1, "Trash")
    account = connect_mailbox(aws, imap, user)

    assert "moved_before_sync" not in poll_once(tools_for(aws, imap), account)


def test_a_mail_moved_while_the_first_import_goes_on_is_found(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    with imap.connect(user) as wire:
        wire.create_folder("Projekte")
        for number in range(12):
            wire.append("INBOX", a_mail(number, b"x" * 600_000))
    account = connect_mailbox(aws, imap, user)
    poll_once(tools_for(aws, imap, slice_bytes=100_000), account)
    is_importing = cursor_of(aws, account).since is not None
    deliver_and_move(imap, user, 9)

    poll_once(tools_for(aws, imap), account)

    assert is_importing
    assert PROJECTS in {key.folder_id for key in keys_of(aws)}


@pytest.mark.parametrize(
    ("seen", "high", "uidnext", "uids", "gone"),
    [
        (5, 4, 8, [5, 6, 7], 0),
        (5, 4, 8, [6], 2),
        (5, 4, 8, [], 3),
        (5, 6, 8, [7], 0),
        (5, 4, 5, [], 0),
        (5, 4, 8, [5, 6, 7, 8, 9], 0),
        (None, 4, 8, [], 0),
        (5, 4, None, [], 0),
        (5, 4, 5_000, [4_999], 0),
    ],
)
def test_what_vanished_is_what_was_given_out_and_is_not_there(
    seen: int | None, high: int, uidnext: int | None, uids: list[int], gone: int
) -> None:
    cursor = Cursor(INBOX, 7, high=high, uidnext_seen=seen)

    assert missing(cursor, FolderStatus(7, uidnext, None), uids) == gone


def test_a_state_without_counts_is_no_reason_to_read_everything(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    """As written before folders were counted."""
    with polled_before(aws, imap, user) as account:
        state = state_of(aws, account)
        bare = tuple(replace(f, uidnext=None, uidvalidity=None) for f in state.folders)
        put_account(aws, account, replace(state, folders=bare))
        deliver_and_move(imap, user, 1)

        poll_once(tools_for(aws, imap), account)
        deliver_and_move(imap, user, 2)
        poll_once(tools_for(aws, imap), account)

    assert len(keys_of(aws)) == 1
    assert cursor_of(aws, account).uidnext_seen is not None


def test_a_moved_mail_is_filed_in_that_run_once(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    """From the mail server to the customer's archive, and again from the Inbox it went back to."""
    index_contact(aws, TENANT, "a@kunde.de", "c1", ["k1"])
    filing = {"filing_enabled": True, "filing_since": "2026-01-01T00:00:00Z"}
    with polled_before(aws, imap, user, **filing) as account:
        moved = deliver_and_move(imap, user, 1)
        poll_once(tools_for(aws, imap), account)
        match(sqs_event(s3_created(aws.raw.bucket, *raw_keys(aws))), context())
        filed = archive(aws, "customer", "k1")
        imap.move(user, "Projekte", moved, "INBOX")
        poll_once(tools_for(aws, imap), account)

    match(sqs_event(s3_created(aws.raw.bucket, *raw_keys(aws))), context())

    assert len(filed) == 1
    assert len(raw_keys(aws)) == 2
    assert [row["m"] for row in archive(aws, "customer", "k1")] == [filed[0]["m"]]
    assert len(archive(aws, "contact", "c1")) == 1


def archive(where: Storage, kind: str, entity_id: str) -> list[dict[str, Any]]:
    return where.table.query(keys.archive(TENANT, kind, entity_id))


class Moving:
    """A scripted mailbox: a mail was moved from INBOX (UIDNEXT 2 to 3) to Projekte (UID 31); the
    session breaks when it is fetched there, `breaks` times."""

    def __init__(self, breaks: int = 0) -> None:
        self.breaks = breaks
        self.has_moved = False
        self._open = b""

    def __call__(self, talk: Talk, command: bytes) -> bool:
        if command.startswith(b"LIST"):
            talk.ok(b'* LIST () "/" INBOX\r\n* LIST () "/" Projekte\r\n')
        elif command.startswith((b"STATUS", b"EXAMINE")):
            self._open = command.split(b'"')[1]
            talk.ok(self._counts(command))
        elif b"SEARCH" in command:
            is_there = self._open == b"Projekte" and self.has_moved
            talk.ok(b"* SEARCH 31\r\n" if is_there else b"* SEARCH\r\n")
        elif b"BODY" in command and self.breaks:
            self.breaks -= 1
            raise ConnectionError
        else:
            return False
        return True

    def _counts(self, command: bytes) -> bytes:
        first = {b"INBOX": 2, b"Projekte": 31}[self._open]
        told = first + self.has_moved, 7
        if command.startswith(b"STATUS"):
            counts = b"(UIDNEXT %d UIDVALIDITY %d MESSAGES 0)" % told
            return b"* STATUS %b %b\r\n" % (self._open, counts)
        return b"* 0 EXISTS\r\n* OK [UIDNEXT %d] x\r\n* OK [UIDVALIDITY %d] x\r\n" % told


def test_a_session_that_breaks_while_searching_searches_again(
    aws: Storage, hostile: Callable[[Script], HostileImap]
) -> None:
    moving = Moving(breaks=99)
    server = hostile(inbox(lambda: 1, moving))
    account = connect_mailbox(aws, server, "u@example.com")
    began = tools_for(aws, server).now()

    def poll_at(hour: int) -> bool:
        """Whether it went well. A broken account is left alone for a while."""
        counts = poll_once(tools_for(aws, server, now=lambda: began + 3600 * hour), account)
        return not any(name.startswith("fault_") for name in counts)

    first = poll_at(0)
    moving.has_moved = True
    broken = [poll_at(1), poll_at(2)]
    between = keys_of(aws)
    moving.breaks = 0
    searched = [poll_at(3), poll_at(4)]

    assert (first, broken, searched) == (True, [False, False], [True, True])
    assert between == []
    assert [(key.folder_id, key.uid) for key in keys_of(aws)] == [(PROJECTS, 31)]


def test_a_search_that_breaks_every_session_is_given_up(
    aws: Storage, hostile: Callable[[Script], HostileImap]
) -> None:
    moving = Moving()
    server = hostile(inbox(lambda: 1, moving))
    account = connect_mailbox(aws, server, "u@example.com")
    began = tools_for(aws, server).now()

    def poll_at(hour: int) -> dict[str, int]:
        return poll_once(tools_for(aws, server, now=lambda: began + 3600 * hour), account)

    poll_at(0)
    moving.has_moved, moving.breaks = True, 99
    counts = [poll_at(2 * hour) for hour in range(1, TRIES + 2)]

    assert all("moved_before_sync" not in each for each in counts[:-1])
    assert counts[-1]["moved_before_sync"] == 1
    assert state_of(aws, account).status == "ok"
    assert cursor_of(aws, account).uidnext_seen == 3


def test_a_leap_of_uids_is_how_some_servers_count(
    aws: Storage, hostile: Callable[[Script], HostileImap]
) -> None:
    last = [3]
    server = hostile(inbox(lambda: last[0], lambda _talk, _command: False))
    account = connect_mailbox(aws, server, "u@example.com")
    poll_once(tools_for(aws, server), account)
    uids = [4, 743_000_000]

    def leapt(talk: Talk, command: bytes) -> bool:
        if b"SEARCH" in command:
            talk.ok(b"* SEARCH %d %d\r\n" % (*uids,))
        elif command.startswith(b"EXAMINE"):
            talk.ok(b"* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT %d] x\r\n" % (uids[-1] + 1))
        elif command.startswith(b"STATUS"):
            talk.ok(b"* STATUS INBOX (UIDNEXT %d UIDVALIDITY 7)\r\n" % (uids[-1] + 1))
        else:
            return False
        return True

    web_de = hostile(inbox(lambda: 1, leapt))
    put_account(aws, replace(account, port=web_de.port), state_of(aws, account))
    counts = poll_once(tools_for(aws, web_de), account)

    assert "moved_before_sync" not in counts
    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 3, *uids]
