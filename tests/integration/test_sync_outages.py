"""An outage is no mail's fault: the cursor passes only what is stored, gone or remembered."""

from collections.abc import Callable

import pytest
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import connect_mailbox, state_of, tools_for
from tests.support.odd_inbox import Hook, asked, inbox
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once

from ablage.accounts import Account
from ablage.store import cursors, keys
from ablage.store.storage import Storage
from sync.poll import more

Hostile = Callable[[Script], HostileImap]
BUSY = b"NO [UNAVAILABLE] UID FETCH"
NO = b"NO some error"
HANG_UP = b""


class Folder:
    """An Inbox of `last` mails that answers commands with `word` as `status` while it is down."""

    def __init__(self, last: int, word: bytes = b"UID FETCH", status: bytes = BUSY) -> None:
        self.last = last
        self.is_down = True
        self._word = word
        self._status = status

    def script(self) -> Script:
        return inbox(lambda: self.last, self._hook)

    def _hook(self, talk: Talk, command: bytes) -> bool:
        if not self.is_down or self._word not in command:
            return False
        if self._status == HANG_UP:
            raise ConnectionError
        talk.ok(status=self._status)
        return True


def uids(where: Storage) -> list[int]:
    return sorted(key.uid for key in keys_of(where))


def look(where: Storage, server: HostileImap, account: Account, **changes: int) -> None:
    """A poll, and what it leaves."""
    poll_once(tools_for(where, server, **changes), account)
    more(tools_for(where, server, **changes), account.tenant, account.account_id)
    where.table.delete(keys.more(account.tenant, account.account_id))


@pytest.mark.parametrize(
    ("word", "status"),
    [(b"UID FETCH", BUSY), (b"BODY", BUSY), (b"UID FETCH", HANG_UP), (b"SEARCH", BUSY)],
)
def test_an_outage_during_an_import_loses_nothing(
    aws: Storage, hostile: Hostile, word: bytes, status: bytes
) -> None:
    folder = Folder(150, word, status)
    server = hostile(folder.script())
    account = connect_mailbox(aws, server, "u@example.com")

    for _ in range(4):
        look(aws, server, account)
    assert state_of(aws, account).status == "degraded"
    folder.is_down = False
    look(aws, server, account)
    folder.last += 1
    look(aws, server, account)

    assert uids(aws) == list(range(1, 152))
    assert cursor_of(aws, account).problems == ()
    assert state_of(aws, account).status == "ok"


@pytest.mark.parametrize("status", [BUSY, NO])
def test_new_mail_during_an_outage_gives_no_older_one_up(
    aws: Storage, hostile: Hostile, status: bytes
) -> None:
    folder = Folder(1, status=status)
    server = hostile(folder.script())
    account = connect_mailbox(aws, server, "u@example.com")

    for _ in range(4):
        look(aws, server, account)
        folder.last += 1
    folder.is_down = False
    look(aws, server, account)
    folder.last += 1
    look(aws, server, account)

    assert uids(aws) == list(range(1, 7))


def test_more_than_a_hundred_unreadable_mails_stop_the_folder(
    aws: Storage, hostile: Hostile
) -> None:
    folder = Folder(150, status=NO)
    server = hostile(folder.script())
    account = connect_mailbox(aws, server, "u@example.com")

    look(aws, server, account)
    cursor = cursor_of(aws, account)
    state = state_of(aws, account)
    folder.is_down = False
    look(aws, server, account)

    assert (cursor.low, len(cursor.open_problems)) == (51, 100)
    assert (state.status, state.code) == ("degraded", "mail_unreadable")
    assert uids(aws) == list(range(1, 151))


def test_an_open_problem_is_never_dropped() -> None:
    opened = [cursors.Problem(uid, "unfetchable") for uid in range(1, 61)]
    closed = [cursors.Problem(uid, "too_large") for uid in range(100, 160)]

    kept = cursors.Cursor("f", 7).with_problems([*opened, *closed]).problems

    assert list(kept[:60]) == opened
    assert [problem.uid for problem in kept[60:]] == list(range(120, 160))


def withheld(uid: int, moods: dict[str, bool]) -> Hook:
    """The body of one mail is NIL while `moods["sick"]`."""

    def hook(talk: Talk, command: bytes) -> bool:
        if not moods["sick"] or b"BODY" not in command or uid not in asked(command):
            return False
        bodies = dict.fromkeys(asked(command), b'"%b"' % b"mail") | {uid: b"NIL"}
        lines = [b"* %d FETCH (UID %d BODY[] %b)\r\n" % (n, n, body) for n, body in bodies.items()]
        talk.ok(b"".join(lines))
        return True

    return hook


def test_a_try_counts_only_when_it_is_made(aws: Storage, hostile: Hostile) -> None:
    last, moods = [2], {"sick": True}
    server = hostile(inbox(lambda: last[0], withheld(1, moods)))
    account = connect_mailbox(aws, server, "u@example.com")
    poll_once(tools_for(aws, server), account)
    moods["sick"] = False

    for _ in range(3):
        last[0] += 1
        poll_once(tools_for(aws, server, slice_bytes=1), account)
    assert [problem.tries for problem in cursor_of(aws, account).problems] == [1]
    last[0] += 1
    poll_once(tools_for(aws, server), account)

    assert 1 in uids(aws)
    assert cursor_of(aws, account).problems == ()


def test_one_mail_that_breaks_the_retry_leaves_the_others_their_tries(
    aws: Storage, hostile: Hostile
) -> None:
    last, phase = [3], {"now": "sick"}

    def hook(talk: Talk, command: bytes) -> bool:
        if b"BODY" not in command:
            return False
        alone = asked(command)
        if phase["now"] == "poison" and alone == [1]:
            raise ConnectionError
        withhold = {1, 2} & set(alone)
        bodies = [b"NIL" if uid in withhold else b'"mail"' for uid in alone]
        pairs = zip(alone, bodies, strict=True)
        talk.ok(b"".join(b"* %d FETCH (UID %d BODY[] %b)\r\n" % (n, n, body) for n, body in pairs))
        return True

    server = hostile(inbox(lambda: last[0], hook))
    account = connect_mailbox(aws, server, "u@example.com")
    poll_once(tools_for(aws, server), account)
    phase["now"], last[0] = "poison", 4

    poll_once(tools_for(aws, server), account)

    tries = {problem.uid: problem.tries for problem in cursor_of(aws, account).problems}
    assert tries == {1: 2, 2: 1}


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        (b"UID FETCH", BUSY, "server_unavailable"),
        (b"UID FETCH", HANG_UP, "server_hung_up"),
        (b"BODY", BUSY, "server_unavailable"),
    ],
)
def test_an_outage_is_the_accounts_state_and_no_mails_problem(
    aws: Storage, hostile: Hostile, word: bytes, status: bytes, code: str
) -> None:
    folder = Folder(2, word, status)
    server = hostile(folder.script())
    account = connect_mailbox(aws, server, "u@example.com")
    looks = 1 if word == b"BODY" else 5

    for _ in range(looks):
        look(aws, server, account)

    cursor = cursors.get_cursor(aws.table, account.tenant, account.account_id, INBOX)
    assert cursor is None or (cursor.high, cursor.problems) == (0, ())
    assert state_of(aws, account).code == code
