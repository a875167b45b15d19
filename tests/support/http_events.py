"""Events as API Gateway's HTTP API sends them (payload 2.0), through the handler and back."""

import json
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

ALL_SCOPES = "read file manage mailboxes:all"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        assert self.headers["Content-Type"] == "application/problem+json", self.text
        return self.json["code"]


@dataclass(frozen=True)
class Context:
    """What the handler reads of Lambda's context."""

    remaining_ms: int = 29_000

    function_name = "api"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:api"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def event(
    method: str,
    path: str,
    body: str | None = None,
    *,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    claims: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """`path` as the client sent it; `claims` None is a request without a token."""
    context: dict[str, Any] = {
        "accountId": "123456789012",
        "apiId": "api",
        "domainName": "api.execute-api.eu-central-1.amazonaws.com",
        "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        "requestId": str(uuid.uuid4()),
        "routeKey": "$default",
        "stage": "$default",
        "time": "24/Nov/2026:03:00:00 +0000",
        "timeEpoch": 1795489200000,
    }
    if claims is not None:
        context["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}, quote_via=quote),
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if query:
        made["queryStringParameters"] = query
    if body is not None:
        made["body"] = body
    return made


@dataclass(frozen=True)
class Client:
    """Speaks to `api.handler` as one tenant."""

    tenant: str = "acme"
    scopes: str = ALL_SCOPES
    subject: str = "anna"
    remaining_ms: int = 29_000

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        claims = {"tenant": self.tenant, "scope": self.scopes, "sub": self.subject}
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        made = event(method, path, text, query=query, headers=headers, claims=claims)
        return send(made, Context(self.remaining_ms))


def send(made: dict[str, Any], context: Context | None = None) -> Answer:
    from tests.support.described import hold_to_description  # noqa: PLC0415  likewise

    from api.handler import lambda_handler  # noqa: PLC0415  after the environment is set

    method, path = made["requestContext"]["http"]["method"], made["rawPath"]
    result = lambda_handler(made, context or Context())  # type: ignore[arg-type]  a stand-in for Lambda's
    text = result.get("body") or ""
    hold_to_description(method, path, result["statusCode"], result["headers"], text)
    return Answer(result["statusCode"], result["headers"], result.get("body") or "")


def shown_entity(
    kind: str, entity_id: str, label: str | None = None, url: str | None = None
) -> dict[str, str | None]:
    """An entity as filings and rows show it."""
    return {"entity_type": kind, "entity_id": entity_id, "label": label, "url": url}
