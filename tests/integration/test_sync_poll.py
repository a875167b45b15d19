"""Polling: what is looked at, what is stored, what is written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws_calls import aws_calls
from tests.support.mailboxes import (
    OTHER,
    TENANT,
    a_mail,
    connect_mailbox,
    state_of,
    tools_for,
)
from tests.support.polling import INBOX, SENT, cursor_of, keys_of, poll_once

from ablage.store import keys
from ablage.store.storage import Storage
from sync.poll import poll


def test_the_first_poll_stores_inbox_and_sent(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    account = connect_mailbox(aws, imap, user)
    with imap.connect(user) as wire:
        in_inbox = wire.append("INBOX", a_mail(1), flags=["\\Flagged"])
        in_sent = wire.append("Sent", a_mail(2))
        raw = wire.fetch("INBOX", in_inbox)

    poll_once(tools_for(aws, imap), account)

    stored = {key.folder_id: key for key in keys_of(aws)}
    assert {folder: key.uid for folder, key in stored.items()} == {INBOX: in_inbox, SENT: in_sent}
    assert {(key.retention, key.tenant, key.account_id) for key in stored.values()} == {
        ("30d", TENANT, "box")
    }
    body, metadata = aws.raw.get(stored[INBOX])
    assert body == raw
    assert (metadata.role, metadata.job) == ("inbox", None)
    assert "\\Flagged" in metadata.flags
    assert metadata.received_at.endswith("Z")
    assert state_of(aws, account).status == "ok"
    assert [f.name for f in state_of(aws, account).folders] == ["INBOX", "Sent", "Trash"]


def test_an_idle_poll_makes_two_reads_and_writes_nothing(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    imap.append(user, "INBOX", a_mail())
    tools = tools_for(aws, imap)
    poll_once(tools, account)

    with aws_calls() as calls:
        poll_once(tools, account)

    assert calls == ["dynamodb:BatchGetItem", "dynamodb:BatchGetItem"]


def test_an_idle_poll_of_many_accounts_makes_the_same_two_reads(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    accounts = [connect_mailbox(aws, imap, user, account_id=f"box{n}") for n in range(20)]
    tools = tools_for(aws, imap)
    poll_once(tools, *accounts)

    with aws_calls() as calls:
        poll(tools, [(TENANT, account.account_id) for account in accounts])

    assert calls == ["dynamodb:BatchGetItem", "dynamodb:BatchGetItem"]


def test_checked_at_is_written_every_six_hours(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    account = connect_mailbox(aws, imap, user)
    tools = tools_for(aws, imap)
    poll_once(tools, account)
    before = state_of(aws, account)
    later = tools.now() + 6 * 3600

    poll_once(replace(tools, now=lambda: later), account)

    after = state_of(aws, account)
    assert after.checked_at != before.checked_at
    assert after == replace(before, checked_at=after.checked_at, interval=5)


def test_new_mail_alone_is_fetched(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    account = connect_mailbox(aws, imap, user)
    imap.append(user, "INBOX", a_mail(1))
    tools = tools_for(aws, imap)
    poll_once(tools, account)
    new = imap.append(user, "INBOX", a_mail(2))

    with aws_calls() as calls:
        poll_once(tools, account)

    assert calls.count("s3:PutObject") == 1
    assert cursor_of(aws, account).high == new
    assert calls.index("s3:PutObject") < len(calls) - calls[::-1].index("dynamodb:PutItem") - 1


def test_a_mail_of_25_mb_is_streamed_into_the_bucket(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    raw = a_mail(1, b"0123456789abcdef\r\n" * 1_400_000)
    with imap.connect(user) as wire:
        wire.append("INBOX", raw)
        wire.append("INBOX", a_mail(2))

    with aws_calls() as calls:
        poll_once(tools_for(aws, imap), account)

    assert calls.count("s3:UploadPart") == 5
    stored = sorted((aws.raw.get(key)[0] for key in keys_of(aws)), key=len)
    assert stored == [a_mail(2), raw]


def test_mail_before_sync_since_stays_where_it_is(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    now = datetime.now(UTC)
    account = connect_mailbox(aws, imap, user)
    with imap.connect(user) as wire:
        wire.append("INBOX", a_mail(1), received=now - timedelta(days=40))
        recent = wire.append("INBOX", a_mail(2), received=now - timedelta(days=20))
        last = wire.append("INBOX", a_mail(3), received=now - timedelta(days=31))

    poll_once(tools_for(aws, imap), account)

    assert [key.uid for key in keys_of(aws)] == [recent]
    assert cursor_of(aws, account).high == last


def test_two_tenants_with_equal_ids_keep_their_mail_apart(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    imap.add_user("second-" + user, "correct horse")
    mine = connect_mailbox(aws, imap, user)
    theirs = connect_mailbox(aws, imap, "second-" + user, tenant=OTHER)
    imap.append(user, "INBOX", a_mail(1))
    imap.append("second-" + user, "INBOX", a_mail(2))

    poll_once(tools_for(aws, imap), mine, theirs)

    bodies = {key.tenant: aws.raw.get(key)[0] for key in keys_of(aws)}
    assert b"mail 1" in bodies[TENANT]
    assert b"mail 2" in bodies[OTHER]


@pytest.mark.parametrize("change", [{"sync": False}, {"deleted": True}])
def test_an_account_that_is_off_is_not_connected_to(
    aws: Storage, imap: EmbeddedImap, user: str, change: dict[str, bool]
) -> None:
    account = connect_mailbox(aws, imap, user, **change)

    counts = poll_once(tools_for(aws, imap), account)

    assert counts == {}
    assert state_of(aws, account).status == "syncing"


def test_a_state_that_was_removed_is_not_made_again(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    aws.table.delete(keys.account_state(TENANT, "box"))

    assert poll_once(tools_for(aws, imap), account) == {}
    assert aws.table.get(keys.account_state(TENANT, "box")) is None
