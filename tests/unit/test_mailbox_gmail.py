"""X-GM-MSGID and X-GM-LABELS as FETCH tells them, in any form."""

import pytest
from tests.support.canned import Canned

from ablage.mailbox.gmail import Gmail
from ablage.mailbox.status import list_sizes
from ablage.mailbox.wire import Wire


def told(items: bytes) -> Gmail | None:
    answer = b"* 1 FETCH (UID 7 RFC822.SIZE 9 %b)\r\nW1 OK\r\n" % items
    (mail,) = list_sizes(Wire(Canned(answer)), [7], b" X-GM-MSGID X-GM-LABELS")
    return mail.gmail


@pytest.mark.parametrize(
    ("labels", "read"),
    [
        (b'("\\\\Inbox" "\\\\Sent" Kunden "R & D")', (b"\\Inbox", b"\\Sent", b"Kunden", b"R & D")),
        (b"(\\Inbox Entw&APw-rfe)", (b"\\Inbox", b"Entw&APw-rfe")),
        (b"({6}\r\na (b) {3}\r\nNIL)", (b"a (b) ", b"NIL")),
        (b"()", ()),
        (b"NIL", ()),
        (b"(NIL ())", ()),
    ],
)
def test_labels_come_quoted_bare_and_as_literals(labels: bytes, read: tuple[bytes, ...]) -> None:
    assert told(b"X-GM-MSGID 1278455344230334865 X-GM-LABELS " + labels) == Gmail(
        1278455344230334865, read
    )


@pytest.mark.parametrize(
    "items", [b"FLAGS ()", b"X-GM-MSGID NIL", b"X-GM-MSGID -1", b"X-GM-MSGID %d" % 2**64]
)
def test_a_mail_without_an_id_is_a_mail_like_any_other(items: bytes) -> None:
    assert told(items) is None


def test_they_are_asked_for_where_gmail_answers_alone() -> None:
    server = Canned(b"* 1 FETCH (UID 7 RFC822.SIZE 9)\r\nW1 OK\r\n")

    list_sizes(Wire(server), [7])

    assert b"X-GM" not in server.sent[0]
