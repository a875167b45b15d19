"""Writes docs/openapi.json and docs/events.schema.json from the code: `python -m api.openapi`;
`--check` compares and fails."""

import argparse
import copy
import json
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer
from pydantic import BaseModel, Field

from api.allowances import class_of
from api.error_codes import BY_CODE, TABLE
from api.event_schemas import document
from api.examples import Examples
from api.idempotency import HEADER, REPLAYED
from api.operations import SECURITY_SCHEME, Operation, app
from api.problems import CONTENT_TYPE, problem
from api.raised_codes import codes_of
from api.routes import OPERATIONS
from api.sent_webhooks import event_schemas, event_sent, webhooks

DOCS = Path(__file__).resolve().parents[2] / "docs"
TITLE = "Ablage"
VERSION = "1"
DESCRIPTION = """Files the e-mails of a company's mailboxes at the contacts, customers, quotes and
invoices they belong to. Lists are `{items, next}`: pass `next` as `cursor` for the page after; a
page may be short, only `next` says whether there is more. Errors are problem details (RFC 9457)
with a stable `code`; new codes, fields and events may come, and nothing goes within v1. Times are
RFC 3339, in answers always UTC. Unknown fields and parameters are refused."""

SERVERS = [
    {
        "url": "https://{api}.execute-api.{region}.amazonaws.com",
        "description": "The stack's output ApiUrl.",
        "variables": {"api": {"default": "api"}, "region": {"default": "eu-central-1"}},
    },
    {
        "url": "http://127.0.0.1:{port}",
        "description": "make serve",
        "variables": {"port": {"default": "8080"}},
    },
]
SCOPES = """Each operation names the scope it needs: `read`, `file` (filing by hand, syncing) or
`manage` (mailboxes, contacts, policy). `mailboxes:all`, for servers, shows every mailbox's mail:
other tokens show unfiled mail of the mailboxes whose owner or viewer their `sub` is, and filed mail
as far as its mailboxes' `visibility` goes. Webhooks, which hear of everything, need `manage` and
`mailboxes:all`: where two scopes are named a token needs both.""".replace("\n", " ")
TAGS = {
    "accounts": "Connected mailboxes: settings, status, folders, their mail.",
    "archives": "What is filed at a contact, a customer, or any entity of yours.",
    "batches": "Looking back over stored mail: back-filling, purging, deciding again.",
    "blocklist": "Addresses and domains whose mail is not filed automatically.",
    "changes": "What happened, in order, to be read on from where you were.",
    "contacts": "People mail is filed at.",
    "customers": "Companies mail is filed at.",
    "explain": "What would happen to a mail, and why.",
    "exports": "An archive as a file.",
    "filings": "Filing by hand, many at once.",
    "imports": "Contacts, customers and records from a file.",
    "jobs": "Long work, and how far it is.",
    "me": "Who the token speaks for.",
    "messages": "One mail: what it says, where it is filed, and why.",
    "oauth": "Mailboxes that are connected by OAuth.",
    "policy": "What the tenant has decided about filing.",
    "previews": "What a step would do, before it is done.",
    "records": "Anything mail is filed at, contacts and customers included.",
    "review": "Mail that waits for somebody's verdict.",
    "trace": "Where a mail has been, by its Message-ID.",
    "usage": "What was used, by day.",
    "webhooks": "Where events are sent to, and how that goes.",
}

