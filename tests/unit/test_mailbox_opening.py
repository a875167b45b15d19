"""A folder opened and searched in one flight: what a search found counts, or it is sent again."""

from datetime import date
from typing import Any, cast

import pytest
from tests.support.canned import Canned

from ablage.accounts import Folder
from ablage.errors import AccountFault
from ablage.mailbox.opening import LAST, Search, uids_of
from ablage.mailbox.pace import Pace
from ablage.mailbox.session import Session
from ablage.mailbox.status import MAX_UID
from ablage.mailbox.wire import Wire

HAS = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 10] x\r\n"
INBOX = Folder("0" * 16, "INBOX", raw="INBOX")


def session_of(server: Canned, pace: Pace | None = None) -> Session:
    return Session(cast("Any", None), Wire(server), frozenset(), pace or Pace())


def test_the_last_mail_and_foreign_numbers_are_filtered() -> None:
    server = Canned(b"* SEARCH 9 11 10 11 0 99999999999 x\r\nW1 OK\r\n")

    assert uids_of(Wire(server), Search(9)) == [10, 11]


def test_since_is_asked_a_day_earlier() -> None:
    server = Canned(b"* SEARCH\r\nW1 OK\r\n")

    uids_of(Wire(server), Search(0, date(2026, 3, 1)))

    assert server.sent == [b"W1 UID SEARCH UID 1:* SINCE 28-Feb-2026\r\n"]


def test_an_empty_folder_has_no_last_uid() -> None:
    assert session_of(Canned(b"* SEARCH\r\nW1 OK\r\n")).last_uid() == 0


def test_nothing_comes_behind_the_last_possible_uid() -> None:
    server = Canned(HAS + b"W1 OK\r\n")
    session = session_of(server)

    session.examine(INBOX, Search(MAX_UID))

    assert session.new_uids(MAX_UID) == []
    assert server.sent == [b'W1 EXAMINE "INBOX"\r\n']


def test_a_folder_is_opened_and_searched_in_one_flight() -> None:
    server = Canned(HAS + b"W1 OK\r\n* SEARCH 8\r\n* SEARCH 9\r\nW2 OK\r\n")
    session = session_of(server)

    opened = session.examine(INBOX, Search(7))

    assert (opened.uidvalidity, opened.uidnext, opened.messages) == (7, 10, 3)
    assert session.new_uids(7) == [8, 9]
    assert len(server.sent) == 2


def test_what_is_asked_for_beside_is_of_the_same_moment() -> None:
    server = Canned(HAS + b"W1 OK\r\n* SEARCH 5 8 9\r\nW2 OK\r\n")
    session, since = session_of(server), date(2026, 3, 1)

    session.examine(INBOX, Search(4, since, beside=LAST))

    assert (session.last_uid(), session.new_uids(4, since)) == (9, [5, 8, 9])
    assert server.sent[1:] == [b"W2 UID SEARCH OR UID * (UID 5:* SINCE 28-Feb-2026)\r\n"]


@pytest.mark.parametrize(
    ("beside", "words", "new"),
    [
        (7, b"OR UID 8:* (UID 5:* SINCE 28-Feb-2026)", [8, 9]),
        (MAX_UID, b"UID 5:* SINCE 28-Feb-2026", []),
    ],
)
def test_new_mail_is_asked_for_beside_an_import(beside: int, words: bytes, new: list[int]) -> None:
    server = Canned(HAS + b"W1 OK\r\n* SEARCH 5 8 9\r\nW2 OK\r\n")
    session, since = session_of(server), date(2026, 3, 1)

    session.examine(INBOX, Search(4, since, beside=Search(beside)))

    assert (session.new_uids(beside), session.new_uids(4, since)) == (new, [5, 8, 9])
    assert server.sent[1:] == [b"W2 UID SEARCH " + words + b"\r\n"]


