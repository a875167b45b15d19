"""A folder is searched in the flight that opens it, by the cursor that is stored: whatever the
server makes of that, each mail is read once."""

from collections.abc import Callable

import pytest
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import TENANT, connect_mailbox, state_of, tools_for
from tests.support.odd_inbox import Hook, inbox
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once

from ablage.mailbox.connection import Bounds
from ablage.store import cursors, jobs
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from sync.jobs import run_job
from sync.tools import Tools

Hostile = Callable[[Script], HostileImap]


def opened(last: int, uidvalidity: int = 7) -> bytes:
    told = (last, uidvalidity, last + 1)
    return b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] x\r\n* OK [UIDNEXT %d] x\r\n" % told


def told(last: int, uidvalidity: int = 7) -> bytes:
    counts = (last + 1, uidvalidity, last)
    return b"* STATUS INBOX (UIDNEXT %d UIDVALIDITY %d MESSAGES %d)\r\n" % counts


def commands(server: HostileImap, *words: bytes) -> list[bytes]:
    """What was heard of these, without tags."""
    lines = [line.partition(b" ")[2].rstrip(b"\r\n") for line in server.heard]
    return [line for line in lines if line.startswith(words)]


def uids(where: Storage, uidvalidity: int = 7) -> list[int]:
    return sorted(key.uid for key in keys_of(where) if key.uidvalidity == uidvalidity)


def waiting(last: Callable[[], int]) -> Hook:
    """EXAMINE is answered only when the search behind it was heard."""

    def hook(talk: Talk, command: bytes) -> bool:
        if not command.startswith(b"EXAMINE"):
            return False
        tag = talk.tag
        assert talk.hear().startswith(b"UID SEARCH")
        found = b"".join(b" %d" % uid for uid in range(1, last() + 1))
        talk.say(opened(last()) + tag + b" OK\r\n* SEARCH" + found + b"\r\n")
        talk.ok()
        return True

    return hook


def test_a_first_look_and_each_later_one_open_and_search_in_one_flight(
    aws: Storage, hostile: Hostile
) -> None:
    last = [3]
    server = hostile(inbox(lambda: last[0], waiting(lambda: last[0])))
    account = connect_mailbox(aws, server, "u@example.com")
    poll_once(tools_for(aws, server), account)
    last[0] = 4

    poll_once(tools_for(aws, server), account)
    jobs.create(aws.table, Job(TENANT, "j1", "sync", "box", folders=(INBOX,)), 0)
    run_job(tools_for(aws, server), TENANT, "j1")

    found = commands(server, b"UID SEARCH")
    assert [line.partition(b" SINCE ")[0] for line in found] == [
        b"UID SEARCH OR UID * (UID 1:*",
        b"UID SEARCH UID 2:*",  # what is shown late, too
        b"UID SEARCH UID 1:*",
    ]
    assert uids(aws) == [1, 2, 3, 4]


@pytest.mark.parametrize("is_importing", [False, True])
def test_under_another_uidvalidity_what_was_found_is_dropped(
    aws: Storage, hostile: Hostile, is_importing: bool
) -> None:
    """A mail comes between that search and the one for the last UID."""
    last = [3]

    def hook(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"STATUS"):
            talk.ok(told(last[0], 8))
        elif command.startswith(b"EXAMINE"):
            talk.ok(opened(last[0], 8))
        elif command == b"UID SEARCH UID *":
            last[0] = 4
            talk.ok(b"* SEARCH 4\r\n")
        else:
            return False
        return True

    server = hostile(inbox(lambda: last[0], hook))
    account = connect_mailbox(aws, server, "u@example.com", sync_since="2026-10-20")
    since = {"since": "2026-10-20T00:00:00Z", "ceiling": 2, "low": 3} if is_importing else {}
    high = 0 if is_importing else 2
    known = cursors.Cursor(INBOX, 7, high, 3, **since)
    cursors.move_cursor(aws.table, TENANT, "box", known, 0)

    tools = tools_for(aws, server)
    counts = poll_once(tools, account)

    assert counts["uidvalidity_changed"] == 1
    assert uids(aws, 8) == [1, 2, 3, 4]
    assert (cursor_of(aws, account).uidvalidity, cursor_of(aws, account).high) == (8, 4)


