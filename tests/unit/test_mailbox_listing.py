"""Rows of folders as servers write them: every odd one is read for what it means, or is left out
alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.canned import Canned

from ablage.mailbox.listing import FolderStatus, Spaces, read_row, read_spaces, read_status
from ablage.mailbox.syntax import Answer, Literal
from ablage.mailbox.wire import Wire


def answer(text: bytes) -> Answer:
    return Wire(Canned(b"* %b\r\n" % text)).read()


@pytest.mark.parametrize(
    ("row", "raw", "delimiter"),
    [
        (b'() "/" INBOX', b"INBOX", b"/"),
        (b'() "/" inBox', b"INBOX", b"/"),
        (b'() "/" "a \\"b\\" \\\\ c"', b'a "b" \\ c', b"/"),
        (b'() "\\\\" "a\\\\b"', b"a\\b", b"\\"),
        (b'() "/" "R & D"', b"R & D", b"/"),
        (b'() "/" R & D', b"R & D", b"/"),
        (b'() "/" two  words ', b"two  words", b"/"),
        (b'() "/" Projekte (alt)', b"Projekte (alt)", b"/"),
        (b'() "/" " blanks "', b" blanks ", b"/"),
        (b'() "/" "a"b"', b'a"b', b"/"),
        (b'() "/" "never closed', b"never closed", b"/"),
        (b'() "/" "C:\\temp"', b"C:\\temp", b"/"),
        (b'() "/" )(', b")(", b"/"),
        (b'() "/" {5}\r\nc "d"', b'c "d"', b"/"),
        (b"() NIL {3}\r\nNIL", b"NIL", b""),
        (b"() NIL flat/name", b"flat/name", b""),
        (b'() "" flat', b"flat", b""),
        (b'() "/" NIL', b"NIL", b"/"),
        (b"() / bare", b"bare", b"/"),
        (b"() INBOX", b"INBOX", b""),
        (b"() X", b"X", b""),
        (b'"/" INBOX', b"INBOX", b"/"),
        (b"INBOX", b"INBOX", b""),
        (b'() "/" "a" ("CHILDINFO" ("SUBSCRIBED"))', b"a", b"/"),
        (b'() "/" a (("OLDNAME" ("b")))', b"a", b"/"),
        (b'() "/" "\xc3\xa4 \xe4"', b"\xc3\xa4 \xe4", b"/"),
    ],
)
def test_a_name_is_read_in_any_form(row: bytes, raw: bytes, delimiter: bytes) -> None:
    read = read_row(answer(b"LIST " + row))

    assert read is not None
    assert (read.raw, read.delimiter) == (raw, delimiter)


@pytest.mark.parametrize(
    "row", [b"", b"()", b'() "/"', b'() "/" ""', b'() "/" {0}\r\n', b'() "/" {4}\r\na\r\nb']
)
def test_a_row_without_a_name_we_could_send_is_left_out(row: bytes) -> None:
    assert read_row(answer(b"LIST " + row)) is None


@pytest.mark.parametrize("filler", [b" ", b"(", b'"', b"\\", b"a ", b" ()", b"&", b"/"])
def test_a_row_without_end_is_left_out_at_once(filler: bytes) -> None:
    endless = Answer(b"*", b"LIST", segments=[b'() "/" a' + filler * 1_000_000 + b"b\r\n"])

    assert read_row(endless) is None
    assert read_status(endless) is None


def test_attributes_are_known_in_any_case() -> None:
    read = read_row(answer(b'LIST (\\NoSelect \\hasChildren weird\x80) "/" a'))

    assert read is not None
    assert read.flags == {b"\\NOSELECT", b"\\HASCHILDREN", b"WEIRD\x80"}


@given(st.lists(st.binary(max_size=30) | st.binary(max_size=9).map(lambda b: Literal(len(b), b))))
def test_no_answer_raises(segments: list[bytes | Literal]) -> None:
    odd = Answer(b"*", b"LIST", segments=segments)

    read_row(odd)
    read_status(odd)
    read_spaces(odd)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"INBOX (UIDNEXT 5 uidvalidity 7)", b"INBOX"),
        (b'"a (b)" (UIDVALIDITY 7 UIDNEXT 5)', b"a (b)"),
        (b"two words (alt) (UIDVALIDITY 7 UIDNEXT 5 )", b"two words (alt)"),
        (b'{3}\r\na"b (UIDVALIDITY 7 UIDNEXT 5)', b'a"b'),
    ],
)
def test_status_is_read_by_name_in_any_form(text: bytes, name: bytes) -> None:
    assert read_status(answer(b"STATUS " + text)) == (name, FolderStatus(7, 5, None))


@pytest.mark.parametrize("text", [b"INBOX", b"(UIDNEXT 5", b"INBOX UIDNEXT 5)", b""])
def test_a_status_that_tells_nothing_is_none(text: bytes) -> None:
    assert read_status(answer(b"STATUS " + text)) is None


def test_numbers_beyond_any_are_not_told() -> None:
    told = read_status(answer(b"STATUS a (UIDNEXT %b MESSAGES -1 UIDVALIDITY x)" % (b"9" * 20)))

    assert told == (b"a", FolderStatus(None, None, None))


def test_namespaces_tell_whose_folders_they_are() -> None:
    spaces = read_spaces(
        answer(b'NAMESPACE (("INBOX." ".")) (("user." ".")("~" ".")) (("" ".")("#pub/" NIL))')
    )

    assert spaces == Spaces((b"INBOX.",), (b"user.", b"~", b"", b"#pub/"))
    foreign = {
        name: spaces.is_foreign(name) for name in (b"INBOX", b"INBOX.Sent", b"user", b"user.x")
    }
    assert foreign == {b"INBOX": False, b"INBOX.Sent": False, b"user": True, b"user.x": True}


@pytest.mark.parametrize("text", [b"NIL NIL NIL", b"", b"((", b'(("" "/")) NIL NIL', b"(NIL) x"])
def test_without_namespaces_all_is_the_users_own(text: bytes) -> None:
    assert not read_spaces(answer(b"NAMESPACE " + text)).is_foreign(b"user.x")


@given(st.binary(max_size=60).filter(lambda row: not row.endswith(b"}")))
def test_no_row_ends_the_session(row: bytes) -> None:
    """Whatever stands in one, the rows around it are read."""
    odd = row.replace(b"\r", b"").replace(b"\n", b"")
    lines = b'* LIST () "/" A\r\n* LIST %b\r\n* LIST () "/" B\r\nW1 OK\r\n' % odd
    wire = Wire(Canned(lines))

    status, answers = wire.finish(wire.send(b"LIST"))

    read = [row.raw for answer in answers if (row := read_row(answer))]
    assert (status, read[0], read[-1]) == (b"OK", b"A", b"B")
