"""The answer parser: whole answers or a fault, whatever the bytes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.canned import Canned

from ablage.errors import AccountFault
from ablage.limits import SINGLE_PUT_BYTES
from ablage.mailbox.pull import as_fetched
from ablage.mailbox.syntax import Answer, Literal, pairs
from ablage.mailbox.wire import ANSWER_BYTES, HELD_BYTES, PIECE_BYTES, Wire


def read(data: bytes, literal_bytes: int = 100 * 1024 * 1024) -> Answer:
    return Wire(Canned(data), literal_bytes).read()


def test_lists_strings_and_literals_stand_where_the_server_put_them() -> None:
    answer = read(b'* 12 FETCH (UID 5 X (a "b \\"c\\"" NIL) BODY[] {3}\r\n) (\r\n FLAGS ())\r\n')

    assert answer.name == b"FETCH"
    (items,) = answer.values
    assert pairs(items) == {
        b"UID": b"5",
        b"X": [b"a", b'b "c"', b"NIL"],
        b"BODY[]": Literal(3, b") ("),
        b"FLAGS": [],
    }


@pytest.mark.parametrize(
    ("data", "tag", "name", "text"),
    [
        (b"W7 OK done {3}\r\n", b"W7", b"OK", b"done {3}"),
        (b"* NO [ALERT] careful\r\n", b"*", b"NO", b"[ALERT] careful"),
        (b"+ idling\r\n", b"+", b"IDLING", b""),
        (b"\r\n", b"", b"", b""),
        (b"* search\r\n", b"*", b"SEARCH", b""),
    ],
)
def test_status_answers_are_read_to_their_end(
    data: bytes, tag: bytes, name: bytes, text: bytes
) -> None:
    assert read(data) == Answer(tag, name, text=text)


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"X1 OK done\r\n",
        b"* 1 FETCH (UID 1\r\n",
        b"* 1 FETCH UID 1)\r\n",
        b'* ID ("unfinished\r\n',
        b"* 1 FETCH (UID 1)\n",
        b"* 1 FETCH " + b"(" * 40 + b")" * 40 + b"\r\n",
        b"* 1 FETCH (" + b"{0}\r\n" * 100 + b")\r\n",
    ],
)
def test_what_is_no_answer_is_a_fault(data: bytes) -> None:
    with pytest.raises(AccountFault) as fault:
        read(data)

    assert fault.value.code == "protocol_error"


def test_a_literal_over_its_bound_is_not_read() -> None:
    with pytest.raises(AccountFault) as fault:
        read(b"* 1 FETCH (BODY[] {11}\r\nhello world)\r\n", literal_bytes=10)

    assert fault.value.code == "budget_exceeded"


def test_a_large_literal_is_read_in_pieces_and_then_checked() -> None:
    size = SINGLE_PUT_BYTES + 1
    mail = b"x" * size
    wire = Wire(
        Canned(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b FLAGS ())\r\n* 2 X\r\n" % (size, mail)),
        2 * size,
    )
    answer = wire.read()
    checked: list[Answer] = []

    assert answer.stream
    answer.stream.check = checked.append
    pieces = list(answer.stream)

    assert b"".join(pieces) == mail
    assert [len(piece) for piece in pieces] == [PIECE_BYTES, size - PIECE_BYTES]
    assert [pairs(whole.values[0])[b"FLAGS"] for whole in checked] == [[]]
    assert wire.read().name == b"X"


def test_a_large_literal_nobody_wants_is_skipped() -> None:
    size = SINGLE_PUT_BYTES + 1
    wire = Wire(
        Canned(b"* 1 FETCH (BODY[] {%d}\r\n%b UID 1)\r\n* 2 X\r\n" % (size, b"x" * size)), 2 * size
    )

    assert wire.read().stream
    assert wire.read().name == b"X"


@pytest.mark.parametrize("tail", [b" FLAGS ()\r\n", b" more items)\r\n", b""])
def test_a_large_literal_ends_in_a_fault_where_its_answer_does(tail: bytes) -> None:
    size = SINGLE_PUT_BYTES + 1
    wire = Wire(
        Canned(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b%b" % (size, b"x" * size, tail)), 2 * size
    )
    answer = wire.read()
    assert answer.stream
    came: list[bytes] = []

    answer.stream.check = check_mail
    with pytest.raises(AccountFault):
        came.extend(answer.stream)

    assert sum(len(piece) for piece in came) < size


def check_mail(whole: Answer) -> None:
    assert as_fetched(whole)


def test_an_empty_line_behind_a_literal_is_skipped() -> None:
    answer = read(b"* 1 FETCH (UID 1 BODY[] {2}\r\nhi\r\n)\r\n")

    assert pairs(answer.values[0])[b"BODY[]"] == Literal(2, b"hi")


def test_commands_end_in_any_order() -> None:
    server = Canned(b"* A 1\r\nW2 NO second\r\n* B 2\r\nW1 OK first\r\n")
    wire = Wire(server)
    first, second = wire.send(b"NOOP"), wire.send(b"NOOP")

    assert [status for status, _ in (wire.finish(first), wire.finish(second))] == [b"OK", b"NO"]
    assert server.sent == [b"W1 NOOP\r\n", b"W2 NOOP\r\n"]


@pytest.mark.parametrize("command", [b"NOOP\r\nA1 LOGOUT", b"a\x00b", b"a\nb", b"\x7f"])
def test_a_command_is_one_line(command: bytes) -> None:
    server = Canned(b"")

    with pytest.raises(AccountFault):
        Wire(server).send(command)

    assert server.sent == []


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_a_fault(data: bytes) -> None:
    wire = Wire(Canned(b"* 1 FETCH (" + data), literal_bytes=1000)

    with suppress(AccountFault):
        for _ in range(50):
            as_fetched(wire.read())


@given(st.binary(min_size=1, max_size=200), st.integers(min_value=1, max_value=2**32 - 1))
def test_any_body_comes_through(body: bytes, uid: int) -> None:
    mail = as_fetched(
        read(b"* 1 FETCH (FLAGS (\\Seen) BODY[] {%d}\r\n%b UID %d)\r\n" % (len(body), body, uid))
    )

    assert mail is not None
    assert (mail.uid, mail.body, mail.flags) == (uid, body, ("\\Seen",))


@pytest.mark.parametrize(
    "line",
    [
        b"* OK more\r\n",
        b"* 7 EXPUNGE\r\n",
        b'* LIST () "/" {60000}\r\n' + b"x" * 60000 + b"\r\n",
    ],
)
def test_what_a_command_is_answered_with_is_bounded(line: bytes) -> None:
    lines = 1 + HELD_BYTES // max(len(line), ANSWER_BYTES)
    wire = Wire(Canned(line * (lines + 1) + b"W1 OK done\r\n"))

    with pytest.raises(AccountFault) as fault:
        wire.finish(wire.send(b"NOOP"))

    assert fault.value.code == "budget_exceeded"


def test_many_short_commands_are_no_flood() -> None:
    wire = Wire(Canned(b"".join(b"* OK x\r\nW%d OK done\r\n" % n for n in range(1, 70_000))))

    for _ in range(69_999):
        assert wire.finish(wire.send(b"NOOP"))[0] == b"OK"
