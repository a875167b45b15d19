"""What a look costs, and what it leaves to the next."""

from collections.abc import Callable

from tests.support.aws_calls import aws_calls
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import TENANT, connect_mailbox, state_of, tools_for
from tests.support.odd_inbox import inbox
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once

from ablage.store import cursors, keys
from ablage.store.storage import Storage
from sync.poll import more

Hostile = Callable[[Script], HostileImap]


def test_an_idle_look_is_cheap_where_only_status_tells_uidnext(
    aws: Storage, hostile: Hostile
) -> None:
    last = [3]

    def hook(talk: Talk, command: bytes) -> bool:
        if not command.startswith(b"EXAMINE"):
            return False
        talk.ok(b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n")
        return True

    server = hostile(inbox(lambda: last[0], hook))
    account = connect_mailbox(aws, server, "u@example.com")
    poll_once(tools_for(aws, server), account)

    with aws_calls() as calls:
        poll_once(tools_for(aws, server), account)
    last[0] = 4
    poll_once(tools_for(aws, server), account)

    assert set(calls) <= {"dynamodb:BatchGetItem", "dynamodb:GetItem", "kms:Decrypt"}
    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 3, 4]


def test_a_cursor_lost_in_flight_ends_the_session_and_leaves_the_rest(
    aws: Storage, hostile: Hostile
) -> None:
    """Another worker moved it; answers to what we asked are still on the wire."""
    asked: list[bytes] = []

    def hook(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"LIST"):
            talk.ok(b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\n')
            return True
        if b"BODY" in command and not asked:
            asked.append(command)
            place = keys.folder(TENANT, "box", INBOX)
            aws.table.update(place, "SET version = :v", values={":v": 99})
        return False

    server = hostile(inbox(lambda: 250, hook))
    account = connect_mailbox(aws, server, "u@example.com")
    cursors.move_cursor(aws.table, TENANT, "box", cursors.Cursor(INBOX, 7), 0)
    seconds = [0.0]

    def clock() -> float:
        seconds[0] += 0.05
        return seconds[0]

    tools = tools_for(aws, server, clock=clock, began=0.0)
    cursors.leave_more(aws.table, TENANT, "box", tools.epoch() - 5)
    more(tools, TENANT, "box")

    assert tools.summary.counts()["cursor_lost"] == 1
    assert state_of(aws, account).status == "syncing"
    assert aws.table.get(keys.more(TENANT, "box"))
    assert cursor_of(aws, account).high == 0


def test_a_mailbox_at_the_last_possible_uid_stays_healthy(aws: Storage, hostile: Hostile) -> None:
    top = 2**32 - 1

    def hook(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"STATUS"):
            talk.ok(b"* STATUS INBOX (UIDNEXT %d UIDVALIDITY 7 MESSAGES 1)\r\n" % (top - len(seen)))
        elif b"SEARCH" in command and b"%d" % (top + 1) in command:
            talk.ok(status=b"BAD number")
        elif b"SEARCH" in command:
            talk.ok(b"* SEARCH %d\r\n" % top)
        elif command.startswith(b"EXAMINE"):
            talk.ok(b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n")
        else:
            return False
        return True

    seen: list[int] = []
    server = hostile(inbox(lambda: 1, hook))
    account = connect_mailbox(aws, server, "u@example.com")
    for number in range(3):
        poll_once(tools_for(aws, server), account)
        seen.append(number)

    assert state_of(aws, account).status == "ok"
    assert [key.uid for key in keys_of(aws)] == [top]
