"""Polling: what is looked at, what is stored, what is written, and what a fault becomes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws_calls import aws_calls
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import (
    OTHER,
    PASSWORD,
    TENANT,
    a_mail,
    connect_mailbox,
    put_account,
    put_secret,
    raw_keys,
    state_of,
    tools_for,
)

from ablage.accounts import Account, AccountState, Folder
from ablage.mailbox.folders import folder_id
from ablage.store import cursors, keys
from ablage.store.raw_mail import RawKey, parse_key
from ablage.store.storage import Storage
from ablage.store.table import ConditionFailed
from sync.poll import more, poll
from sync.sync_account import Seen, poll_account
from sync.tools import Tools

INBOX = folder_id(b"INBOX")
SENT = folder_id(b"Sent")


def poll_once(tools: Tools, *accounts: Account) -> dict[str, int]:
    poll(tools, [(account.tenant, account.account_id) for account in accounts], threads=1)
    return tools.summary.counts()


def cursor_of(where: Storage, account: Account, folder: str = INBOX) -> cursors.Cursor:
    cursor = cursors.get_cursor(where.table, account.tenant, account.account_id, folder)
    assert cursor is not None
    return cursor


def keys_of(where: Storage) -> list[RawKey]:
    return [key for text in raw_keys(where) if (key := parse_key(text))]


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
    assert state_of(aws, account).status == "active"
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
    assert after == replace(before, checked_at=after.checked_at)


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

    assert calls.count("s3:UploadPart") == 4
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


def test_a_new_uidvalidity_is_listed_anew(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    imap.create_folder(user, "Projekt")
    projekt = folder_id(b"Projekt")
    account = connect_mailbox(aws, imap, user, folders=(projekt,))
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
    fence = cursors.take_lease(aws.table, TENANT, "box", tools.epoch())

    poll_once(tools, account)
    assert keys_of(aws) == []

    later = tools.now() + cursors.LEASE_SECONDS + 1
    poll_once(replace(tools, now=lambda: later), account)
    assert len(keys_of(aws)) == 1
    assert fence == 1


def test_a_late_writer_cannot_move_the_cursor(aws: Storage) -> None:
    first = cursors.take_lease(aws.table, TENANT, "box", 1000)
    second = cursors.take_lease(aws.table, TENANT, "box", 1000 + cursors.LEASE_SECONDS + 1)
    assert (first, second) == (1, 2)
    fresh = cursors.Cursor(INBOX, 7)
    moved = cursors.move_cursor(aws.table, TENANT, "box", fresh, fence=2)

    with pytest.raises(ConditionFailed):
        cursors.move_cursor(aws.table, TENANT, "box", replace(moved, high=9), fence=1)
    with pytest.raises(ConditionFailed):
        cursors.move_cursor(aws.table, TENANT, "box", fresh, fence=2)


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

    assert (state.status, state.code, state.interval) == ("reauth_required", "login_refused", 60)
    assert state.detail
    assert state.since
    assert calls == ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
    item = aws.table.get(keys.account_state(TENANT, "box"))
    assert item is not None
    assert item["due"].startswith("DUE#60#")


def test_a_good_password_clears_the_fault(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    account = connect_mailbox(aws, imap, user)
    put_secret(aws, account, "wrong")
    tools = tools_for(aws, imap)
    poll_once(tools, account)

    account = replace(account, version=2)
    put_account(aws, account, state_of(aws, account))
    put_secret(aws, account, "correct horse")
    poll_once(tools, account)

    state = state_of(aws, account)
    assert (state.status, state.code, state.since, state.interval) == ("active", None, None, 5)


def test_a_password_sent_a_moment_ago_counts(aws: Storage, imap: EmbeddedImap, user: str) -> None:
    stale = connect_mailbox(aws, imap, user)
    put_secret(aws, stale, "old and wrong")
    tools = tools_for(aws, imap)
    tools.secrets.open(TENANT, "box", stale.version)
    put_account(aws, replace(stale, version=2))
    put_secret(aws, stale, PASSWORD)

    poll_account(tools, Seen(stale, state_of(aws, stale)))

    assert state_of(aws, stale).status == "active"


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

    assert state_of(aws, fine).status == "active"
    assert [key.account_id for key in keys_of(aws)] == ["b"]


@pytest.mark.parametrize("change", [{"sync": False}, {"deleted": True}])
def test_an_account_that_is_off_is_not_connected_to(
    aws: Storage, imap: EmbeddedImap, user: str, change: dict[str, bool]
) -> None:
    account = connect_mailbox(aws, imap, user, **change)

    counts = poll_once(tools_for(aws, imap), account)

    assert counts == {}
    assert state_of(aws, account).status == "connecting"


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


# ---- servers that break --------------------------------------------------------------------------


def flaky(poison: int, last: int) -> Script:
    """An Inbox of UIDs 1 to `last`; the connection ends when mail `poison` is to be sent."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            answer(talk, talk.hear(), poison, last)

    return script


