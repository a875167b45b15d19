"""Whatever is sent, the API answers with a status of its own choosing, never with a failure."""

import random
import re
from urllib.parse import quote

import pytest
from tests.support.http_events import Client

from api.openapi import description
from api.routes import OPERATIONS

REQUESTS = 250
FITTING = {
    "address": "a@x.de", "host": "imap.x.de", "username": "anna", "password": "secret",
    "addresses": ["a@x.de"], "entry": "x.de", "automatic_filing": {"enabled": True},
}  # fmt: skip
TEXTS = [
    "", "x", "anna", "a@x.de", "@x.de", "*", "K1", "-1", "\x00", "a\nb", "é", "\U0001f600", "☃.de",
    "x" * 700, "a@[127.0.0.1]", '"a b"@x.de', "\u202e@x.de", "a@xn--zzzzzz99.de", "@" + "ü" * 60,
    "a@" + "x." * 130 + "de", "0123456789abcdef", "2026-11-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00", '"1"', "1e999", "file", "contact",
]  # fmt: skip
NUMBERS = [0, 1, -1, 993, 10**18, 10**40, 1.5, True, False, None]


def value(dice, depth=0):
    kind = dice.random()
    if kind < 0.6 or depth == 3:
        return dice.choice(TEXTS)
    if kind < 0.75:
        return dice.choice(NUMBERS)
    if kind < 0.9:
        return [value(dice, depth + 1) for _ in range(dice.randint(0, 4))]
    names = [*TEXTS, "entity_type", "entity_id", "enabled", "since"]
    return {dice.choice(names): value(dice, depth + 1) for _ in range(dice.randint(0, 3))}


def fields(described, known):
    """Of the route's request body."""
    operation = described["paths"][known.path][known.method.lower()]
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return sorted(described["components"]["schemas"][schema.rpartition("/")[2]]["properties"])


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_is_sent_makes_it_fail(seed):
    dice = random.Random(seed)
    acme, described = Client("acme"), description()
    statuses = set()

    for _ in range(REQUESTS):
        known = dice.choice(OPERATIONS)
        path = re.sub("{.*?}", lambda _: quote(dice.choice(TEXTS) or "x", safe=""), known.path)
        names = fields(described, known)
        body = names and {
            name: FITTING[name] if name in FITTING and dice.random() < 0.7 else value(dice)
            for name in names
            if dice.random() < 0.6
        }
        query = {n: dice.choice(TEXTS) for n in sorted(known.queries) if dice.random() < 0.3}
        answer = acme(known.method, path, body, query=query)

        assert answer.status < 500, (known, path, body, query, answer.text)
        if answer.status >= 400:
            assert answer.json["detail"]
            assert answer.code
        statuses.add(answer.status)
    assert {200, 404, 422} <= statuses