@pytest.mark.parametrize(
    "answer",
    [b"BAD nothing is open", b"* SEARCH 1 2 3", b"NO nothing is open"],
)
def test_a_folder_that_is_refused_stops_no_other(
    aws: Storage, hostile: Hostile, answer: bytes
) -> None:
    refused = [False]

    def hook(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"LIST"):
            talk.ok(b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\n')
        elif command.startswith(b"EXAMINE"):
            refused[0] = b"INBOX" in command
            talk.ok(status=b"NO [NONEXISTENT] none") if refused[0] else talk.ok(opened(3))
        elif command.startswith(b"STATUS"):
            name = b"INBOX" if b"INBOX" in command else b"Sent"
            talk.ok(told(3).replace(b"INBOX", name))
        elif b"SEARCH" in command and refused[0]:
            is_row = answer.startswith(b"*")
            talk.ok(answer + b"\r\n" if is_row else b"", b"OK" if is_row else answer)
        else:
            return False
        return True

    server = hostile(inbox(lambda: 3, hook))
    account = connect_mailbox(aws, server, "u@example.com")

    counts = poll_once(tools_for(aws, server), account)

    assert (counts["folder_missing"], counts["stored"]) == (1, 3)
    assert {key.folder_id for key in keys_of(aws)}.isdisjoint({INBOX})
    assert state_of(aws, account).status == "ok"


def out_of_order(talk: Talk, command: bytes) -> bool:
    """The search is run first, in whatever was open before."""
    if not command.startswith(b"EXAMINE"):
        return False
    tag = talk.tag
    talk.hear()
    talk.ok(b"* SEARCH 2\r\n")
    talk.say(opened(3) + tag + b" OK\r\n")
    return True


def one_at_a_time(talk: Talk, command: bytes) -> bool:
    """What waits for another command is refused."""
    if not command.startswith(b"EXAMINE"):
        return False
    talk.ok(opened(3))
    talk.hear()
    talk.ok(status=b"BAD one at a time")
    return True


@pytest.mark.parametrize("hook", [out_of_order, one_at_a_time])
def test_a_search_that_was_not_run_behind_the_opening_is_sent_again(
    aws: Storage, hostile: Hostile, hook: Hook
) -> None:
    server = hostile(inbox(lambda: 3, hook))
    account = connect_mailbox(aws, server, "u@example.com")
    cursors.move_cursor(aws.table, TENANT, "box", cursors.Cursor(INBOX, 7, 0, 1), 0)

    poll_once(tools_for(aws, server), account)

    assert uids(aws) == [1, 2, 3]
    assert commands(server, b"UID SEARCH") == [b"UID SEARCH UID 1:*"] * 2
    assert cursor_of(aws, account).high == 3


class Quick(Tools):
    def bounds(self) -> Bounds:
        return Bounds(seconds=20.0, silence=0.5)


def test_a_server_that_drops_what_is_sent_ahead_is_asked_one_by_one(
    aws: Storage, hostile: Hostile
) -> None:
    def hook(talk: Talk, command: bytes) -> bool:
        if not command.startswith(b"EXAMINE"):
            return False
        tag = talk.tag
        while talk.is_heard_within(0.2):
            talk.hear()
        talk.say(opened(3) + tag + b" OK\r\n")
        return True

    server = hostile(inbox(lambda: 3, hook))
    account = connect_mailbox(aws, server, "u@example.com")
    known = tools_for(aws, server)
    tools = Quick(known.storage, known.access, known.network, jitter=lambda: 0.0)

    counts = poll_once(tools, account)

    assert (counts["reconnects"], uids(aws)) == (1, [1, 2, 3])
    assert state_of(aws, account).status == "ok"
