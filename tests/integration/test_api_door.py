"""Who gets in, what is turned away before any route, and how every refusal looks."""

import base64
import json
import re
from pathlib import Path

import boto3
import pytest
from tests.support.http_events import Client, event, send

from ablage.settings import settings
from api.routes import OPERATIONS

acme = Client("acme")
CLAIMS = {"tenant": "acme", "scope": "read file manage", "sub": "anna"}

needs_aws = pytest.mark.usefixtures("aws")

OPERATION_IDS = [f"{known.method} {known.path}" for known in OPERATIONS]


def concrete(path):
    return path.replace("{entity_type}", "quote").replace("{", "").replace("}", "")


def test_the_caller_is_who_the_token_says():
    assert acme("GET", "/v1/me").json == {
        "tenant": "acme",
        "subject": "anna",
        "scopes": ["file", "mailboxes:all", "manage", "read"],
    }


@needs_aws
def test_every_problem_has_the_members_of_rfc_9457():
    refused = acme("GET", "/v1/contacts/nobody")

    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["X-Request-Id"]
    assert refused.json == {
        "type": "urn:ablage:problem:not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such contact.",
        "code": "not_found",
    }


@pytest.mark.parametrize("known", OPERATIONS, ids=OPERATION_IDS)
def test_no_route_answers_without_a_token(known):
    refused = send(event(known.method, concrete(known.path), "{}"))

    assert (refused.status, refused.code) == (401, "unauthorized")


@pytest.mark.parametrize("known", OPERATIONS, ids=OPERATION_IDS)
def test_every_route_wants_its_scope_before_it_reads_the_request(known):
    others = " ".join({"read", "file", "manage"} - {known.scope})

    refused = Client("acme", scopes=others)(known.method, concrete(known.path), "not json")

    assert (refused.status, refused.code) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "read", "sub": "anna"},
        {"tenant": "", "scope": "read"},
        {"tenant": "ACME", "scope": "read"},
        {"tenant": "a#b", "scope": "read"},
        {"tenant": "a" * 65, "scope": "read"},
        {"tenant": ["acme"], "scope": "read"},
        {"custom:tenant": "acme", "scope": "read"},
    ],
)
def test_a_token_without_a_usable_tenant_gets_nowhere(claims):
    refused = send(event("GET", "/v1/me", claims=claims))

    assert (refused.status, refused.code) == (403, "no_tenant")


@pytest.mark.parametrize("scope", ["", "reader", "READ", "read,manage", "xread"])
def test_only_whole_scopes_count(scope):
    assert Client("acme", scopes=scope)("GET", "/v1/me").code == "insufficient_scope"


@needs_aws
def test_the_tenant_comes_from_nowhere_but_the_token():
    acme("PUT", "/v1/contacts/c-1", {"name": "Max"})
    made = event(
        "GET",
        "/v1/contacts/c-1",
        headers={"x-tenant": "acme", "tenant": "acme"},
        claims=CLAIMS | {"tenant": "other"},
    )

    assert send(made).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "unknown_route"),
        ("GET", "/v1", 404, "unknown_route"),
        ("GET", "/v1/me/", 404, "unknown_route"),
        ("GET", "/v2/me", 404, "unknown_route"),
        ("GET", "/v1/contacts/", 404, "unknown_route"),
        ("GET", "/v1/contacts/a/b", 404, "unknown_route"),
        ("POST", "/v1/me", 405, "method_not_allowed"),
        ("DELETE", "/v1/policy", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/me", 405, "method_not_allowed"),
    ],
)
def test_an_unknown_route_is_a_problem(method, path, status, code):
    refused = acme(method, path)

    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize(
    "contact", ['a"b', "a#b", "a b", "a\nb", "ä", "a?b", "a\\b", "\x00", "<x>"]
)
def test_an_odd_path_is_refused_also_when_it_arrives_decoded(contact):
    refused = acme("GET", f"/v1/contacts/{contact}")

    assert (refused.status, refused.code) == (422, "invalid_entity")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "malformed_json"),
        ("[]", 400, "malformed_json"),
        ('"text"', 400, "malformed_json"),
        ("null", 400, "malformed_json"),
        ('{"name": NaN}', 400, "malformed_json"),
        ('{"name": Infinity}', 400, "malformed_json"),
        ('{"name": "\\ud800"}', 400, "malformed_json"),
        ('{"name": ' + "[" * 30_000 + "}", 400, "malformed_json"),
        ('{"name": ' + "1" * 5_000 + "}", 400, "malformed_json"),
        ('{"name": "' + "x" * 65_536 + '"}', 413, "body_too_large"),
        ('{"name": "' + "\u20ac" * 30_000 + '"}', 413, "body_too_large"),
        ("", 422, "invalid_request"),
        (None, 422, "invalid_request"),
    ],
)
def test_a_body_nobody_can_use_is_refused(body, status, code):
    refused = acme("PUT", "/v1/contacts/c-1", body)

    assert (refused.status, refused.code) == (status, code)
    assert "Traceback" not in refused.text


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_only_json_is_read(media_type):
    refused = acme("PUT", "/v1/contacts/c-1", "name=x", headers={"content-type": media_type})

    assert (refused.status, refused.code) == (415, "unsupported_media_type")


