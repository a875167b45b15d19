"""Fields nobody may set, fields nobody told of, and inputs that are too large, over every route."""

import ast
import copy
from pathlib import Path

import pytest
from tests.support.api_world import OWNER, anna, api_world, asked, everything, unchanged_afterwards
from tests.support.fitting import body_schema, described, fitting_body, operation_of, resolved

from api.routes import OPERATIONS

FUNCTIONS = Path(__file__).parents[2] / "functions"
IDS = [f"{known.method} {known.path}" for known in OPERATIONS]
every_route = pytest.mark.parametrize("known", OPERATIONS, ids=IDS)
WRITES = [known for known in OPERATIONS if known.method != "GET"]
FORBIDDEN = ("tenant", "scopes", "created_by", "__proto__", "pk")


@pytest.fixture(scope="module")
def world():
    with api_world() as made:
        yield made


def written():
    return copy.deepcopy(everything(f"T#{OWNER}#"))


@pytest.mark.parametrize("known", WRITES, ids=[f"{k.method} {k.path}" for k in WRITES])
def test_no_write_takes_a_field_it_does_not_name(known, world):
    ids = world.cases(known.path)[0].real
    path = known.path.format(**ids)
    body, before = fitting_body(known.method, known.path, ids) or {}, written()

    for field in FORBIDDEN:
        refused = anna(known.method, path, body | {field: "x"})

        assert refused.status == 422, (field, refused.text)
        assert f"/{field}" in [error["pointer"] for error in refused.json["errors"]]
    assert written() == before


@every_route
def test_the_door_knows_which_routes_read_a_body(known):
    assert known.has_body == ("requestBody" in operation_of(known.method, known.path))


def bodies(schema, seen):
    """Every object schema within a request body."""
    schema = resolved(schema)
    if id(schema) in seen:
        return
    seen.add(id(schema))
    if "properties" in schema:
        yield schema
    parts = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    parts += [*schema.get("oneOf", ()), *([schema["items"]] if "items" in schema else ())]
    for part in parts:
        yield from bodies(part, seen)


@every_route
def test_objects_within_a_body_refuse_unknown_fields_too(known):
    schema = body_schema(known.method, known.path)

    for found in bodies(schema, set()) if schema else ():
        assert found["additionalProperties"] is False, found["title"]


def misfits(value, schema, where=""):
    """Places where an answer has a key its schema lacks, or lacks one that it must have."""
    schema = resolved(schema)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        found = [misfits(value, choice, where) for choice in choices if fits(value, choice)]
        return min(found, key=len, default=[where])
    if isinstance(value, list):
        return [m for one in value for m in misfits(one, schema["items"], f"{where}/")]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    odd = [f"{where}/{name}" for name in {*value} - {*known}]
    odd += [f"{where}/{name}" for name in {*schema.get("required", ())} - {*value}]
    shared = known.keys() & value.keys()
    return odd + [
        m for name in shared for m in misfits(value[name], known[name], f"{where}/{name}")
    ]


def fits(value, schema):
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    expected = resolved(schema).get("type", "object")
    return kinds.get(type(value), expected) == expected


@every_route
def test_an_answer_has_the_keys_of_its_schema_and_no_other(known, world):
    responses = operation_of(known.method, known.path)["responses"]
    for case in world.cases(known.path):
        with unchanged_afterwards():
            answer = asked(anna, known, case.real)
        if answer.status < 300 and answer.text:
            content = responses[str(answer.status)]["content"]
            (media_type,) = content
            schema = content[media_type]["schema"]
            assert misfits(answer.json, schema) == []


def test_a_key_too_many_or_too_few_is_a_misfit():
    schema = described()["paths"]["/v1/me"]["get"]["responses"]["200"]["content"]
    me = {"tenant": "a", "subject": "b", "scopes": []}

    assert misfits(me, schema["application/json"]["schema"]) == []
    assert misfits(me | {"password": "x"}, schema["application/json"]["schema"]) == ["/password"]
    assert misfits({"tenant": "a"}, schema["application/json"]["schema"]) != []


# ---- too large -----------------------------------------------------------------------------------

