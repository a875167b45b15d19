"""Mail moved out of a folder before it was read: counted, looked for, stored once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws_calls import aws_calls
from tests.support.events import context, s3_created, sqs_event
from tests.support.mailboxes import (
    TENANT,
    a_mail,
    connect_mailbox,
    put_account,
    raw_keys,
    state_of,
    tools_for,
)
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once
from tests.support.tenants import index_contact

from ablage.accounts import Account
from ablage.mailbox.names import folder_id
from ablage.policy import Policy
from ablage.store import keys, policies
from ablage.store.jobs import Job, create
from ablage.store.storage import Storage
from match.handler import lambda_handler as match
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