def answer(talk: Talk, command: bytes, poison: int, last: int) -> None:
    name = command.split()[0]
    if name == b"LIST":
        talk.ok(b'* LIST () "/" INBOX\r\n')
    elif name == b"STATUS":
        talk.ok(b"* STATUS INBOX (UIDNEXT %d UIDVALIDITY 7 MESSAGES %d)\r\n" % (last + 1, last))
    elif name == b"EXAMINE":
        talk.ok(
            b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT %d] x\r\n" % (last, last + 1)
        )
    elif b"SEARCH" in command:
        talk.ok(b"* SEARCH" + b"".join(b" %d" % uid for uid in range(1, last + 1)) + b"\r\n")
    elif b"BODY" in command:
        for uid in asked(command):
            if uid == poison:
                raise ConnectionError
            raw = a_mail(uid)
            talk.say(b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, uid, len(raw), raw))
        talk.ok()
    elif b"FETCH" in command:
        talk.ok(b"".join(b"* %d FETCH (UID %d RFC822.SIZE 9)\r\n" % (u, u) for u in asked(command)))
    else:
        talk.ok()


def asked(command: bytes) -> list[int]:
    uids: list[int] = []
    for part in command.split()[2].split(b","):
        low, _, high = part.partition(b":")
        uids += range(int(low), int(high or low) + 1)
    return uids


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
    assert state_of(aws, account).status == "active"


def moody(moods: dict[int, bytes]) -> Script:
    """An Inbox of UIDs 1 to 3; the body of each is what `moods` says now, else a mail."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            command = talk.hear()
            if b"BODY" in command and moods.keys() & set(asked(command)):
                parts = [
                    b"* %d FETCH (UID %d BODY[] %b)\r\n" % (uid, uid, moods.get(uid, b'"mail"'))
                    for uid in asked(command)
                ]
                talk.ok(b"".join(parts))
            else:
                answer(talk, command, poison=0, last=len(moods) + 2)

    return script


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
    put_account(aws, account, AccountState("active", checked_at=checked_at, folders=(ghost, inbox)))
    cursors.leave_more(aws.table, TENANT, "box", tools.epoch())

    more(tools, TENANT, "box")

    assert tools.summary.counts()["folder_missing"] == 1
    assert [key.folder_id for key in keys_of(aws)] == [INBOX]
    assert state_of(aws, account).status == "active"


def test_a_defect_in_one_account_is_raised_after_the_others(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    broken = connect_mailbox(aws, imap, user, account_id="a", sync_since="no date at all")
    connect_mailbox(aws, imap, user, account_id="b")
    imap.append(user, "INBOX", a_mail())

    with pytest.raises(ValueError, match="no date"):
        poll(tools_for(aws, imap), [(TENANT, "a"), (TENANT, "b")])

    assert [key.account_id for key in keys_of(aws)] == ["b"]
    assert cursors.take_lease(aws.table, TENANT, broken.account_id, 9_999_999_999) == 2


# ---- work left over ------------------------------------------------------------------------------


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


def test_a_state_that_was_removed_is_not_made_again(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    account = connect_mailbox(aws, imap, user)
    aws.table.delete(keys.account_state(TENANT, "box"))

    assert poll_once(tools_for(aws, imap), account) == {}
    assert aws.table.get(keys.account_state(TENANT, "box")) is None
