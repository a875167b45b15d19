"""The local gateway: what API Gateway does before and after the function."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from infra.local import gateway
from infra.local.http import Gateway, HttpServer
from infra.local.runtime import Runtime
from infra.local.tokens import AUDIENCE, ISSUER, Tokens
from infra.local.wiring import Api, Function, Route

ROUTES = (
    Route("GET", "/v1/contacts/{contact}", "Api", ("read",)),
    Route("PUT", "/v1/contacts/{contact}", "Api", ("manage",)),
    Route("GET", "/v1/contacts/count", "Api", ("read",)),
)
BROKEN = "broken"


def echo(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if event.get("pathParameters") == {"contact": BROKEN}:
        raise RuntimeError("secret reason")
    return {"statusCode": 200, "headers": {"x-seen": "1"}, "body": json.dumps(event)}


class Caller:
    def __init__(self, server: HttpServer) -> None:
        self._server = server

    def __call__(
        self,
        method: str,
        path: str,
        token: str | None = None,
        body: bytes | None = None,
        **headers: str,
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, JSON body, headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=60)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else {}, told


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def call(tokens: Tokens) -> Iterator[Caller]:
    functions = {"Api": Function("Api", "api.handler", 29, 512, {})}
    runtime = Runtime(functions, code=Path(), handlers={"Api": echo})
    pages = {"/docs": lambda: gateway.Response(200, (), b'{"docs": true}')}
    api = Api(ISSUER, (AUDIENCE,), ROUTES)
    server = HttpServer(Gateway(api, tokens, runtime, pages))
    yield Caller(server)
    server.stop()


def test_a_request_reaches_the_function_as_payload_2(call: Caller, tokens: Tokens) -> None:
    token = tokens.mint("acme", ["manage"], subject="anna")

    status, event, headers = call(
        "PUT",
        "/v1/contacts/crm%3A7?a=1&a=2&b=x%20y",
        token,
        b'{"name": "Anna"}',
        **{"Content-Type": "application/json", "Cookie": "k=v; l=w", "X-Test": "t"},
    )

    assert (status, headers["x-seen"]) == (200, "1")
    assert event["version"] == "2.0"
    assert event["routeKey"] == "PUT /v1/contacts/{contact}"
    assert event["rawPath"] == "/v1/contacts/crm:7"
    assert event["pathParameters"] == {"contact": "crm:7"}
    assert event["rawQueryString"] == "a=1&a=2&b=x%20y"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y"}
    assert event["cookies"] == ["k=v", "l=w"]
    assert event["headers"]["x-test"] == "t"
    assert (event["body"], event["isBase64Encoded"]) == ('{"name": "Anna"}', False)
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    assert (claims["tenant"], claims["sub"]) == ("acme", "anna")
    assert {type(claim) for claim in claims.values()} == {str}


def test_a_body_that_is_no_text_arrives_as_base64(call: Caller, tokens: Tokens) -> None:
    _, event, _ = call("PUT", "/v1/contacts/7", tokens.mint("acme"), b"\x00\xff")

    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)


def test_fixed_segments_go_before_placeholders(call: Caller, tokens: Tokens) -> None:
    _, event, _ = call("GET", "/v1/contacts/count", tokens.mint("acme"))

    assert event["routeKey"] == "GET /v1/contacts/count"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda tokens: None, id="none"),
        pytest.param(lambda tokens: "not.a.token", id="garbage"),
        pytest.param(lambda tokens: tokens.mint("acme", lifetime=-10), id="expired"),
        pytest.param(lambda tokens: Tokens().mint("acme"), id="foreign key"),
        pytest.param(lambda tokens: tokens.mint("acme", iss="https://else"), id="foreign issuer"),
        pytest.param(lambda tokens: tokens.mint("acme", aud="else"), id="foreign audience"),
        pytest.param(lambda tokens: tokens.mint("acme", nbf=4_000_000_000), id="not yet valid"),
    ],
)
def test_without_a_valid_token_it_is_401(call: Caller, tokens: Tokens, make: Any) -> None:
    status, body, headers = call("GET", "/v1/contacts/7", make(tokens))

    assert (status, body) == (401, {"message": "Unauthorized"})
    assert headers["www-authenticate"] == "Bearer"


def test_an_unsigned_token_is_401(call: Caller) -> None:
    unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5sb2NhbGhvc3QifQ."

    assert call("GET", "/v1/contacts/7", unsigned)[0] == 401


def test_client_id_stands_in_for_a_missing_audience(call: Caller, tokens: Tokens) -> None:
    ours = tokens.mint("acme", aud=None, client_id=AUDIENCE)
    foreign = tokens.mint("acme", aud=None, client_id="else")

    assert call("GET", "/v1/contacts/7", ours)[0] == 200
    assert call("GET", "/v1/contacts/7", foreign)[0] == 401


def test_without_the_routes_scope_it_is_403(call: Caller, tokens: Tokens) -> None:
    status, body, headers = call("PUT", "/v1/contacts/7", tokens.mint("acme", ["read", "file"]))

    assert (status, body) == (403, {"message": "Forbidden"})
    assert 'scope="manage"' in headers["www-authenticate"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/unknown"),
        ("GET", "/v1/contacts/7/"),
        ("GET", "/v1/contacts/7/8"),
        ("DELETE", "/v1/contacts/7"),
        ("OPTIONS", "/v1/contacts/7"),
    ],
)
def test_an_unknown_route_is_404_even_without_a_token(call: Caller, method: str, path: str) -> None:
    assert call(method, path)[:2] == (404, {"message": "Not Found"})


def test_a_body_over_ten_megabytes_is_413(call: Caller, tokens: Tokens) -> None:
    body = b"x" * (gateway.REQUEST_BYTES + 1)

    status, told, _ = call("PUT", "/v1/contacts/7", tokens.mint("acme"), body)

    assert (status, told) == (413, {"message": "Request Entity Too Large"})


def test_a_function_that_raises_is_a_500_that_tells_nothing(call: Caller, tokens: Tokens) -> None:
    status, body, _ = call("GET", f"/v1/contacts/{BROKEN}", tokens.mint("acme"))

    assert (status, body) == (500, {"message": "Internal Server Error"})


def test_an_answer_lambda_would_refuse_is_a_500() -> None:
    too_large = {"statusCode": 200, "body": "x" * gateway.ANSWER_BYTES}
    malformed = {"statusCode": 200, "body": {"not": "text"}}

    assert gateway.response(too_large).status == 500
    assert gateway.response(malformed).status == 500


def test_a_binary_answer_is_decoded_and_its_cookies_set() -> None:
    answer = {"statusCode": 200, "body": "AP8=", "isBase64Encoded": True, "cookies": ["a=b"]}

    made = gateway.response(answer)

    assert made.body == b"\x00\xff"
    assert ("set-cookie", "a=b") in made.headers


def test_local_pages_need_no_token(call: Caller) -> None:
    assert call("GET", "/docs")[:2] == (200, {"docs": True})


def test_the_server_listens_on_loopback_alone(call: Caller) -> None:
    assert call._server._server.server_address[0] == "127.0.0.1"