# What a route answers besides, and when.
_ALSO = {
    "201": (
        "Created",
        {
            "add_to_blocklist",
            "connect_account",
            "finish_authorization",
            "post_message",
            "put_contact",
            "put_customer",
            "put_record",
        },
    ),
    "202": (
        "Decided; listed within minutes",
        {
            "file_message",
            "keep_filings",
            "mark_message_private",
            "review_message",
            "unfile_message",
            "unmark_message_private",
        },
    ),
}
_DELETES_RECORDS = {"delete_contact", "delete_customer", "delete_record"}
_MAY_ASK_DNS = {"discover_account"}

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "Name it when you ask about this request; it is in our log.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The version, for If-Match.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "Retry-After": {
        "description": "Seconds until it may be tried again.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 2,
    },
    "RateLimit-Policy": {
        "description": "The limit of this class of routes: `q` requests in `w` seconds, for all of "
        "the tenant's together (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
        "example": '"read";q=1200;w=60',
    },
    "RateLimit": {
        "description": "`r`: requests that are left, about; `t`: seconds until all are there again."
        " Where `r` is 0 the next one may be refused with 429.",
        "schema": {"type": "string"},
        "example": '"read";r=1188;t=42',
    },
    REPLAYED: {
        "description": "true: this is the answer that was given before; nothing was done again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
RATE = ["RateLimit", "RateLimit-Policy"]  # on all answers behind the door
_IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Of your choice, up to 255 printable characters. For a day a repeat with the "
    f"same key and request gets the first answer (with {REPLAYED}: true) and does nothing; "
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
    code: str = Field(
        description="Stable. " + " ".join(f"{r.code}: {r.meaning}" for r in TABLE if r.statuses),
        examples=["not_found"],
    )
    errors: list[ProblemError] = Field([], description="The fields and parameters it is about.")
    merged_into: str | None = Field(None, description="With `merged`: the id to use.")
    current_version: int | None = Field(
        None, description="With `version_conflict` and 412: what stands there; 0: nothing."
    )


def description() -> dict[str, Any]:
    """The OpenAPI 3.1 document. Raises LookupError for what has no example, or no words."""
    made: dict[str, Any] = json.loads(
        app.get_openapi_json_schema(
            title=TITLE,
            version=VERSION,
            description=DESCRIPTION.replace("\n", " "),
            security_schemes={SECURITY_SCHEME: HTTPBearer(bearerFormat="JWT", description=SCOPES)},
        )
    )
    components = made["components"]
    schemas = components["schemas"]
    for foreign in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        schemas.pop(foreign, None)
    problem_schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem_schema.pop("$defs") | {"Problem": problem_schema} | event_schemas()
    schemas["DeliveryView"]["properties"]["event"] = event_sent()
    components["headers"] = HEADERS
    components["examples"] = _problem_examples()
    components["responses"] = {
        f"{status}_{row.code}": _refusal(status, [row.code])
        for row in TABLE
        for status in row.statuses
    }
    examples = Examples(schemas)
    for known in OPERATIONS:
        _complete(made["paths"][known.path][known.method.lower()], known, examples)
    _refuse_missing(examples.missing)
    used = sorted({path.split("/")[2] for path in made["paths"]} | {"webhooks"})
    _refuse_missing({f"TAGS[{tag!r}]" for tag in used if tag not in TAGS})
    made["tags"] = [{"name": tag, "description": TAGS[tag]} for tag in used]
    return made | {"servers": SERVERS, "webhooks": webhooks()}


def _refuse_missing(missing: set[str]) -> None:
    if missing:
        raise LookupError(
            "add to api/examples.py (TAGS: to api/openapi.py): " + ", ".join(sorted(missing))
        )


def _problem_examples() -> dict[str, Any]:
    """By `<status>_<code>`."""
    return {
        f"{status}_{row.code}": {
            "summary": row.meaning,
            "description": row.action,
            "value": problem(status, row.code, f"{row.meaning} {row.action}"),
        }
        for row in TABLE
        for status in row.statuses
    }


def _complete(operation: dict[str, Any], known: Operation, examples: Examples) -> None:
    for parameter in operation.get("parameters", ()):
        example = examples.parameter(parameter)
        if "example" not in parameter and "default" not in parameter["schema"]:
            parameter["example"] = example
    if known.method == "POST":
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = examples.body(content["schema"])
    limits = {"class": class_of(known)}
    operation["x-limits"] = limits | (
        {"body_bytes": known.body_bytes} if "requestBody" in operation else {}
    )
    good = _good(operation)
    for status, answer in good.items():
        _complete_answer(status, answer, known, examples)
    operation["responses"] = dict(sorted(good.items())) | _refusals(known, operation)


def _good(operation: dict[str, Any]) -> dict[str, Any]:
    """What is really answered, but for refusals."""
    answers = operation["responses"]
    good = {status: answers[status] for status in answers if status not in ("422", "500")}
    name = operation["operationId"]
    main = good.get("200") or good.get("204")
    for status, (words, names) in _ALSO.items():
        if name in names and main is not None:
            good[status] = main | {"description": words}
    if name in _MAY_ASK_DNS:
        good["202"] = good["200"] | {"description": "A job asks DNS"}
    if "204" in good:
        content = good["204"].pop("content", None)
        if name in _DELETES_RECORDS:
            job, stale = _parts(content)
            good["202"] = {"description": "A job takes the archive apart", "content": job}
            good["200"] = {"description": "It came too late", "content": stale}
    if "204" in good and "202" in good and name not in _DELETES_RECORDS:
        good["202"] = {"description": good["202"]["description"]}
    return copy.deepcopy(good)


def _parts(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of the answers to a deletion: each by itself."""
    choices = content["application/json"]["schema"]["anyOf"]
    return [{"application/json": {"schema": each}} for each in choices if "$ref" in each]


def _complete_answer(
    status: str, answer: dict[str, Any], known: Operation, examples: Examples
) -> None:
    names = ["X-Request-Id", *RATE]
    names += [REPLAYED] * (known.method == "POST" and known.is_replayed)
    if "description" not in answer or answer["description"] == "Successful Response":
        answer["description"] = HTTPStatus(int(status)).phrase
    for content in answer.get("content", {}).values():
        content["example"] = examples.answer(content["schema"])
        if _has_version(content["schema"], examples):
            names.append("ETag")
    answer["headers"] = _references(names)


def _has_version(schema: Mapping[str, Any], examples: Examples) -> bool:
    """What two people edit shows its version, and has it as its ETag."""
    return isinstance(examples.answer(schema).get("version"), int)


def _references(names: list[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in dict.fromkeys(names)}


def _refusals(known: Operation, operation: dict[str, Any]) -> dict[str, Any]:
    """By status, with the codes it may have here."""
    codes: dict[int, list[str]] = {}
    for status, code in codes_of(known, operation):
        codes.setdefault(status, []).append(code)
    return {str(status): _shared_or_own(status, names) for status, names in codes.items()}


def _shared_or_own(status: int, codes: list[str]) -> dict[str, Any]:
    if len(codes) == 1:
        return {"$ref": f"#/components/responses/{status}_{codes[0]}"}
    return _refusal(status, codes)


def _refusal(status: int, codes: list[str]) -> dict[str, Any]:
    rows = [BY_CODE[code] for code in codes]
    waits = status == HTTPStatus.TOO_MANY_REQUESTS or any(row.retry_after for row in rows)
    names = ["X-Request-Id"] + ["Retry-After"] * waits
    names += RATE * (status == HTTPStatus.TOO_MANY_REQUESTS)
    names += ["ETag"] * (status == HTTPStatus.PRECONDITION_FAILED)
    examples = {c: {"$ref": f"#/components/examples/{status}_{c}"} for c in codes}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    return {
        "description": " ".join(f"`{row.code}`: {row.meaning} {row.action}" for row in rows),
        "headers": _references(names),
        "content": {CONTENT_TYPE: content},
    }


def files() -> dict[Path, str]:
    """What the code says each of them holds."""
    made = {"openapi.json": description(), "events.schema.json": document()}
    return {
        DOCS / name: json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, value in made.items()
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    is_check, outdated = parser.parse_args(arguments).check, []
    for file, text in files().items():
        if not is_check:
            file.write_text(text, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != text:
            outdated.append(file.name)
    if outdated:
        sys.stderr.write(f"{', '.join(outdated)} out of date: run `python -m api.openapi`\n")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
