"""Every event a test hears is held to docs/events.schema.json, and tells nothing it has not."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

FILE = Path(__file__).resolve().parents[2] / "docs" / "events.schema.json"


@cache
def _strict() -> jsonschema.Draft202012Validator:
    schema: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    for known in schema["$defs"].values():
        known["additionalProperties"] = False
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def hold_to_schema(event: dict[str, Any]) -> None:
    """`event` as `ablage.events.as_json` makes it."""
    _strict().validate(event)
