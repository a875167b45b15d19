"""The listing of a mailbox: which command asks for it, what is kept of it, what it says about
counts."""

import json

import pytest
from tests.support.canned import Canned

from ablage.accounts import ALL_MAIL, AccountState, Folder
from ablage.errors import AccountFault
from ablage.mailbox.folders import FOLDERS, list_folders, raw_name
from ablage.mailbox.names import folder_id
from ablage.mailbox.wire import Wire
from ablage.store.accounts import state_item

ONE = b'* LIST () "/" INBOX\r\nW1 OK\r\n'


def listed(*rows: bytes, status: bytes = b"OK done") -> tuple[Folder, ...]:
    answer = b"".join(b"* LIST " + row + b"\r\n" for row in rows)
    return list_folders(Wire(Canned(answer + b"W1 " + status + b"\r\n")), frozenset())


def roles(*rows: bytes) -> dict[str, str]:
    return {folder.name: folder.role for folder in listed(*rows)}


def test_the_raw_name_survives_the_state() -> None:
    (folder,) = listed(b'() "/" "\xc3\xa4 &AOQ-"')

    assert raw_name(folder) == b"\xc3\xa4 &AOQ-"


@pytest.mark.parametrize(
    ("capabilities", "command"),
    [
        ("", b'LIST "" "*"'),
        ("SPECIAL-USE", b'LIST "" "*"'),
        ("SPECIAL-USE LIST-EXTENDED", b'LIST "" "*" RETURN (SPECIAL-USE)'),
        (
            "SPECIAL-USE LIST-EXTENDED LIST-STATUS",
            b'LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY))',
        ),
        ("LIST-STATUS", b'LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))'),
        ("XLIST", b'XLIST "" "*"'),
        ("XLIST SPECIAL-USE", b'LIST "" "*"'),
    ],
)
def test_a_server_is_asked_for_what_it_knows(capabilities: str, command: bytes) -> None:
    server = Canned(ONE)

    list_folders(Wire(server), frozenset(capabilities.split()))

    assert server.sent == [b"W1 " + command + b"\r\n"]


@pytest.mark.parametrize("refusal", [b"BAD what", b"NO not so"])
def test_a_server_that_refuses_the_long_command_is_asked_plainly(refusal: bytes) -> None:
    server = Canned(b"W1 " + refusal + b'\r\n* LIST (\\Sent) "/" A\r\nW2 OK\r\n')

    (folder,) = list_folders(Wire(server), frozenset({"LIST-STATUS"}))

    assert (folder.name, folder.role) == ("A", "sent")
    assert server.sent[1] == b'W2 LIST "" "*"\r\n'


def test_counts_come_with_the_list() -> None:
    server = Canned(
        b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7)\r\n'
        b'* LIST () "/" B\r\n* STATUS C (MESSAGES 1)\r\nW1 OK\r\n'
    )

    inbox, b = list_folders(Wire(server), frozenset({"LIST-STATUS"}))

    assert (inbox.messages, inbox.uidnext, inbox.uidvalidity) == (3, 9, 7)
    assert (b.messages, b.uidnext, b.uidvalidity) == (None, None, None)


def test_flags_and_names_make_every_sent_folder() -> None:
    german = roles(
        b'(\\Sent) "/" Sent',
        b'() "/" "Gesendete Elemente"',
        b'() "/" "Gesendete Objekte"',
        b'() "/" "Sent Messages"',
        b'(\\Junk) "/" Spam',
        b'() "/" "Junk-E-Mail"',
        b'() "/" Kunden',
    )

    assert [name for name, role in german.items() if role == "sent"] == [
        *("Sent", "Gesendete Elemente", "Gesendete Objekte", "Sent Messages")
    ]
    assert [name for name, role in german.items() if role == "junk"] == ["Spam", "Junk-E-Mail"]


def test_flat_names_have_no_path() -> None:
    assert roles(b"() NIL Sent", b"() NIL a/Sent") == {"Sent": "sent", "a/Sent": ""}


def test_inbox_is_one_in_any_case() -> None:
    (folder,) = listed(b'() "/" inbox', b'() "/" INBOX')

    assert (folder.role, folder.raw, folder.folder_id) == ("inbox", "INBOX", "83ecb521bf320f67")


def test_xlist_tells_the_inbox_by_a_name_of_its_own() -> None:
    server = Canned(
        b'* XLIST (\\HasNoChildren \\Inbox) "/" "Posteingang"\r\n'
        b'* XLIST (\\HasNoChildren \\Spam) "/" "[Gmail]/Spam"\r\nW1 OK\r\n'
    )

    inbox, spam = list_folders(Wire(server), frozenset({"XLIST"}))

    assert (inbox.role, inbox.raw) == ("inbox", "INBOX")
    assert spam.role == "junk"


