"""Ten thousand cursors that nobody was given, over every list: refused, or one's own page."""

import base64
import json
import random

import pytest
from tests.support.api_world import CANARY, UNSEEN, anna, api_world, stranger
from tests.support.http_events import Client

from api import cursors
from api.cursors import Grammar, InvalidCursor
from api.routes import OPERATIONS

MUTATIONS = 10_000
REQUESTS = 40  # of each list, through the whole handler
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/%~ \x00é"
LISTS = [known for known in OPERATIONS if "cursor" in known.queries]
IDS = [known.path for known in LISTS]
GRAMMARS = [each for each in vars(cursors).values() if isinstance(each, Grammar)]
reader = Client("acme", "read", subject="anna")


@pytest.fixture(scope="module")
def world():
    with api_world() as made:
        yield made


def ids(world, known):
    return dict(world.cases(known.path)[0].real)


def page(who, known, ids, **query):
    """`known` as a list: without a filter by address."""
    path = known.path.format(**ids)
    return who(known.method, path, query=query)


@pytest.fixture(scope="module")
def given(world):
    """List -> the cursor that its owner is given after one item."""
    return {
        known.path: page(anna, known, ids(world, known), limit="1").json["next"] for known in LISTS
    }


@pytest.fixture(scope="module")
def owned(world):
    """List -> all that its owner has there, as texts."""
    return {
        known.path: {
            json.dumps(item) for item in page(anna, known, ids(world, known)).json["items"]
        }
        for known in LISTS
    }


def flipped(dice, cursor, _other):
    raw = bytearray(cursor.encode())
    for _ in range(dice.randint(1, 3)):
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    return raw.decode("latin-1")


def flipped_inside(dice, cursor, _other):
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def cut(dice, cursor, _other):
    start = dice.choice([0, dice.randrange(len(cursor))])
    return cursor[start : dice.randrange(start, len(cursor))]


def spliced(dice, cursor, other):
    return cursor[: dice.randrange(len(cursor))] + other[dice.randrange(len(other)) :]


def replaced(dice, cursor, _other):
    at = dice.randrange(len(cursor))
    return cursor[:at] + dice.choice(ALPHABET) + cursor[at + 1 :]


def foreign(_dice, _cursor, other):
    return other


def grown(dice, cursor, other):
    return dice.choice([cursor + other, cursor + "=", cursor + "A", cursor * 50, " " + cursor])


WAYS = [flipped, flipped_inside, cut, spliced, replaced, foreign, grown]


def test_every_list_gives_a_cursor(given):
    """Else there is nothing to mutate: two items each, in tests/support/api_world.py."""
    assert [path for path, cursor in given.items() if cursor is None] == []


def test_ten_thousand_mutations_are_refused_or_name_a_place_in_the_same_list(given):
    dice, known = random.Random(20), list(given.values())
    refused = 0

    for number in range(MUTATIONS):
        original, other = dice.choice(known), dice.choice(known)
        mutated = WAYS[number % len(WAYS)](dice, original, other)
        for grammar in GRAMMARS:
            try:
                sort_key = grammar.decode(mutated)
            except InvalidCursor:
                refused += 1
                continue
            assert grammar.pattern.fullmatch(sort_key)
            assert grammar.encode(sort_key) == mutated

    assert MUTATIONS * (len(GRAMMARS) - 1) <= refused < MUTATIONS * len(GRAMMARS)


@pytest.mark.parametrize("known", LISTS, ids=IDS)
def test_a_mutated_cursor_is_400_or_a_page_of_ones_own(known, world, given, owned):
    dice = random.Random(known.path)
    others = list(given.values())
    answered = set()

    for number in range(REQUESTS):
        way = WAYS[number % len(WAYS)]
        mutated = way(dice, given[known.path], dice.choice(others))
        answer = page(anna, known, ids(world, known), cursor=mutated)
        answered.add(answer.status)
        if answer.status == 200:
            assert {json.dumps(item) for item in answer.json["items"]} <= owned[known.path]
        else:
            assert (answer.status, answer.code) == (400, "invalid_cursor")
            assert answer.json["errors"][0]["pointer"] == "cursor"

    assert 400 in answered


@pytest.mark.parametrize("known", LISTS, ids=IDS)
def test_another_tenants_cursor_opens_nothing_of_theirs(known, world, given):
    own = page(stranger, known, ids(world, known))

    carried = page(stranger, known, ids(world, known), cursor=given[known.path])

    assert carried.status == own.status
    assert CANARY not in carried.text
    if own.status == 200:
        assert carried.json == {"items": [], "next": None}


@pytest.mark.parametrize("known", LISTS, ids=IDS)
def test_a_cursor_carried_to_another_user_or_filter_shows_them_their_own(known, world, given):
    eve = Client("acme", "read", subject="eve")
    cursor = given[known.path]

    assert UNSEEN not in page(eve, known, ids(world, known), cursor=cursor).text
    for name in sorted(known.queries - {"cursor", "limit"}):
        answer = page(anna, known, ids(world, known), **{"cursor": cursor, name: "x"})
        assert answer.status in {200, 400, 404, 422}
