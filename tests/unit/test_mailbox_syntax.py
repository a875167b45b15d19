"""Values of answers, and names of commands."""

import pytest

from ablage.errors import AccountFault
from ablage.mailbox.syntax import Atom, number, quote, string


def test_nil_is_nothing_and_quoted_nil_a_name() -> None:
    assert string(Atom(b"NIL")) is None
    assert string(b"NIL") == b"NIL"


@pytest.mark.parametrize("value", [None, [], Atom(b"NIL"), b"-1", b"1.5", b"9" * 20, b"\xb2"])
def test_what_is_no_number_is_none(value: object) -> None:
    assert number(value) is None


def test_names_are_quoted() -> None:
    assert quote(b'a "b" \\c') == b'"a \\"b\\" \\\\c"'
    with pytest.raises(AccountFault):
        quote(b"a\r\nb")