LONG, MANY = "x" * 2000, [f"a{number}@x.de" for number in range(51)]
CONTACT, ACCOUNT = "/v1/contacts/c-z", {"address": "z@x.de", "host": "imap.x.de", "password": "x"}
OVERSIZE = {
    "a body": ("PUT", CONTACT, {"name": "x" * 70_000}, {}),
    "a body of blanks": ("PUT", CONTACT, "{" + " " * 70_000 + "}", {}),
    "a body to explain": ("POST", "/v1/explain", {"headers": "x" * 2_200_000}, {}),
    "a deep body": ("PUT", CONTACT, '{"name":' + "[" * 30_000, {}),
    "a number": ("PUT", CONTACT, '{"archived": ' + "9" * 5000 + "}", {}),
    "a name": ("PUT", CONTACT, {"name": LONG}, {}),
    "a customer's name": ("PUT", "/v1/customers/k-z", {"name": LONG}, {}),
    "an address": ("PUT", CONTACT, {"addresses": [f"{LONG}@x.de"]}, {}),
    "addresses": ("PUT", CONTACT, {"addresses": MANY}, {}),
    "customers": ("PUT", CONTACT, {"customers": [f"k-{n}" for n in range(51)]}, {}),
    "a note": ("POST", "/v1/blocklist", {"entry": "x.de", "note": LONG}, {}),
    "an entry": ("POST", "/v1/blocklist", {"entry": f"{LONG}.de"}, {}),
    "an account's id": ("POST", "/v1/accounts", ACCOUNT | {"id": LONG}, {}),
    "an account's address": ("POST", "/v1/accounts", ACCOUNT | {"address": f"{LONG}@x.de"}, {}),
    "a host": ("POST", "/v1/accounts", ACCOUNT | {"host": LONG}, {}),
    "a port": ("POST", "/v1/accounts", ACCOUNT | {"port": 10**9}, {}),
    "a password": ("POST", "/v1/accounts", ACCOUNT | {"password": LONG * 30}, {}),
    "viewers": ("POST", "/v1/accounts", ACCOUNT | {"viewers": MANY}, {}),
    "an owner": ("POST", "/v1/accounts", ACCOUNT | {"owner": LONG}, {}),
    "aliases": ("POST", "/v1/accounts", ACCOUNT | {"aliases": MANY}, {}),
    "folders": ("POST", "/v1/accounts/anna-a/sync", {"folders": ["0" * 16] * 1001}, {}),
    "days": ("POST", "/v1/previews", {"kind": "filing_on", "account": "anna-a", "days": 10**9}, {}),
    "own domains": ("PUT", "/v1/policy", {"own_domains": [f"x{n}.de" for n in range(500)]}, {}),
    "an id": ("GET", f"/v1/contacts/{LONG}", None, {}),
    "a type": ("GET", f"/v1/archives/{'x' * 33}/q-a", None, {}),
    "a page": ("GET", "/v1/contacts", None, {"limit": "101"}),
    "a page by far": ("GET", "/v1/accounts/anna-a/messages", None, {"limit": "9" * 400}),
    "a cursor": ("GET", "/v1/contacts", None, {"cursor": "A" * 5000}),
    "a Message-ID": ("GET", "/v1/trace", None, {"message_id": LONG}),
    "a sender": ("GET", "/v1/trace", None, {"message_id": "x", "from": LONG}),
    "a date": ("GET", "/v1/trace", None, {"message_id": "x", "date": LONG}),
    "a span": ("GET", "/v1/usage", None, {"since": "0001-01-01"}),
}


@pytest.mark.parametrize("what", OVERSIZE)
def test_what_is_too_large_is_refused_and_writes_nothing(what, world):
    method, path, body, query = OVERSIZE[what]
    before = written()

    refused = anna(method, path, body, query=query)

    assert 400 <= refused.status < 500, refused.text
    assert refused.json["detail"]
    assert len(refused.text) < 10_000  # what was sent does not come back
    assert written() == before


def test_there_are_twenty_five_of_them():
    assert len(OVERSIZE) >= 25


def test_no_code_scans_the_table():
    named = [
        f"{path.relative_to(FUNCTIONS)}:{node.lineno}"
        for path in FUNCTIONS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if is_scan(node)
    ]

    assert named == []


def is_scan(node):
    if isinstance(node, ast.Attribute):
        return node.attr in {"scan", "parallel_scan", "execute_statement"}
    return isinstance(node, ast.Constant) and node.value in {"scan", "Scan", "execute_statement"}


def test_a_scan_would_be_seen():
    for code in ("client.scan()", "client.get_paginator('scan')"):
        assert any(is_scan(node) for node in ast.walk(ast.parse(code)))
