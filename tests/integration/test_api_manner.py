"""One manner everywhere: times, versions, waits, request ids, and what a refusal names."""

import json
import logging

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from pydantic import BaseModel, ValidationError
from tests.support.http_events import Client, event, send
from tests.support.webhooks import stored_webhook

from ablage.store.aws import client, will_pass
from ablage.tenancy import TenantId
from api.handler import logger
from api.routes import OPERATIONS

pytestmark = pytest.mark.usefixtures("aws")

acme, other = Client("acme"), Client("other")
ACCOUNT = {"id": "a1", "address": "a1@own.de", "host": "imap.own.de", "password": "p"}
OAUTH = {"client_id": "c", "client_secret": "s", "redirect_uris": ["https://crm.example/o"]}

# What two people edit: how it is made, how changed.
EDITED = {
    "/v1/policy": [("PUT", {"hold_fail": True}), ("PUT", {"hold_fail": False})],
    "/v1/contacts/c-1": [("PUT", {"name": "Max"}), ("PUT", {"name": "Eva"})],
    "/v1/customers/k-1": [("PUT", {"name": "Max"}), ("PUT", {"name": "Eva"})],
    "/v1/records/quote/q-1": [("PUT", {"label": "Max"}), ("PUT", {"label": "Eva"})],
    "/v1/accounts/a1": [("POST", ACCOUNT), ("PATCH", {"owner": "anna"})],
    "/v1/oauth/clients/google": [("PUT", OAUTH), ("PUT", OAUTH | {"client_id": "d"})],
    "/v1/webhooks/wh-1": [("stored", {}), ("PATCH", {"description": "x"})],
}
every_edited = pytest.mark.parametrize("path", EDITED)
NO_DELETE = ("/v1/policy",)
# Given or taken whole, by one verb, or decided by the mail itself: a version would say nothing.
UNVERSIONED = {
    "/v1/messages/{message}/private",
    "/v1/messages/{message}/filings",
    "/v1/messages/{message}/filings/{entity_type}/{entity_id}",
    "/v1/review/{message}",
    "/v1/blocklist/{entry_id}",
}


def made(path, who=acme):
    method, body = EDITED[path][0]
    if method == "stored":  # under an id of ours
        return stored_webhook(TenantId(who.tenant), "wh-1")
    return who(method, "/v1/accounts" if method == "POST" else path, body)


def changed(path, if_match, who=acme):
    method, body = EDITED[path][1]
    return who(method, path, body, headers={"if-match": if_match})


# ---- versions ------------------------------------------------------------------------------------


def test_whatever_is_changed_by_a_path_takes_if_match():
    changing = {k.path for k in OPERATIONS if k.method in ("PUT", "PATCH", "DELETE")}
    fitting = [known for known in OPERATIONS if known.path in changing - UNVERSIONED]

    assert {k.path for k in fitting if k.method != "GET" and "if-match" not in k.headers} == set()
    assert changing >= UNVERSIONED


@every_edited
def test_a_get_has_the_etag_that_a_change_takes(path):
    made(path)
    read = acme("GET", path)

    after = changed(path, read.headers["ETag"])

    assert after.status == 200, after.text
    assert after.headers["ETag"] != read.headers["ETag"]
    assert acme("GET", path).headers["ETag"] == after.headers["ETag"]


@every_edited
def test_an_old_etag_changes_nothing_and_tells_the_current_one(path):
    made(path), made(path, other)
    old = acme("GET", path).headers["ETag"]
    new = changed(path, old).headers["ETag"]
    before = acme("GET", path).text

    refused = [changed(path, old), changed(path, 'W/"999"')]
    if path not in NO_DELETE:
        refused.append(acme("DELETE", path, headers={"if-match": old}))

    for each in refused:
        assert (each.status, each.code) == (412, "version_conflict")
        assert f'"{each.json["current_version"]}"' == each.headers["ETag"] == new
        assert each.json["errors"][0]["pointer"] == "If-Match"
    assert acme("GET", path).text == before
    assert changed(path, new, other).status in (200, 412)


@every_edited
@pytest.mark.parametrize("form", ["{}", "W/{}", '"998", {}', "*", ' "997" , W/{}'])
def test_an_etag_is_taken_in_each_form_of_the_standard(path, form):
    made(path)

    assert changed(path, form.format(acme("GET", path).headers["ETag"])).status == 200


