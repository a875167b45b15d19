"""A mail that is there and does not come: its header is read, stored and filed, its body tried once
a week."""

from collections.abc import Callable

from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import TENANT, connect_mailbox, tools_for
from tests.support.odd_inbox import Hook, asked, inbox
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once

from ablage.accounts import Account
from ablage.limits import MESSAGE_BYTES
from ablage.messages import BODY_NOT_STORED, LIMITED
from ablage.store.cursors import Problem
from ablage.store.raw_mail import NOT_STORED, RawKey
from ablage.store.storage import Storage
from match.read_copy import read_copy

Hostile = Callable[[Script], HostileImap]
HEADER = b"From: a@kunde.de\r\nMessage-ID: <1@kunde.de>\r\nSubject: poison\r\n\r\n"


def poison(moods: dict[str, object]) -> Hook:
    """The body of mail 1 is NIL while `moods["sick"]`; its header comes always."""

    def hook(talk: Talk, command: bytes) -> bool:
        if b"BODY.PEEK[HEADER]" in command:
            size = len(HEADER)
            talk.ok(b"* 1 FETCH (UID 1 BODY[HEADER]<0> {%d}\r\n%b)\r\n" % (size, HEADER))
        elif b"BODY" in command and 1 in asked(command) and moods["sick"]:
            others = [uid for uid in asked(command) if uid != 1]
            lines = [b'* %d FETCH (UID %d BODY[] "m")\r\n' % (uid, uid) for uid in others]
            talk.ok(b"* 1 FETCH (UID 1 BODY[] NIL)\r\n" + b"".join(lines))
        elif b"BODY" in command and 1 in asked(command):
            raw = HEADER + b"at last\r\n"
            talk.ok(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\n" % (len(raw), raw))
        else:
            return False
        return True

    return hook


def key_of(account: Account, uid: int) -> RawKey:
    return RawKey(account.retention, TENANT, "box", INBOX, 7, uid)


def test_after_three_tries_the_header_is_filed_and_the_body_comes_when_it_can(
    aws: Storage, hostile: Hostile
) -> None:
    last, moods = [2], {"sick": True}
    server = hostile(inbox(lambda: last[0], poison(moods)))
    account = connect_mailbox(aws, server, "u@example.com")
    now = tools_for(aws, server).now()

    def look(days: int = 0) -> None:
        at = now + days * 86400
        poll_once(tools_for(aws, server, now=lambda: at), account)
        last[0] += 1

    for _ in range(2):
        look()
    assert 1 not in {key.uid for key in keys_of(aws)}
    look()

    raw, metadata = aws.raw.get(key_of(account, 1))
    assert (raw, metadata.body) == (HEADER, NOT_STORED)
    read = read_copy(aws, key_of(account, 1), None)
    assert {LIMITED, BODY_NOT_STORED} <= read.flags
    assert read.facts.subject == "poison"
    (problem,) = cursor_of(aws, account).problems
    assert (problem.uid, problem.tries, problem.has_header) == (1, 3, True)

    moods["sick"] = False
    look(days=1)
    assert aws.raw.get(key_of(account, 1))[0] == HEADER
    look(days=8)

    raw, metadata = aws.raw.get(key_of(account, 1))
    assert (raw, metadata.body) == (HEADER + b"at last\r\n", "")
    assert cursor_of(aws, account).problems == ()
    again = read_copy(aws, key_of(account, 1), None)
    assert again.message_id == read.message_id
    assert not {LIMITED, BODY_NOT_STORED} & again.flags


def test_a_mail_too_large_is_filed_by_its_header(aws: Storage, hostile: Hostile) -> None:
    header = poison({"sick": True})

    def hook(talk: Talk, command: bytes) -> bool:
        if b"FETCH" in command and b"BODY" not in command:
            sizes = {uid: MESSAGE_BYTES + 1 if uid == 1 else 9 for uid in asked(command)}
            lines = [
                b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (n, n, s) for n, s in sizes.items()
            ]
            talk.ok(b"".join(lines))
            return True
        return header(talk, command)

    server = hostile(inbox(lambda: 2, hook))
    account = connect_mailbox(aws, server, "u@example.com")

    poll_once(tools_for(aws, server), account)

    assert aws.raw.get(key_of(account, 1))[0] == HEADER
    (problem,) = cursor_of(aws, account).problems
    assert (problem.code, problem.has_header) == ("too_large", True)
    assert not any(b"FETCH 1 (UID BODY.PEEK[])" in line for line in server.heard)


def test_a_header_that_breaks_the_session_is_asked_for_once(aws: Storage, hostile: Hostile) -> None:
    last = [2]
    body = poison({"sick": True})

    def hook(talk: Talk, command: bytes) -> bool:
        if b"HEADER" in command:
            raise ConnectionError
        return body(talk, command)

    server = hostile(inbox(lambda: last[0], hook))
    account = connect_mailbox(aws, server, "u@example.com")
    for _ in range(5):
        poll_once(tools_for(aws, server), account)
        last[0] += 1

    assert sum(b"HEADER" in line for line in server.heard) == 1
    assert sorted(key.uid for key in keys_of(aws)) == [2, 3, 4, 5, 6]


def test_a_problem_of_before_is_read() -> None:
    assert Problem(uid=1, code="unfetchable", tries=3) == Problem(1, "unfetchable", 3)
