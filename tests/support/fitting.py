"""Requests that fit what the OpenAPI description says: a value for each schema, by name or type."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from api.openapi import description

Schema = Mapping[str, Any]
NOTHING: dict[str, Any] = {}


@cache
def described() -> dict[str, Any]:
    return description()


def operation_of(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = described()["paths"][path][method.lower()]
    return found


def resolved(schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = described()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def body_schema(method: str, path: str) -> Schema | None:
    request = operation_of(method, path).get("requestBody")
    return resolved(request["content"]["application/json"]["schema"]) if request else None


def fitting_body(method: str, path: str, known: Mapping[str, Any] = NOTHING) -> Any:
    """What is required, and every field that `known` has a value for. None without a body."""
    schema = body_schema(method, path)
    return None if schema is None else fitting(schema, known)


def fitting(schema: Schema, known: Mapping[str, Any] = NOTHING, name: str = "") -> Any:
    schema = resolved(schema)
    if name in known and _is_text(schema):
        return known[name]
    for ready in ("examples", "enum"):
        if schema.get(ready):
            return schema[ready][0]
    if "const" in schema:
        return schema["const"]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return fitting(schema[choice][0], known, name)
    return _by_type(schema, known, name)


def _takes_text(schema: Schema) -> bool:
    """Itself, or as the elements of a list."""
    choices = schema.get("anyOf", [schema])
    return _is_text(schema) or any("items" in c and _is_text(resolved(c["items"])) for c in choices)


def _is_text(schema: Schema) -> bool:
    choices = schema.get("anyOf", [schema])
    return any(choice.get("type") == "string" and "enum" not in choice for choice in choices)


def _by_type(schema: Schema, known: Mapping[str, Any], name: str) -> Any:
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        return {
            field: fitting(inner, known, field)
            for field, inner in properties.items()
            if field in required or (field in known and _takes_text(resolved(inner)))
        }
    if kind == "array":
        return [fitting(schema["items"], known, name)] if schema.get("minItems") else []
    if kind == "integer":
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    if schema.get("format") == "date-time":
        return "2026-11-01T00:00:00Z"
    return "x" * max(1, schema.get("minLength", 1))