DISORDER = {
    "the search first": b"* SEARCH 9\r\nW2 OK\r\n" + HAS + b"W1 OK\r\n",
    "its end first": b"W2 OK\r\n" + HAS + b"W1 OK\r\n",
    "its row first": b"* SEARCH 9\r\n" + HAS + b"W1 OK\r\nW2 OK\r\n",
    "a row of another first": b"* SEARCH 9\r\n" + HAS + b"W1 OK\r\n* SEARCH 8\r\nW2 OK\r\n",
    "no row": HAS + b"W1 OK\r\nW2 OK\r\n",
    "NO": HAS + b"W1 OK\r\nW2 NO nothing is open\r\n",
    "BAD": HAS + b"W1 OK\r\n* SEARCH 9\r\nW2 BAD one at a time\r\n",
}


@pytest.mark.parametrize("how", DISORDER)
def test_a_search_that_was_not_run_in_the_open_folder_is_sent_again(how: str) -> None:
    server = Canned(DISORDER[how] + b"* SEARCH 5 6\r\nW3 OK\r\n")
    session = session_of(server)

    opened = session.examine(INBOX, Search(4))

    assert (opened.uidvalidity, opened.uidnext, opened.messages) == (7, 10, 3)
    assert session.new_uids(4) == [5, 6]
    assert server.sent[1][2:] == server.sent[2][2:]
    assert not session.pace.had_trouble


@pytest.mark.parametrize("end", [b"BAD nothing is open", b"NO", b"OK"])
def test_a_folder_that_is_refused_leaves_nothing_on_the_wire(end: bytes) -> None:
    server = Canned(b"W1 NO none\r\n* SEARCH 3\r\nW2 %b\r\nW3 OK\r\n" % end)
    session = session_of(server)

    with pytest.raises(AccountFault) as fault:
        session.examine(INBOX, Search(2))

    assert fault.value.code == "folder_missing"
    assert session.wire.finish(session.wire.send(b"NOOP")) == (b"OK", [])
    assert not session.pace.had_trouble


@pytest.mark.parametrize(
    "answers",
    [b"W1 NO [UNAVAILABLE] later\r\n", HAS + b"W1 OK\r\nW2 NO [UNAVAILABLE] later\r\n"],
)
def test_a_busy_server_is_no_folder_that_is_missing(answers: bytes) -> None:
    with pytest.raises(AccountFault) as fault:
        session_of(Canned(answers)).examine(INBOX, Search(2))

    assert fault.value.code == "server_unavailable"


def test_what_was_found_ahead_is_not_put_beside_what_is_found_later() -> None:
    """A mail that came between would be above the one and missing in the other."""
    server = Canned(
        HAS + b"W1 OK\r\n* SEARCH 8\r\nW2 OK\r\n* SEARCH 9\r\nW3 OK\r\n* SEARCH 8 9\r\nW4 OK\r\n"
    )
    session = session_of(server)
    session.examine(INBOX, Search(0))

    assert (session.last_uid(), session.new_uids(0)) == (9, [8, 9])


def test_what_was_found_ahead_is_of_the_folder_that_was_open() -> None:
    first = HAS + b"W1 OK\r\n* SEARCH 8\r\nW2 OK\r\n"
    server = Canned(first + HAS + b"W3 OK\r\n* SEARCH 2\r\nW4 OK\r\n")
    session = session_of(server)
    session.examine(INBOX, Search(0))
    session.examine(Folder("1" * 16, "Sent", raw="Sent"))

    assert session.new_uids(0) == [2]


def after_trouble() -> Pace:
    pace = Pace()
    pace.trouble()
    return pace


@pytest.mark.parametrize("pace", [Pace(1), Pace(per_second=4), after_trouble()])
def test_where_one_command_is_wanted_at_a_time_nothing_is_sent_ahead(pace: Pace) -> None:
    server = Canned(HAS + b"W1 OK\r\n* SEARCH 8\r\nW2 OK\r\n")
    session = session_of(server, pace)

    session.examine(INBOX, Search(7))
    sent = len(server.sent)

    assert (sent, session.new_uids(7), len(server.sent)) == (1, [8], 2)


@pytest.mark.parametrize("ahead", [(), (Search(7),)])
def test_a_flight_that_breaks_is_trouble(ahead: tuple[Search, ...]) -> None:
    session = session_of(Canned(HAS))

    with pytest.raises(AccountFault):
        session.examine(INBOX, *ahead)

    assert session.pace.had_trouble == bool(ahead)
