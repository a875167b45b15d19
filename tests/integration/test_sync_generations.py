"""One account, another mailbox behind it: equal UIDs are other mails."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.events import context, s3_created, sqs_event
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import PASSWORD, TENANT, connect_mailbox, raw_keys, tools_for
from tests.support.odd_inbox import Hook, answer, asked, inbox
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once
from tests.support.tenants import index_contact

from ablage.accounts import Account, uidvalidity_in
from ablage.settings import settings
from ablage.store import connections, jobs, keys
from ablage.store.aws import client
from ablage.store.jobs import Job
from ablage.store.secrets import Secret, seal
from ablage.store.storage import Storage
from match.handler import lambda_handler as match
from sync.jobs import run_job

Hostile = Callable[[Script], HostileImap]


def two_mailboxes(talk: Talk) -> None:
    """Both tell UIDVALIDITY 7; anna has three mails, bob four."""
    talk.say(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    name = b"bob" if b"bob" in talk.hear() else b"anna"
    talk.ok(status=b"OK [CAPABILITY IMAP4rev1] in")
    while True:
        command = talk.hear()
        if b"BODY" not in command:
            answer(talk, command, 0, 3 if name == b"anna" else 4)
            continue
        for uid in asked(command):
            raw = b"Subject: %b %d\r\n\r\nx\r\n" % (name, uid)
            talk.say(b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, uid, len(raw), raw))
        talk.ok()


def sealed() -> dict[str, object]:
    secret = Secret("password", PASSWORD)
    return seal(client("kms"), settings().secrets_key_id, TENANT, "box", secret)


def connect(where: Storage, server: HostileImap, user: str) -> Account:
    wanted = Account(
        TENANT, "box", user, user, server.host, server.port, user, 0,
        created_at="2026-11-20T00:00:00Z", sync_since="2026-10-20T00:00:00Z",
    )  # fmt: skip
    return connections.connect(where, lambda _: wanted, (TENANT, "box"), sealed()).account


def stored(where: Storage) -> list[bytes]:
    bodies = [where.raw.get(key)[0] for key in keys_of(where)]
    return sorted(name for body in bodies for name in re.findall(rb"Subject: (.*)\r", body))


@pytest.mark.parametrize("is_reconnected", [True, False])
def test_another_mailbox_of_equal_uidvalidity_is_read_from_its_begin(
    aws: Storage, hostile: Hostile, is_reconnected: bool
) -> None:
    server = hostile(two_mailboxes)
    poll_once(tools_for(aws, server), connect(aws, server, "anna@gmail.com"))

    if is_reconnected:
        connections.disconnect(aws, TENANT, "box", "job-1", 1_000)
        bob = connect(aws, server, "bob@gmail.com")
    else:
        change = {"username": "bob@gmail.com"}
        bob = connections.change_account(
            aws, TENANT, "box", lambda standing: replace(standing, **change), sealed()
        )
    poll_once(tools_for(aws, server), bob)
    again = poll_once(tools_for(aws, server), bob)

    names = [b"anna %d" % n for n in (1, 2, 3)] + [b"bob %d" % n for n in (1, 2, 3, 4)]
    assert stored(aws) == names
    assert again == {"polled": 1}


def test_a_first_connection_keeps_the_servers_uidvalidity() -> None:
    assert uidvalidity_in(0, 7) == 7
    assert len({uidvalidity_in(generation, 7) for generation in range(50)}) == 50
    assert all(uidvalidity_in(generation, 2**32 - 1) < 2**32 for generation in range(50))


def test_uids_given_out_anew_are_other_mails(aws: Storage, hostile: Hostile) -> None:
    """A mailbox is restored from a backup: UIDVALIDITY stays, UIDNEXT falls back."""
    last = [5]
    server = hostile(inbox(lambda: last[0], lambda _talk, _command: False))
    account = connect_mailbox(aws, server, "u@example.com")
    poll_once(tools_for(aws, server), account)
    last[0] = 3
    poll_once(tools_for(aws, server), account)
    last[0] = 4

    poll_once(tools_for(aws, server), account)
    tools = tools_for(aws, server)
    jobs.create(aws.table, Job(TENANT, "j1", "sync", "box", folders=(INBOX,)), tools.epoch())
    run_job(tools, TENANT, "j1")

    cursor = cursor_of(aws, account)
    by_generation = {key.uidvalidity for key in keys_of(aws)}
    assert by_generation == {7, cursor.key_uidvalidity}
    anew = [key.uid for key in keys_of(aws) if key.uidvalidity == cursor.key_uidvalidity]
    assert (sorted(anew), cursor.restarts) == ([1, 2, 3, 4], 1)


def test_a_server_whose_uidnext_lies_is_not_read_again(aws: Storage, hostile: Hostile) -> None:
    last = [3]

    def lie(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"EXAMINE"):
            talk.ok(b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 2] x\r\n")
            return True
        return False

    server = hostile(inbox(lambda: last[0], lie))
    account = connect_mailbox(aws, server, "u@example.com")
    for _ in range(3):
        poll_once(tools_for(aws, server), account)
        last[0] += 1

    assert {key.uidvalidity for key in keys_of(aws)} == {7}
    assert len(keys_of(aws)) == 5


def renumbered(uidvalidity: list[int], there: int = 3) -> Hook:
    """The same mails under another UIDVALIDITY, with UIDs from 1 again."""

    def hook(talk: Talk, command: bytes) -> bool:
        told = b"UIDVALIDITY %d" % uidvalidity[0]
        if command.startswith(b"STATUS"):
            talk.ok(b"* STATUS INBOX (UIDNEXT %d %b MESSAGES %d)\r\n" % (there + 1, told, there))
        elif command.startswith(b"EXAMINE"):
            codes = b"* OK [%b] x\r\n* OK [UIDNEXT %d] x\r\n" % (told, there + 1)
            talk.ok(b"* %d EXISTS\r\n" % there + codes)
        elif b"FETCH" in command and b"BODY" not in command:
            row = (
                b'* %d FETCH (UID %d INTERNALDATE "20-Nov-2026 10:00:0%d +0000" RFC822.SIZE 60)\r\n'
            )
            talk.ok(b"".join(row % (uid, uid, uid) for uid in asked(command)))
        else:
            return False
        return True

    return hook


def shown(where: Storage) -> dict[str, list[str]]:
    """The mailbox's overview and a contact's archive, by sort key."""
    mailbox = where.table.query(keys.account_partition(TENANT, "box"))
    archive = where.table.query(keys.archive(TENANT, "contact", "c1"))
    is_mail = keys.overview(TENANT, "box", "", "")[1].split("#")[0] + "#"
    return {
        "overview": [row["sk"] for row in mailbox if row["sk"].startswith(is_mail)],
        "archive": [row["sk"] for row in archive],
    }


def test_a_new_uidvalidity_changes_nothing_that_is_shown(aws: Storage, hostile: Hostile) -> None:
    """Mail comes once more under keys of its own, and is the same message: by Message-ID, else by
    its content."""
    uidvalidity = [7]
    server = hostile(inbox(lambda: 3, renumbered(uidvalidity)))
    index_contact(aws, TENANT, "a@kunde.de", "c1", ["k1"])
    filing = {"filing_enabled": True, "filing_since": "2026-01-01T00:00:00Z"}
    account = connect_mailbox(aws, server, "u@example.com", **filing)
    poll_once(tools_for(aws, server), account)
    match(sqs_event(s3_created(aws.raw.bucket, *raw_keys(aws))), context())
    before = shown(aws)

    uidvalidity[0] = 8
    counts = poll_once(tools_for(aws, server), account)
    match(sqs_event(s3_created(aws.raw.bucket, *raw_keys(aws))), context())
    again = poll_once(tools_for(aws, server), account)

    assert (len(before["overview"]), len(before["archive"])) == (3, 3)
    assert shown(aws) == before
    assert (counts["stored"], counts["uidvalidity_changed"]) == (3, 1)
    assert {key.uidvalidity for key in keys_of(aws)} == {7, 8}
    assert again == {"polled": 1}
