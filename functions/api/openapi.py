"""Writes docs/openapi.json from the code: `python -m api.openapi`; `--check` compares and fails."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer
from pydantic import BaseModel, Field

from api.handler import app
from api.idempotency import HEADER
from api.operations import SECURITY_SCHEME
from api.problems import CONTENT_TYPE
from api.routes import OPERATIONS

TARGET = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
TITLE = "Ablage"
VERSION = "1"
DESCRIPTION = """Files the e-mails of a company's mailboxes at the contacts, customers, quotes and
invoices they belong to. Lists are `{items, next}`: pass `next` as `cursor` for the page after; a
page may be short, only `next` says whether there is more. Errors are problem details (RFC 9457)
with a stable `code`."""

SCOPES = """Each operation names the scope it needs: `read`, `file` (filing by hand, syncing) or
`manage` (mailboxes, contacts, policy). `mailboxes:all`, for servers, shows every mailbox's mail:
other tokens show unfiled mail of the mailboxes whose owner or viewer their `sub` is, and filed mail
as far as its mailboxes' `visibility` goes.""".replace("\n", " ")

_CREATES = {
    "put_contact",
    "put_customer",
    "put_record",
    "connect_account",
    "add_to_blocklist",
    "post_message",
    "finish_authorization",
}
_MAY_TAKE_LONGER = {
    "file_message",
    "unfile_message",
    "mark_message_private",
    "unmark_message_private",
    "review_message",
}
_MAY_START_A_JOB = {"delete_contact", "delete_customer", "delete_record"}
_MAY_ASK_DNS = {"discover_account"}


_IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Of your choice, up to 255 printable characters. For a day a repeat with the "
    "same key and request gets the first answer (with Idempotent-Replayed: true) and does nothing; "
    "409 while the first is running, 422 for another request.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "9f2c1d6a-invoice-4711",
}


class ProblemError(BaseModel):
    pointer: str = Field(description="JSON pointer into the body, or the name of a parameter.")
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=["urn:ablage:problem:not_found"])
    title: str
    status: int
    detail: str = Field(description="What to change.")
    code: str = Field(description="Stable.", examples=["not_found"])
    errors: list[ProblemError] = []


def description() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    made: dict[str, Any] = json.loads(
        app.get_openapi_json_schema(
            title=TITLE,
            version=VERSION,
            description=DESCRIPTION.replace("\n", " "),
            security_schemes={SECURITY_SCHEME: HTTPBearer(bearerFormat="JWT", description=SCOPES)},
        )
    )
    schemas = made["components"]["schemas"]
    for foreign in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        schemas.pop(foreign, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    for known in OPERATIONS:
        operation = made["paths"][known.path][known.method.lower()]
        operation["responses"] = _responses(operation)
        if known.method == "POST":
            operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    return made


def _responses(operation: dict[str, Any]) -> dict[str, Any]:
    """What is really answered: our status codes, and problems for everything else."""
    good = {
        status: answer
        for status, answer in operation["responses"].items()
        if status not in ("422", "500")
    }
    if "204" in good:
        good["204"].pop("content", None)
        if operation["operationId"] in _MAY_START_A_JOB:
            good["202"] = _answer("A job does it", "JobView")
            good["200"] = _answer("Came too late: nothing was changed", "StaleView")
    if operation["operationId"] in _CREATES:
        good["201"] = good["200"] | {"description": "Created"}
    if operation["operationId"] in _MAY_ASK_DNS:
        good["202"] = good["200"] | {"description": "A job asks DNS"}
    if operation["operationId"] in _MAY_TAKE_LONGER:
        good["202"] = good["200" if "200" in good else "204"] | {"description": "Listed soon"}
    problem = _answer("Problem", "Problem", CONTENT_TYPE)
    return dict(sorted(good.items())) | {"4XX": problem, "5XX": problem}


def _answer(description: str, schema: str, media_type: str = "application/json") -> dict[str, Any]:
    content = {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def text() -> str:
    return json.dumps(description(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args(arguments).check:
        TARGET.write_text(text(), encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text():
        return 0
    sys.stderr.write("docs/openapi.json is out of date: run `python -m api.openapi`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
