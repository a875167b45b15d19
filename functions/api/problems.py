"""Every error the API answers: RFC 9457 problem details with a stable `code`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ablage.errors import AblageError, InvalidInput, Merged, PreconditionFailed
from api.error_codes import retry_after

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:ablage:problem:"

Result = dict[str, Any]


class Refused(InvalidInput):
    """Turned away at the door, before any route: unknown, unauthorised, too large, unreadable.
    `allow`: the methods the route has."""

    def __init__(
        self, status: int, code: str, detail: str, pointer: str | None = None, *, allow: str = ""
    ) -> None:
        super().__init__(code, detail, pointer)
        self.status = status
        self.allow = allow


@contextmanager
def about(pointer: str) -> Iterator[None]:
    """What is refused within concerns this field, where nothing more precise is named."""
    try:
        yield
    except AblageError as error:
        error.pointer = error.pointer or pointer
        raise


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
    return body | _more(error)


def _more(error: AblageError) -> dict[str, Any]:
    """What a client goes on with."""
    if isinstance(error, Merged):
        return {"merged_into": error.merged_into}
    return {"current_version": error.current} if isinstance(error, PreconditionFailed) else {}


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
    wait = retry_after(error.code) if error.retry_after is None else error.retry_after
    found = {} if wait is None else {"Retry-After": str(wait)}
    if isinstance(error, PreconditionFailed) and error.current:
        found["ETag"] = f'"{error.current}"'
    if isinstance(error, Refused) and error.allow:
        found["Allow"] = error.allow
    return found


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
    kinds = {e["type"] for e in found}
    code = kinds.pop() if len(kinds) == 1 and kinds <= _OWN_KINDS else "invalid_request"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, code, detail, errors)


def _pointer(location: Sequence[str | int]) -> str:
    """`("body", "addresses", 1)` is `/addresses/1`; `("query", "limit")` is `limit`. `[key]` is
    pydantic's word for a bad key."""
    where, *path = (str(part) for part in location if part != "[key]")
    if where != "body":
        return ".".join(path)
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


_OWN_KINDS = {"invalid_entity"}  # errors of our own validators, named as we name them elsewhere
_DETAILS = {
    "extra_forbidden": "This field is not known here; remove it.",
    "missing": "This field is required.",
}


def _detail(error: dict[str, Any]) -> str:
    return _DETAILS.get(error["type"]) or str(error["msg"])
