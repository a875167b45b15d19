"""Reads a request with distrust, before the resolver does."""

import base64
import re
from typing import Any

from ablage import limits
from ablage.errors import InvalidInput
from ablage.strict_json import read_json
from api.problems import Refused

_OVERHEAD = 4 / 3  # base64
_CHARSET = re.compile(r"(?:^|[;\s])charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)
_UTF8 = ("utf-8", "utf8", "us-ascii")


def check_body(
    event: dict[str, Any], limit: int = limits.REQUEST_BYTES, *, is_read: bool = True
) -> None:
    """Puts the decoded text back into the event. `limit` in bytes. Where no body `is_read`, one
    with fields is refused: what they ask for would not be done.

    Raises Refused 413 `body_too_large`, 415 `unsupported_media_type`, 400 `malformed_json`, 422
    `unknown_field`.
    """
    body = event.get("body")
    if not body:
        return
    if len(body) > limit * _OVERHEAD:
        raise _too_large(limit)
    _check_media_type(event)
    text = _text(body, encoded=bool(event.get("isBase64Encoded")))
    if len(text.encode(errors="replace")) > limit:
        raise _too_large(limit)
    fields = _fields(text)
    if fields and not is_read:
        field = next(iter(fields)).replace("~", "~0").replace("/", "~1")
        raise InvalidInput("unknown_field", "This route takes no body; remove it.", f"/{field}")
    event["body"], event["isBase64Encoded"] = text, False
    others = {n: v for n, v in (event.get("headers") or {}).items() if n.lower() != "content-type"}
    event["headers"] = others | {"content-type": "application/json"}  # the resolver minds its case


def check_query(event: dict[str, Any], known: frozenset[str]) -> None:
    """A misspelt filter that is ignored would answer another question.

    Raises InvalidInput `unknown_parameter`."""
    for name in event.get("queryStringParameters") or {}:
        if name not in known:
            takes = ", ".join(sorted(known)) or "no parameters"
            raise InvalidInput("unknown_parameter", f"This route takes {takes}.", name)


def _check_media_type(event: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    media_type, _, parameters = headers.get("content-type", "application/json").partition(";")
    charset = _CHARSET.search(parameters)
    is_utf8 = charset is None or charset[1].lower() in _UTF8
    if media_type.strip().lower() != "application/json" or not is_utf8:
        detail = "Send JSON in UTF-8: Content-Type: application/json."
        raise Refused(415, "unsupported_media_type", detail, "Content-Type")


def _text(body: str, *, encoded: bool) -> str:
    try:
        return base64.b64decode(body, validate=True).decode() if encoded else body
    except ValueError as error:  # not base64, or not UTF-8
        raise _malformed("The body is not UTF-8.") from error


def _fields(text: str) -> dict[str, Any]:
    try:
        value = read_json(text)
    except ValueError as error:
        raise _malformed("The body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise _malformed("The body must be a JSON object.")
    return value


def _malformed(detail: str) -> Refused:
    return Refused(400, "malformed_json", detail)


def _too_large(limit: int) -> Refused:
    return Refused(413, "body_too_large", f"A body has at most {limit} bytes here.")
