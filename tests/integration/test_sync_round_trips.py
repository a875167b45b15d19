"""How often a look waits for the mail server, counted by a server that needs no time."""

from random import Random

from tests.support.mailboxes import connect_mailbox, tools_for
from tests.support.polling import keys_of, poll_once
from tests.support.scripted_imap import Answer, Asked, Clock, Mail, ScriptedFolder, ScriptedImap

from ablage.accounts import Account
from ablage.store.storage import Storage

LOGIN = 1
STATUS = 1  # of all folders
FETCH = 3  # EXAMINE with the search behind it, sizes, bodies


def tells_capabilities(asked: Asked, answer: Answer) -> None:
    answer.end = b"OK [CAPABILITY IMAP4rev1] in"


def a_server() -> ScriptedImap:
    folders = [ScriptedFolder(b"INBOX", b"\\Inbox", 7), ScriptedFolder(b"Sent", b"\\Sent", 8)]
    for number in range(3):
        folders[0].deliver(a_mail(number))
    return ScriptedImap(
        folders,
        Clock(),
        Random(1),
        at=lambda asked: tells_capabilities if asked.name == b"LOGIN" else None,
    )


def a_mail(number: int) -> Mail:
    raw = b"Subject: %d\r\n\r\nx\r\n" % number
    return Mail(raw, len(raw))


def turns_of_a_look(where: Storage, server: ScriptedImap, account: Account) -> int:
    before = server.round_trips
    poll_once(tools_for(where, server, network=server.network()), account)
    return server.round_trips - before


def test_new_mail_costs_three_round_trips_a_folder(aws: Storage) -> None:
    server = a_server()
    account = connect_mailbox(aws, server, "u@example.com")
    turns_of_a_look(aws, server, account)

    idle = turns_of_a_look(aws, server, account)
    server.folders[0].deliver(a_mail(9))
    one = turns_of_a_look(aws, server, account)
    server.folders[0].deliver(a_mail(10))
    server.folders[1].deliver(a_mail(11))
    both = turns_of_a_look(aws, server, account)

    assert len(keys_of(aws)) == 6
    assert (idle, one, both) == (LOGIN + STATUS, idle + FETCH, idle + 2 * FETCH)


def test_a_first_look_costs_no_more_for_a_folder_than_a_later_one(aws: Storage) -> None:
    server = a_server()
    account = connect_mailbox(aws, server, "u@example.com")
    listed = 1 + STATUS

    turns = turns_of_a_look(aws, server, account)

    assert len(keys_of(aws)) == 3
    assert turns == LOGIN + listed + FETCH  # Sent is empty: it is not even opened


def test_a_session_enables_nothing(aws: Storage) -> None:
    """Servers answer in other ways once CONDSTORE or IMAP4rev2 is on, some wrongly."""
    names: set[bytes] = set()
    server = a_server()
    server.at = lambda asked: names.add(asked.name)  # type: ignore[func-returns-value]
    account = connect_mailbox(aws, server, "u@example.com")

    turns_of_a_look(aws, server, account)

    assert names == {
        *(b"LOGIN", b"CAPABILITY", b"LIST", b"STATUS", b"EXAMINE"),
        *(b"UID SEARCH", b"UID FETCH", b"LOGOUT"),
    }
