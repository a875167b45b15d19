"""Every error the API answers: RFC 9457 problem details with a stable `code`."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ablage.errors import AblageError, InvalidInput, Merged

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:ablage:problem:"

Result = dict[str, Any]


class Refused(InvalidInput):
    """Turned away at the door, before any route: unknown, unauthorised, too large, unreadable."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.status = status


def problem(
    status: int, code: str, detail: str, errors: Sequence[dict[str, str]] = ()
) -> dict[str, Any]:
    """The body. `errors` are `{pointer, detail}`: RFC 6901 pointers into the request body, or the
    name of a query parameter or header."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return body | ({"errors": list(errors)} if errors else {})


def of_error(error: AblageError) -> dict[str, Any]:
    errors = [{"pointer": error.pointer, "detail": error.detail}] if error.pointer else []
    body = problem(error.status, error.code, error.detail, errors)
    return body | ({"merged_into": error.merged_into} if isinstance(error, Merged) else {})


def response(body: dict[str, Any]) -> Response[str]:
    """For the resolver."""
    return Response(body["status"], content_type=CONTENT_TYPE, body=json.dumps(body))


def refusal(error: AblageError) -> Response[str]:
    """For the resolver, with the header that some errors come with."""
    answer = response(of_error(error))
    answer.headers.update(_headers(error))
    return answer


def refused(error: AblageError) -> Result:
    """The same for API Gateway."""
    answer = result(of_error(error))
    answer["headers"] |= _headers(error)
    return answer


def _headers(error: AblageError) -> dict[str, str]:
    return {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}


def result(body: dict[str, Any]) -> Result:
    """For API Gateway, where no resolver is at hand."""
    return {
        "statusCode": body["status"],
        "headers": {"Content-Type": CONTENT_TYPE},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def of_validation(found: Sequence[Any]) -> dict[str, Any]:
    """pydantic's errors, without the values sent: they may be secrets."""
    errors = [{"pointer": _pointer(e["loc"]), "detail": _detail(e)} for e in found]
    detail = "The request does not fit; see errors for what to change."
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail, errors)


def _pointer(location: Sequence[str | int]) -> str:
    """`("body", "addresses", 1)` is `/addresses/1`; `("query", "limit")` is `limit`. `[key]` is
    pydantic's word for a bad key."""
    where, *path = (str(part) for part in location if part != "[key]")
    if where != "body":
        return ".".join(path)
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


_DETAILS = {
    "extra_forbidden": "This field is not known here; remove it.",
    "missing": "This field is required.",
}


def _detail(error: dict[str, Any]) -> str:
    return _DETAILS.get(error["type"]) or str(error["msg"])