def test_a_misspelt_parameter_is_refused():
    refused = acme("GET", "/v1/contacts", query={"adress": "max@kunde.de"})

    assert (refused.status, refused.code) == (422, "unknown_parameter")
    assert refused.json["errors"] == [
        {"pointer": "adress", "detail": "This route takes address, cursor, limit."}
    ]


def test_a_tenant_in_the_query_is_refused():
    assert acme("GET", "/v1/me", query={"tenant": "other"}).code == "unknown_parameter"


@needs_aws
def test_a_body_in_base64_is_read_as_what_it_says():
    made = event("PUT", "/v1/contacts/c-1", claims=CLAIMS)
    made["body"] = base64.b64encode(json.dumps({"name": "Jürgen"}).encode()).decode()
    made["isBase64Encoded"] = True

    assert send(made).json["name"] == "Jürgen"


@pytest.mark.parametrize("body", ["%%%", base64.b64encode(b"\xff\xfe").decode()])
def test_a_body_in_broken_base64_is_refused(body):
    made = event("PUT", "/v1/contacts/c-1", body, claims=CLAIMS)
    made["isBase64Encoded"] = True

    assert send(made).code == "malformed_json"


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "", "1,2"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/accounts",
        "/v1/contacts",
        "/v1/customers",
        "/v1/blocklist",
        "/v1/archives/quote/A-7",
    ],
)
def test_a_limit_out_of_bounds_is_refused(path, limit):
    refused = acme("GET", path, query={"limit": limit})

    assert (refused.status, refused.code) == (422, "invalid_request")
    assert refused.json["errors"][0]["pointer"] == "limit"


@pytest.mark.parametrize("cursor", ["x", "RklMRUQ", "../..", "Q09OVEFDVCNh=", "a" * 2000])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/accounts",
        "/v1/contacts",
        "/v1/customers",
        "/v1/blocklist",
        "/v1/archives/quote/A-7",
        "/v1/accounts/anna/messages",
    ],
)
def test_a_cursor_made_up_is_refused(path, cursor):
    refused = acme("GET", path, query={"cursor": cursor})

    assert (refused.status, refused.code) == (400, "invalid_cursor")


def test_what_fails_on_our_side_says_nothing_but_the_request_id(aws, caplog):
    boto3.client("dynamodb").delete_table(TableName=aws.table.name)

    failed = acme("PUT", "/v1/contacts/c-1", {"name": "canary-name"})

    assert (failed.status, failed.code) == (500, "internal")
    assert failed.headers["X-Request-Id"] in failed.text
    assert "ResourceNotFound" not in failed.text
    logged = [record.__dict__ for record in caplog.records]
    assert logged[-2]["error"] == "ResourceNotFoundException"
    assert "canary" not in str(logged)


def test_the_item_of_the_handbook_makes_a_client_speak_for_its_tenant(aws):
    handbook = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    (item,) = re.findall(r"dynamodb put-item .*?--item '(\{.*?\})'", handbook, re.DOTALL)
    boto3.client("dynamodb").put_item(TableName=settings().table_name, Item=json.loads(item))
    claims = {"client_id": "3k2f9example", "sub": "3k2f9example", "scope": "read"}

    known = send(event("GET", "/v1/me", claims=claims))
    unknown = send(event("GET", "/v1/me", claims=claims | {"client_id": "x"}))

    assert (known.json["tenant"], known.json["subject"]) == ("acme", "3k2f9example")
    assert (unknown.status, unknown.code) == (403, "no_tenant")