@every_edited
def test_a_deletion_minds_the_etag(path):
    if path in NO_DELETE:
        assert acme("DELETE", path).status == 405
        return
    made(path)
    tag = acme("GET", path).headers["ETag"]

    assert acme("DELETE", path, headers={"if-match": tag}).status == 204
    assert acme("GET", path).status == 404


@pytest.mark.parametrize("path", [path for path in EDITED if path.startswith(("/v1/c", "/v1/r"))])
def test_what_is_not_there_fits_no_etag_but_zero(path):
    assert changed(path, "*").status == 412
    assert changed(path, '"1"').json["current_version"] == 0
    assert changed(path, '"0"').status == 201
    assert changed(path, '"0"').status == 412


@pytest.mark.parametrize("tag", ["", "x", '"x"', '"1" "2"', '"1",', "1" * 16, '"-1"', "*, *"])
def test_an_if_match_that_is_none_of_ours_is_refused(tag):
    refused = changed("/v1/contacts/c-1", tag)

    assert (refused.status, refused.code) == (422, "invalid_etag")
    assert refused.json["errors"][0]["pointer"] == "If-Match"


def test_the_version_of_a_patch_is_named_where_it_stood():
    made("/v1/accounts/a1")

    refused = acme("PATCH", "/v1/accounts/a1", {"owner": "eva", "version": 7})

    assert (refused.status, refused.json["errors"][0]["pointer"]) == (412, "/version")


# ---- times ---------------------------------------------------------------------------------------


def subclasses(base):
    for each in base.__subclasses__():
        yield each
        yield from subclasses(each)


def time_fields():
    """(model, field) of every request body's moments."""
    return [
        (model, name)
        for model in subclasses(BaseModel)
        if model.model_config.get("extra") == "forbid" and model.__module__.startswith("a")
        for name in model.model_fields
        if "date-time" in json.dumps(model.model_json_schema()["properties"].get(name, {}))
    ]


NO_TIMES = [
    "2026-11-20T10:00:00", "2026-11-20", "20261120T100000Z", "2026-11-20 10:00:00Z", 1795489200,
    1795489200.5, "1795489200", "2026-W47-5T10:00:00Z", "2026-11-20T10:00Z", "yesterday", "",
    "2026-11-31T10:00:00Z", "2026-11-20T25:00:00Z", True, "2026-11-20T10:00:00+1",
    "\uff12026-11-20T10:00:00Z",
]  # fmt: skip


@pytest.mark.parametrize(("model", "name"), time_fields(), ids=str)
def test_a_time_in_a_body_has_a_zone_and_one_form(model, name):
    for value in NO_TIMES:
        with pytest.raises(ValidationError) as caught:
            model.model_validate({name: value})
        assert (name,) in [error["loc"] for error in caught.value.errors()], value
    for value in ("2026-11-20T10:00:00Z", "2026-11-20T11:00:00.5+01:00"):
        try:
            model.model_validate({name: value})
        except ValidationError as error:
            assert (name,) not in [found["loc"] for found in error.errors()]  # noqa: PT017


def test_bodies_have_times():
    assert len(time_fields()) >= 5


@pytest.mark.parametrize("value", [text for text in NO_TIMES if isinstance(text, str)])
def test_a_time_in_a_query_has_a_zone_and_one_form(value):
    made("/v1/accounts/a1")

    refused = acme("GET", "/v1/accounts/a1/completeness", query={"since": value})

    assert (refused.status, refused.code) == (422, "invalid_date")
    assert refused.json["errors"][0]["pointer"] == "since"


def test_times_come_back_in_utc():
    filing = {"enabled": True, "since": "2026-01-01T01:00:00+01:00"}

    shown = acme("POST", "/v1/accounts", ACCOUNT | {"automatic_filing": filing}).json

    assert shown["automatic_filing"]["since"] == "2026-01-01T00:00:00Z"


