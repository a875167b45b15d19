"""What a look costs, and what it leaves to the next."""

from collections.abc import Callable

from tests.support.aws_calls import aws_calls
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import TENANT, connect_mailbox, state_of, tools_for
from tests.support.odd_inbox import Hook, inbox
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once

from ablage.accounts import Account, AccountState
from ablage.store import cursors, keys
from ablage.store.storage import Storage
from sync.poll import more
from sync.sync_account import is_full_look

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


def heard(server: HostileImap, name: bytes) -> int:
    """How often this command came."""
    return sum(line.split()[1] == name for line in server.heard)


def test_what_a_listing_tells_is_not_asked_again(aws: Storage, hostile: Hostile) -> None:
    server = hostile(inbox(lambda: 3, lambda *_: False))
    account = connect_mailbox(aws, server, "u@example.com")

    poll_once(tools_for(aws, server), account)
    assert heard(server, b"STATUS") == 1
    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 3]

    poll_once(tools_for(aws, server), account)
    assert heard(server, b"LIST") == 1
    assert heard(server, b"STATUS") == 2


def test_an_empty_folder_is_opened_when_mail_has_come(aws: Storage, hostile: Hostile) -> None:
    last = [0]
    server = hostile(inbox(lambda: last[0], lambda *_: False))
    account = connect_mailbox(aws, server, "u@example.com")
    for count in (0, 0, 2):
        last[0] = count
        poll_once(tools_for(aws, server), account)
        assert heard(server, b"EXAMINE") == (count > 0)

    assert sorted(key.uid for key in keys_of(aws)) == [1, 2]
    assert cursor_of(aws, account).uidvalidity == 7


def test_a_folder_whose_counts_are_not_listed_is_asked_for(aws: Storage, hostile: Hostile) -> None:
    def hook(talk: Talk, command: bytes) -> bool:
        is_first = command.startswith(b"STATUS") and heard(server, b"STATUS") == 1
        if is_first:
            talk.ok()
        return is_first

    server = hostile(inbox(lambda: 3, hook))
    account = connect_mailbox(aws, server, "u@example.com")

    poll_once(tools_for(aws, server), account)

    assert heard(server, b"STATUS") == 2
    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 3]


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


def showing(there: list[int], uidnext: list[int]) -> Hook:
    """A folder that shows the UIDs `there` and tells the UIDNEXT `uidnext`, whatever is true."""

    def hook(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"STATUS"):
            told = b"UIDNEXT %d UIDVALIDITY 7 MESSAGES %d" % (uidnext[0], len(there))
            talk.ok(b"* STATUS INBOX (%b)\r\n" % told)
        elif command.startswith(b"EXAMINE"):
            uids = b"* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT %d] x\r\n" % uidnext[0]
            talk.ok(b"* %d EXISTS\r\n" % len(there) + uids)
        elif b"SEARCH" in command:
            talk.ok(b"* SEARCH" + b"".join(b" %d" % uid for uid in there) + b"\r\n")
        else:
            return False
        return True

    return hook


def test_a_lower_uid_that_is_shown_late_is_read(aws: Storage, hostile: Hostile) -> None:
    there, uidnext = [1, 2, 3, 5], [6]
    server = hostile(inbox(lambda: 9, showing(there, uidnext)))
    account = connect_mailbox(aws, server, "u@example.com")
    poll_once(tools_for(aws, server), account)
    there[:] = [1, 2, 3, 4, 5, 6]
    uidnext[0] = 7

    counts = poll_once(tools_for(aws, server), account)
    poll_once(tools_for(aws, server), account)

    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 3, 4, 5, 6]
    assert (counts["shown_late"], counts["stored"]) == (1, 2)
    assert cursor_of(aws, account).recent == "1-6"


def minutes_of_a_day(account: Account) -> tuple[float, float]:
    """A time at which an account is looked into, whatever it tells, and one at which it is not."""
    full = next(at for at in range(0, 86_400, 60) if is_full_look(account, AccountState(), at))
    midnight = 86_400 * 20_000.0
    return midnight + full, midnight + full + 43_200


def test_mail_that_uidnext_hides_is_found_once_a_day(aws: Storage, hostile: Hostile) -> None:
    there, uidnext = [1, 2], [3]
    server = hostile(inbox(lambda: 9, showing(there, uidnext)))
    account = connect_mailbox(aws, server, "u@example.com")
    full, other = minutes_of_a_day(account)
    poll_once(tools_for(aws, server, now=lambda: full - 43_200), account)
    poll_once(tools_for(aws, server, now=lambda: other - 43_200 - 60), account)

    heard = len(server.heard)
    with aws_calls() as calls:
        poll_once(tools_for(aws, server, now=lambda: full), account)
    looked = any(b"UID SEARCH" in line for line in server.heard[heard:])
    there.append(3)
    poll_once(tools_for(aws, server, now=lambda: other), account)
    hidden = [key.uid for key in keys_of(aws)]
    poll_once(tools_for(aws, server, now=lambda: full + 86_400), account)

    assert looked
    assert "dynamodb:UpdateItem" not in calls  # no lease
    assert sorted(hidden) == [1, 2]
    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 3]


def test_one_look_a_day_is_a_full_one() -> None:
    for account in (an_account("a"), an_account("b")):
        for interval in (1, 5, 15, 60):
            state = AccountState(interval=interval)
            looks = range(0, 5 * 86_400, interval * 60)
            assert sum(is_full_look(account, state, at) for at in looks) == 5


def an_account(name: str) -> Account:
    return Account(TENANT, name, "u@example.com", "u@example.com", "localhost", 993, "u", 1)
