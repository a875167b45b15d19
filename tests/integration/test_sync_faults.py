"""A mailbox that refuses or misbehaves becomes a state; the rest goes on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws_calls import aws_calls
from tests.support.hostile_imap import HostileImap, Script
from tests.support.mailboxes import (
    PASSWORD,
    TENANT,
    a_mail,
    connect_mailbox,
    put_account,
    put_secret,
    state_of,
    tools_for,
)
from tests.support.odd_inbox import flaky, moody
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once

from ablage.accounts import AccountState, Folder
from ablage.store import cursors, keys
from ablage.store.storage import Storage
from sync.poll import more, poll
from sync.sync_account import Seen, poll_account


def test_a_refused_login_becomes_the_state_and_is_written_once(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    put_secret(aws, account, "wrong")
    tools = tools_for(aws, imap)

    poll_once(tools, account)
    state = state_of(aws, account)
    with aws_calls() as calls:
        poll_once(tools, account)

    assert (state.status, state.code, state.interval) == ("reauth_required", "login_refused", 15)
    assert state.detail
    assert state.since
    assert calls == ["dynamodb:BatchGetItem"]
    assert tools.summary.counts()["waiting"] == 1
    item = aws.table.get(keys.account_state(TENANT, "box"))
    assert item is not None
    assert item["due"].startswith("DUE#15#")


def test_a_good_password_clears_the_fault(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    account = connect_mailbox(aws, imap, user)
    put_secret(aws, account, "wrong")
    tools = tools_for(aws, imap)
    poll_once(tools, account)

    account = replace(account, version=2, login_version=2)
    put_account(aws, account, state_of(aws, account))
    put_secret(aws, account, "correct horse")
    poll_once(tools, account)

    state = state_of(aws, account)
    assert (state.status, state.code, state.since, state.interval) == ("ok", None, None, 1)


def test_a_password_sent_a_moment_ago_counts(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    stale = connect_mailbox(aws, imap, user)
    put_secret(aws, stale, "old and wrong")
    tools = tools_for(aws, imap)
    tools.access.credential(stale)
    put_account(aws, replace(stale, version=2, login_version=2))
    put_secret(aws, stale, PASSWORD)

    poll_account(tools, Seen(stale, state_of(aws, stale)))

    assert state_of(aws, stale).status == "ok"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"host": "nirgendwo.invalid", "port": 993}, "host_unknown"),
        ({"host": "127.0.0.1", "port": 993}, "address_refused"),
        ({"host": "localhost", "port": 143}, "address_refused"),
    ],
)
def test_a_wrong_server_becomes_the_state(
    aws: Storage, imap: EmbeddedImap, user: str, changes: dict[str, object], code: str
) -> None:
    account = connect_mailbox(aws, imap, user, **changes)

    poll_once(tools_for(aws, imap), account)

    assert (state_of(aws, account).status, state_of(aws, account).code) == ("degraded", code)


def test_a_missing_secret_becomes_the_state(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    account = connect_mailbox(aws, imap, user)
    aws.table.delete(keys.secret(TENANT, "box"))

    poll_once(tools_for(aws, imap), account)

    assert state_of(aws, account).code == "secret_missing"


def test_a_broken_account_leaves_the_others_alone(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    broken = connect_mailbox(aws, imap, user, account_id="a", port=1)
    fine = connect_mailbox(aws, imap, user, account_id="b")
    imap.append(user, "INBOX", a_mail())

    poll_once(tools_for(aws, imap), broken, fine)

    assert state_of(aws, fine).status == "ok"
    assert [key.account_id for key in keys_of(aws)] == ["b"]


def test_a_fault_does_not_switch_a_removed_account_on(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    put_secret(aws, account, "wrong")
    aws.table.update(keys.account_state(TENANT, "box"), "REMOVE due, due_sk")

    poll_once(tools_for(aws, imap), account)

    item = aws.table.get(keys.account_state(TENANT, "box"))
    assert item is not None
    assert "due" not in item


def test_one_mail_the_server_breaks_at_does_not_block_the_folder(
    aws: Storage, hostile: Callable[[Script], HostileImap]
) -> None:
    server = hostile(flaky(poison=3, last=6))
    account = connect_mailbox(aws, server, "u@example.com")
    tools = tools_for(aws, server)

    poll_once(tools, account)
    assert sorted(key.uid for key in keys_of(aws)) == [1, 2]
    assert state_of(aws, account).code == "server_hung_up"

    for _ in range(3):
        poll_once(tools, account)

    cursor = cursor_of(aws, account)
    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 4, 5, 6]
    assert cursor.high == 6
    assert [(problem.uid, problem.code) for problem in cursor.problems] == [(3, "connection_lost")]
    assert state_of(aws, account).status == "ok"


def test_a_mail_without_a_body_is_passed_over_and_tried_again_with_the_next(
    aws: Storage, hostile: Callable[[Script], HostileImap]
) -> None:
    moods = {2: b"NIL"}
    server = hostile(moody(moods))
    account = connect_mailbox(aws, server, "u@example.com")
    tools = tools_for(aws, server)

    poll_once(tools, account)
    assert sorted(key.uid for key in keys_of(aws)) == [1, 3]
    assert [(p.uid, p.code, p.tries) for p in cursor_of(aws, account).problems] == [
        (2, "unfetchable", 1)
    ]
    poll_once(tools, account)
    assert cursor_of(aws, account).problems[0].tries == 1

    moods |= {2: b'"at last"', 4: b'"new"'}
    poll_once(tools, account)

    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 3, 4]
    assert cursor_of(aws, account).problems == ()


def test_a_mail_that_never_has_a_body_is_tried_three_times(
    aws: Storage, hostile: Callable[[Script], HostileImap]
) -> None:
    moods = {2: b"NIL"}
    server = hostile(moody(moods))
    account = connect_mailbox(aws, server, "u@example.com")

    for new in range(10, 16):
        poll_once(tools_for(aws, server), account)
        moods[new] = b'"new"'

    assert [(p.uid, p.tries) for p in cursor_of(aws, account).problems] == [(2, 3)]


def test_a_missing_folder_does_not_stop_the_others(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    imap.append(user, "INBOX", a_mail())
    tools = tools_for(aws, imap)
    ghost = Folder("a" * 16, "Weg", "sent", "Weg")
    inbox = Folder(INBOX, "INBOX", "inbox", "INBOX")
    checked_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    put_account(aws, account, AccountState("ok", checked_at=checked_at, folders=(ghost, inbox)))
    cursors.leave_more(aws.table, TENANT, "box", tools.epoch())

    more(tools, TENANT, "box")

    assert tools.summary.counts()["folder_missing"] == 1
    assert [key.folder_id for key in keys_of(aws)] == [INBOX]
    assert state_of(aws, account).status == "ok"


def test_a_defect_in_one_account_is_raised_after_the_others(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    broken = connect_mailbox(aws, imap, user, account_id="a", sync_since="no date at all")
    connect_mailbox(aws, imap, user, account_id="b")
    imap.append(user, "INBOX", a_mail())

    with pytest.raises(ValueError, match="no date"):
        poll(tools_for(aws, imap), [(TENANT, "a"), (TENANT, "b")])

    assert [key.account_id for key in keys_of(aws)] == ["b"]
    lease = cursors.take_lease(aws.table, TENANT, broken.account_id, 9_999_999_999)
    assert lease is not None
    assert lease.fence == 2
