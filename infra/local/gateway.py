"""API Gateway's HTTP API in pure functions: request to event (payload 2.0), answer to response.

Two traps of the real one are kept: `rawPath` and path parameters arrive percent-decoded, and claims
arrive as texts.
"""

import base64
import binascii
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from infra.local.aws import ACCOUNT
from infra.local.wiring import Route

REQUEST_BYTES = 10 * 1024 * 1024  # API Gateway: payload of an HTTP API
ANSWER_BYTES = 6 * 1024 * 1024  # Lambda: answer of a synchronous call
_TEXT = ("text/", "application/json", "application/problem+json", "application/xml")

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # percent-encoded, as received
    query: str
    headers: Mapping[str, str]  # names in lower case, repeated ones joined by a comma
    cookies: tuple[str, ...]
    body: bytes
    source_ip: str


@dataclass(frozen=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def request(method: str, target: str, headers: Headers, body: bytes, source_ip: str) -> Request:
    path, _, query = target.partition("?")
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in headers:
        lower = name.lower()
        if lower == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";")]
        else:
            joined[lower] = f"{joined[lower]},{value}" if lower in joined else value
    return Request(method, path, query, joined, tuple(cookies), body, source_ip)


def event(
    asked: Request, route: Route, parameters: Mapping[str, str], claims: Mapping[str, Any]
) -> dict[str, Any]:
    """The event of payload format 2.0 for a request that passed the authorizer."""
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": unquote(asked.path),
        "rawQueryString": asked.query,
        "headers": dict(asked.headers),
        "requestContext": _context(asked, route, claims),
        "isBase64Encoded": False,
    }
    if asked.cookies:
        made["cookies"] = list(asked.cookies)
    if asked.query:
        made["queryStringParameters"] = _query(asked.query)
    if parameters:
        made["pathParameters"] = {name: unquote(value) for name, value in parameters.items()}
    if asked.body:
        made |= _body(asked)
    return made


def _context(asked: Request, route: Route, claims: Mapping[str, Any]) -> dict[str, Any]:
    now = time.time()
    return {
        "accountId": ACCOUNT,
        "apiId": "local",
        "authorizer": {
            "jwt": {
                "claims": {name: _claim(value) for name, value in claims.items()},
                "scopes": list(route.scopes),
            }
        },
        "domainName": asked.headers.get("host", "localhost"),
        "domainPrefix": "local",
        "http": {
            "method": asked.method,
            "path": unquote(asked.path),
            "protocol": "HTTP/1.1",
            "sourceIp": asked.source_ip,
            "userAgent": asked.headers.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": route.key,
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }


def _claim(value: Any) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(str, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _query(text: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(asked: Request) -> dict[str, Any]:
    if asked.headers.get("content-type", "").startswith(_TEXT):
        try:
            return {"body": asked.body.decode()}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(asked.body).decode(), "isBase64Encoded": True}


def problem(status: int, message: str, *headers: tuple[str, str]) -> Response:
    """What API Gateway itself answers; the function never hears of it."""
    body = json.dumps({"message": message}).encode()
    return Response(status, (("content-type", "application/json"), *headers), body)


def response(answer: Any) -> Response:
    """A handler's answer as HTTP; malformed or too large ones are a 500, as on AWS."""
    broken = problem(500, "Internal Server Error")
    if len(json.dumps(answer)) > ANSWER_BYTES:
        return broken
    if not isinstance(answer, dict) or "statusCode" not in answer:
        body = json.dumps(answer).encode()
        return Response(200, (("content-type", "application/json"),), body)
    headers = [(name, str(value)) for name, value in (answer.get("headers") or {}).items()]
    headers += [("set-cookie", cookie) for cookie in answer.get("cookies") or []]
    text = answer.get("body") or ""
    try:
        body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
        return Response(int(answer["statusCode"]), tuple(headers), body)
    except (AttributeError, ValueError, binascii.Error):
        return broken
