"""What docs/openapi.json says of an answer: every one a test gets is held to it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from api.operations import matches
from api.routes import OPERATIONS

REPEATED = ("busy", "request_in_progress")  # the same request may succeed shortly
FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


@cache
def _described() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def hold_to_description(
    method: str, path: str, status: int, headers: dict[str, str], text: str
) -> None:
    """Status, code and headers of a route's answer. What no route is for is not described."""
    known = next((k for k in OPERATIONS if k.method == method and matches(k.path, path)), None)
    if known is None:
        return
    asked = f"{method} {known.path}"
    answers = _described()["paths"][known.path][method.lower()]["responses"]
    assert str(status) in answers, f"{asked} answers {status}, which is not described: {text[:300]}"
    if status >= 400:
        code = json.loads(text)["code"]
        assert code in _codes(answers[str(status)]), f"{asked} answers {status} {code}: undescribed"
        waits = status in (429, 503) or code in REPEATED
        assert waits == ("Retry-After" in headers), f"{asked} answers {code}: its Retry-After"
    else:
        has_tag = "ETag" in answers[str(status)].get("headers", {})
        assert has_tag == ("etag" in {name.lower() for name in headers}), f"{asked}: its ETag"
    if status < 400 or status == 429:
        assert {"RateLimit", "RateLimit-Policy"} <= set(headers), f"{asked}: its rate"


def _codes(answer: dict[str, Any]) -> set[str]:
    if "$ref" in answer:
        return {answer["$ref"].rpartition("/")[2][4:]}
    return set(answer["content"]["application/problem+json"]["examples"])
