"""Every route, asked by everybody who must not: with each kind of bad token through the gateway's
check, and with a tenant's real ids by a stranger and by a colleague who sees none of its mailboxes.
"""

import base64
import copy
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from infra.local.tokens import AUDIENCE, ISSUER, SCOPES, Tokens
from tests.support.api_world import (
    CANARY,
    OWNER,
    UNSEEN,
    anna,
    api_world,
    asked,
    colleague,
    empty_queues,
    parameters,
    queued,
    stranger,
    unchanged_afterwards,
)
from tests.support.door import Door

from api.routes import OPERATIONS

IDS = [f"{known.method} {known.path}" for known in OPERATIONS]
every_route = pytest.mark.parametrize("known", OPERATIONS, ids=IDS)

# Under ids of one's own anything may be put or looked for; what is there is one's own, too.
OWN_NAMES = {
    ("PUT", "/v1/contacts/{contact}"),
    ("PUT", "/v1/customers/{customer}"),
    ("PUT", "/v1/oauth/clients/{provider}"),
    ("GET", "/v1/customers/{customer}/contacts"),
    ("GET", "/v1/records/{entity_type}"),
    ("PUT", "/v1/records/{entity_type}/{entity_id}"),
    ("GET", "/v1/archives/{entity_type}/{entity_id}"),
    ("GET", "/v1/archives/{entity_type}/{entity_id}/count"),
}


# ---- tokens --------------------------------------------------------------------------------------

FOREIGN_KEYS = Tokens()


def encoded(part):
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def unsigned(keys, _scope):
    return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims_of(keys.mint(OWNER)))}."


def signed_with_the_public_key(keys, _scope):
    public = keys._key.public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims_of(keys.mint(OWNER)))}"
    return f"{signed}.{encoded(hmac.new(pem, signed.encode(), hashlib.sha256).digest())}"


def with_other_signature(keys, _scope):
    head, payload, signature = keys.mint(OWNER).split(".")
    return f"{head}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def with_other_claims(keys, _scope):
    head, payload, signature = keys.mint("other").split(".")
    return f"{head}.{encoded(claims_of(f'.{payload}.') | {'tenant': OWNER})}.{signature}"


BAD_TOKENS = {
    "anonymous": (401, lambda _, __: ""),
    "no token": (401, lambda _, __: "x.y.z"),
    "expired": (401, lambda keys, _: keys.mint(OWNER, lifetime=-60)),
    "without an end": (401, lambda keys, _: keys.mint(OWNER, exp=None)),
    "not yet": (401, lambda keys, _: keys.mint(OWNER, nbf=4_000_000_000)),
    "wrong audience": (401, lambda keys, _: keys.mint(OWNER, aud=f"{AUDIENCE}x")),
    "no audience": (401, lambda keys, _: keys.mint(OWNER, aud=None)),
    "wrong issuer": (401, lambda keys, _: keys.mint(OWNER, iss=f"{ISSUER}/x")),
    "alg none": (401, unsigned),
    "HS256 with the public key": (401, signed_with_the_public_key),
    "another's key": (401, lambda _, __: FOREIGN_KEYS.mint(OWNER)),
    "tampered signature": (401, with_other_signature),
    "tampered claims": (401, with_other_claims),
    "other scopes": (403, lambda keys, scope: keys.mint(OWNER, {*SCOPES} - {scope})),
    "no scope": (403, lambda keys, _: keys.mint(OWNER, ())),
    "no tenant": (403, lambda keys, _: keys.mint(None)),
}


@pytest.fixture(scope="module")
def door():
    return Door()


@every_route
def test_no_bad_token_gets_anywhere(known, door, world):
    case = world.cases(known.path)[0]

    for kind, (status, make) in BAD_TOKENS.items():
        token = make(door.tokens, known.scope)
        real = door(known.method, known.path.format(**case.real), token)
        ghost = door(known.method, known.path.format(**case.ghost), token)

        assert (real.status, ghost.status) == (status, status), kind
        assert real.body == ghost.body, kind
    assert [event for event in door.reached if "tenant" in claims_reached(event)] == []


def claims_reached(event):
    return event["requestContext"]["authorizer"]["jwt"]["claims"]


@pytest.mark.usefixtures("world")
def test_a_good_token_passes_the_same_door(door):
    (known,) = [known for known in OPERATIONS if known.path == "/v1/me"]

    assert door(known.method, known.path, door.tokens.mint(OWNER)).status == 200
    door.reached.clear()


# ---- objects -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    with api_world() as made:
        yield made


@pytest.fixture(scope="module")
def before(world):
    return copy.deepcopy(world.owners_state())


def test_something_real_stands_for_every_path_parameter(world):
    needed = {name for known in OPERATIONS for name in parameters(known.path)}

    assert needed <= set(world.things), "make these in tests/support/api_world.py"


def of_owner(known, case):
    with unchanged_afterwards():
        return asked(anna, known, case.real)


@every_route
def test_the_things_that_strangers_are_refused_are_there(known, world):
    """For their owner; else the refusals would show nothing."""
    statuses = {of_owner(known, case).status for case in world.cases(known.path)}

    assert min(statuses) < 300 or (not parameters(known.path) and 404 not in statuses)


@every_route
def test_a_stranger_learns_nothing_of_real_things_and_changes_none(known, world, before):
    empty_queues()
    for case in world.cases(known.path):
        with unchanged_afterwards():
            ghost = asked(stranger, known, case.ghost)
        with unchanged_afterwards():
            real = asked(stranger, known, case.real)
            assert world.owners_state() == before

        assert real.status == ghost.status
        assert CANARY not in f"{real.text}{real.headers}"
        if parameters(known.path) and (known.method, known.path) not in OWN_NAMES:
            assert real.status in {401, 403, 404}
        if real.status >= 400:
            assert real.text == ghost.text
            assert told(real) == told(ghost)
    assert f'"{OWNER}"' not in queued()


@every_route
def test_a_colleague_learns_nothing_of_mail_that_is_not_for_them(known, world, before):
    for case in world.cases(known.path):
        with unchanged_afterwards():
            real = asked(colleague, known, case.real)
            unchanged = world.owners_state() == before
        with unchanged_afterwards():
            ghost = asked(colleague, known, case.ghost)

        assert UNSEEN not in f"{real.text}{real.headers}"
        if "message" in parameters(known.path) and case.real["message"] in world.private:
            assert real.status == 404
            assert real.text == ghost.text
            assert told(real) == told(ghost)
            assert unchanged


def told(answer):
    each_its_own = ("X-Request-Id", "RateLimit")
    return {name: value for name, value in answer.headers.items() if name not in each_its_own}


def test_the_matrix_has_five_hundred_cases(world):
    objects = sum(len(world.cases(known.path)) for known in OPERATIONS)

    assert len(OPERATIONS) * len(BAD_TOKENS) + 2 * objects >= 500


def test_a_colleague_of_no_mailbox_still_sees_what_is_filed(world):
    """Else the case above would show nothing."""
    answer = colleague("GET", f"/v1/messages/{world.things['message'][0][0]}")

    assert CANARY in answer.text


def test_only_own_names_are_excepted():
    assert {(known.method, known.path) for known in OPERATIONS} >= OWN_NAMES