# ---- what a refusal names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("GET", "/v1/contacts/a%20b", None, "contact"),
        ("GET", "/v1/archives/Quote/7", None, "entity_type"),
        ("PUT", "/v1/policy", {"acknowledged": [{"entity_type": "X", "entity_id": "1"}]},
         "/acknowledged/0/entity_type"),
        ("POST", "/v1/accounts", ACCOUNT | {"id": "a b"}, "/id"),
        ("POST", "/v1/explain", {"headers": "From: a@b.de", "account": "nobody"}, "/account"),
        ("POST", "/v1/batches", {"kind": "backfill_account", "account": "nobody"}, "/account"),
        ("POST", "/v1/batches", {"kind": "backfill_contact", "contact": "nobody"}, "/contact"),
        ("POST", "/v1/batches", {"kind": "purge_blocked", "entry": "x.de"}, "/entry"),
        ("POST", "/v1/previews", {"kind": "filing_on", "account": "nobody"}, "/account"),
        ("POST", "/v1/contacts/c-9/merge", {"into": "a b"}, "/into"),
    ],
)  # fmt: skip
def test_a_refusal_names_what_to_change(method, path, body, pointer):
    refused = acme(method, path, body)

    assert refused.status in (404, 409, 422), refused.text
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", '"iso-8859-1"'])
def test_another_charset_is_refused(charset):
    sent = {"content-type": f"application/json; charset={charset}"}

    refused = acme("PUT", "/v1/contacts/c-1", {"name": "x"}, headers=sent)

    assert (refused.status, refused.code) == (415, "unsupported_media_type")
    assert refused.json["errors"][0]["pointer"] == "Content-Type"


@pytest.mark.parametrize("charset", ["utf-8", 'UTF-8"', "utf8; boundary=x"])
def test_utf_8_may_be_said(charset):
    sent = {"content-type": f"Application/JSON; Charset={charset}"}

    assert acme("PUT", "/v1/contacts/c-1", {"name": "x"}, headers=sent).status == 201


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "PATCH", "TRACE"])
def test_a_method_a_path_has_not_is_refused_with_those_it_has(method):
    refused = acme(method, "/v1/contacts/c-1")

    assert (refused.status, refused.code) == (405, "method_not_allowed")
    assert refused.headers["Allow"] == "DELETE, GET, PUT"


# ---- request ids, waits --------------------------------------------------------------------------


def logged(caplog):
    return [r for r in caplog.records if r.getMessage() == "request"]


@pytest.mark.parametrize(
    ("method", "path", "status", "operation"),
    [
        ("PUT", "/v1/contacts/secret-id", 201, "PUT /v1/contacts/{contact}"),
        ("GET", "/v1/contacts/secret-id", 404, "GET /v1/contacts/{contact}"),
        ("GET", "/v1/secret-route", 404, None),
    ],
)
def test_a_request_is_one_line_with_the_id_of_its_answer(caplog, method, path, status,
                                                         operation):  # fmt: skip
    with caplog.at_level(logging.INFO):
        answer = acme(method, path, {"name": "secret-name"} if method == "PUT" else None)

    (line,) = logged(caplog)
    said = json.loads(logger.registered_formatter.format(line))
    assert (answer.status, said["status"]) == (status, status)
    assert said["api_request_id"] == answer.headers["X-Request-Id"]
    assert (said.get("operation"), said.get("tenant")) == (operation, operation and "acme")
    assert said["ms"] >= 0
    assert "secret" not in json.dumps(said)


def test_a_refused_token_leaves_a_line_too(caplog):
    with caplog.at_level(logging.INFO):
        answer = send(event("GET", "/v1/me"))

    assert [line.status for line in logged(caplog)] == [answer.status] == [401]


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem"),
        EndpointConnectionError(endpoint_url="https://dynamodb"),
        TimeoutError(),
    ],
)
def test_what_will_pass_is_told_so(error):
    def fail(**_):
        raise error

    client("dynamodb").meta.events.register("before-call.dynamodb.GetItem", fail, unique_id="x")
    try:
        refused = acme("GET", "/v1/contacts/c-1")
    finally:
        client("dynamodb").meta.events.unregister("before-call.dynamodb.GetItem", unique_id="x")

    assert (refused.status, refused.code) == (503, "unavailable")
    assert refused.headers["Retry-After"] == "5"


def test_what_will_not_pass_is_a_defect():
    assert not will_pass(ClientError({"Error": {"Code": "ValidationException"}}, "GetItem"))
    assert not will_pass(ValueError())