def test_folders_that_cannot_be_opened_are_left_out() -> None:
    assert roles(b'(\\Noselect) "/" "[Gmail]"', b'(\\NonExistent) "/" B', b'() "/" A') == {"A": ""}


def test_a_folder_listed_twice_is_one_with_all_its_attributes() -> None:
    assert roles(b'() "/" A', b'() "/" B', b'(\\Sent) "/" A') == {"A": "sent", "B": ""}


def test_odd_rows_hide_no_other() -> None:
    found = listed(
        *(b'() "/" "R & D"', b'() "/" "broken', b'() "/" {4}\r\na\r\nb', b"", b'() "/" ""'),
        *(b'() "/" Entw\xfcrfe', b'() "/" INBOX'),
    )
    noise = Canned(
        b'* LSUB () "/" Old\r\n* OK hello\r\n* 3 EXISTS\r\n\r\n* LIST () "/" A\r\nW1 OK\r\n'
    )

    assert [f.name for f in found] == ["R & D", "broken", "Entwürfe", "INBOX"]
    assert [f.name for f in list_folders(Wire(noise), frozenset())] == ["A"]


@pytest.mark.parametrize(
    ("rows", "status", "code"),
    [
        ((), b"OK", "protocol_error"),
        ((b'() "/" A',), b"NO denied", "protocol_error"),
        ((b'() "/" A',), b"NO [UNAVAILABLE] later", "server_unavailable"),
    ],
)
def test_no_list_is_no_empty_mailbox(rows: tuple[bytes, ...], status: bytes, code: str) -> None:
    with pytest.raises(AccountFault) as refused:
        listed(*rows, status=status)

    assert refused.value.code == code


def test_namespaces_tell_whose_folders_are_whose() -> None:
    server = Canned(
        b'* NAMESPACE (("INBOX." ".")) (("user." ".")) NIL\r\nW1 OK\r\n'
        b'* LIST () "." INBOX\r\n* LIST () "." INBOX.Gesendet\r\n'
        b'* LIST () "." user.anna.Sent\r\nW2 OK\r\n'
    )

    found = list_folders(Wire(server), frozenset({"NAMESPACE"}))

    assert server.sent[0] == b"W1 NAMESPACE\r\n"
    assert [(f.role, f.foreign) for f in found] == [("inbox", False), ("sent", False), ("", True)]


def test_a_refused_namespace_stops_nothing() -> None:
    server = Canned(b'W1 BAD\r\n* LIST () "." INBOX\r\nW2 OK\r\n')

    (folder,) = list_folders(Wire(server), frozenset({"NAMESPACE"}))

    assert (folder.role, folder.foreign) == ("inbox", False)


def test_all_mail_of_gmail_has_one_id_in_every_language() -> None:
    rows = b'* LIST (\\All) "/" "[Gmail]/Alle Nachrichten"\r\nW1 OK\r\n'

    (gmail,) = list_folders(Wire(Canned(rows)), frozenset({"X-GM-EXT-1"}))
    (other,) = list_folders(Wire(Canned(rows)), frozenset())

    assert gmail.folder_id == ALL_MAIL
    assert other.folder_id == folder_id(b"[Gmail]/Alle Nachrichten")
    assert raw_name(gmail) == b"[Gmail]/Alle Nachrichten"


def test_a_list_of_any_length_fits_an_item() -> None:
    rows = [b'() "/" "%b/%d"' % (b"Projekt-" + b"x" * 190, number) for number in range(999)]

    found = listed(*rows, b'() "/" "Gesendet"', b'() "/" INBOX')

    stored = state_item(AccountState(folders=found))["folder_list"]
    assert len(json.dumps(stored, ensure_ascii=False).encode()) < 250_000
    assert [folder.role for folder in found[-2:]] == ["sent", "inbox"]
    assert len(found) > 300


def test_a_list_without_end_is_not_held_in_memory() -> None:
    rows = b"".join(b'* LIST () "/" %d\r\n* OK %d\r\n' % (n, n) for n in range(20_000))
    server = Canned(rows + b'* LIST (\\Sent) "/" Ausgang\r\n* LIST () "/" INBOX\r\nW1 OK\r\n')

    found = list_folders(Wire(server), frozenset())

    assert len(found) == FOLDERS
    assert [folder.role for folder in found[-2:]] == ["sent", "inbox"]


def test_a_name_too_long_for_an_item_is_left_out() -> None:
    found = listed(b'() "/" "%b"' % (b"\xe4" * 150_000), b'() "/" INBOX')

    assert [folder.name for folder in found] == ["INBOX"]
