"""A cursor gives back its sort key; anything else is refused."""

import base64
import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import cursors
from api.cursors import InvalidCursor

MESSAGE = "abcdefghijklmnopqrstuvwx23"
KEYS = {
    cursors.ACCOUNTS: "ACCOUNT#anna",
    cursors.ARCHIVE: f"FILED#2026-11-24T08:00:00Z#{MESSAGE}",
    cursors.BLOCKLIST: "ADDRESS#müller@x.de",
    cursors.CHILDREN: "CHILD#contact#c.1",
    cursors.RECORDS: "RECORD#crm:1",
    cursors.OVERVIEW: f"MAIL#2026-11-24T08:00:00Z#{MESSAGE}",
}


@pytest.mark.parametrize("grammar", KEYS)
def test_a_cursor_comes_back_as_its_sort_key(grammar):
    assert grammar.decode(grammar.encode(KEYS[grammar])) == KEYS[grammar]


def test_no_cursor_is_the_start_and_the_end():
    assert cursors.ARCHIVE.encode(None) is None
    assert cursors.ARCHIVE.decode(None) is None


@pytest.mark.parametrize("grammar", KEYS)
def test_a_cursor_of_another_list_is_refused(grammar):
    for other in set(KEYS) - {grammar}:
        with pytest.raises(InvalidCursor) as refused:
            grammar.decode(other.encode(KEYS[other]))
        assert (refused.value.status, refused.value.code) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "sort_key",
    [
        "",
        "STATE",
        "LEASE",
        "FILED#",
        f"FILED#2026-11-24T08:00:00Z#{MESSAGE}\n",
        f"FILED#2026-11-24T08:00:00Z#{MESSAGE}x",
        f"FILED#٢026-11-24T08:00:00Z#{MESSAGE}",
        f"FILED#9999#{MESSAGE}",
        "T#other#ENTITY#contact#c-1",
    ],
)
def test_a_sort_key_of_another_shape_is_refused(sort_key):
    cursor = base64.urlsafe_b64encode(sort_key.encode()).rstrip(b"=").decode()

    with pytest.raises(InvalidCursor):
        cursors.ARCHIVE.decode(cursor)


@pytest.mark.parametrize("cursor", ["", "=", "%%%", "a", "ä", "A" * 10_000, "RklMRUQ=", "_w"])
def test_what_is_no_base64url_of_text_is_refused(cursor):
    with pytest.raises(InvalidCursor):
        cursors.ARCHIVE.decode(cursor)


def test_ten_thousand_mutations_give_a_key_of_the_same_list_or_are_refused():
    dice = random.Random(5)
    original = cursors.ARCHIVE.encode(KEYS[cursors.ARCHIVE])
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/%"
    refused = 0

    for _ in range(10_000):
        characters = list(original)
        for _ in range(dice.randint(1, 3)):
            characters[dice.randrange(len(characters))] = dice.choice(alphabet)
        mutated = "".join(characters)[: dice.choice([None, dice.randrange(len(original))])]
        try:
            sort_key = cursors.ARCHIVE.decode(mutated)
        except InvalidCursor:
            refused += 1
        else:
            assert sort_key is not None
            assert sort_key.startswith("FILED#")
            assert cursors.ARCHIVE.encode(sort_key) == mutated
    assert refused > 5_000


@given(st.text(max_size=60))
def test_no_text_makes_it_fail_otherwise(text):
    for grammar in KEYS:
        with contextlib.suppress(InvalidCursor):
            grammar.decode(text)
