"""`/docs`: docs/openapi.json as one plain page, without a script and without a network."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from infra.local.gateway import Response
from infra.local.http import Page

OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.json"
Json = Mapping[str, Any]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { border-bottom: 1px solid #8885; text-transform: capitalize }
summary { cursor: pointer; padding: .2rem 0 } code, b.verb { font-family: ui-monospace, monospace }
b.verb { display: inline-block; width: 4.5rem } .scope { float: right; opacity: .7 }
table { border-collapse: collapse; width: 100%; font-size: 13px; margin: .3rem 0 1rem }
td, th { text-align: left; vertical-align: top; padding: .15rem .6rem .15rem 0 }
pre { font-size: 12px; max-height: 16rem; overflow: auto; background: #8881; padding: .4rem }
details > div { margin-left: 4.7rem } :root { color-scheme: light dark }
"""


def pages() -> dict[str, Page]:
    """Local extras of the HTTP API: no token is asked for."""
    text = OPENAPI.read_text(encoding="utf-8")
    shown = html(json.loads(text))
    to_docs = Response(302, (("location", "/docs"),), b"")
    return {
        "/": lambda: to_docs,
        "/docs": lambda: _ok("text/html; charset=utf-8", shown),
        "/openapi.json": lambda: _ok("application/json", text),
    }


def _ok(content_type: str, body: str) -> Response:
    return Response(200, (("content-type", content_type),), body.encode())


def html(api: Json) -> str:
    title = escape(f"{api['info']['title']} {api['info']['version']}")
    head = f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
    about = f"<h1>{title}</h1><p>{escape(api['info']['description'])}</p>"
    raw = "<p>The same for machines: <a href=/openapi.json>openapi.json</a></p>"
    return head + about + raw + "".join(_Rendering(api).body())


class _Rendering:
    def __init__(self, api: Json) -> None:
        self._api = api

    def body(self) -> Iterator[str]:
        by_tag: dict[str, list[str]] = {}
        for path, operations in self._api["paths"].items():
            for verb, operation in operations.items():
                shown = "".join(self._operation(path, verb, operation))
                by_tag.setdefault(operation["tags"][0], []).append(shown)
        for tag, operations in by_tag.items():
            yield f"<h2>{escape(tag)}</h2>{''.join(operations)}"
        yield "<h2>What bodies and answers hold</h2>"
        for name, schema in sorted(self._api["components"]["schemas"].items()):
            yield f"<h3 id={name}><code>{_short(name)}</code></h3>{self._fields(schema)}"

    def _operation(self, path: str, verb: str, operation: Json) -> Iterator[str]:
        scopes = ", ".join(scope for one in operation["security"] for scope in one["jwt"])
        yield f"<details><summary><span class=scope>{escape(scopes)}</span>"
        yield f"<b class=verb>{verb.upper()}</b> <code>{escape(path)}</code> "
        yield f"{escape(operation['summary'])}</summary><div>"
        yield f"<p>{escape(operation.get('description') or '')}</p>"
        yield _table(
            (f"{p['name']} ({p['in']})", self._type(p["schema"]), p.get("description", ""))
            for p in operation.get("parameters", ())
        )
        if "requestBody" in operation:
            yield f"<p>Body: {self._content(operation['requestBody'])}</p>"
            yield _example(operation["requestBody"])
        for status, answer in operation["responses"].items():
            yield self._answer(status, answer)
        yield "</div></details>"

    def _answer(self, status: str, given: Json) -> str:
        """Of a refusal the codes it may have and what to do, of the rest a whole example."""
        answer = given
        if "$ref" in given:
            answer = self._api["components"]["responses"][given["$ref"].rsplit("/", 1)[1]]
        words = escape(answer["description"])
        if status >= "4":
            return f"<p>{status}: {words}</p>"
        return f"<p>{status}: {self._content(answer) or words}</p>{_example(answer)}"

    def _content(self, given: Json) -> str:
        kinds = (kind["schema"] for kind in given.get("content", {}).values() if "schema" in kind)
        return ", ".join(self._type(schema) for schema in kinds)

    def _fields(self, schema: Json) -> str:
        required = schema.get("required", ())
        return _table(
            (
                f"{name}{' *' if name in required else ''}",
                self._type(field),
                field.get("description", ""),
            )
            for name, field in schema.get("properties", {}).items()
        )

    def _type(self, schema: Json) -> str:
        """HTML: links to what is named, words for the rest."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return f"<a href=#{name}>{_short(name)}</a>"
        if "anyOf" in schema:
            return " or ".join(self._type(one) for one in schema["anyOf"])
        if "enum" in schema:
            return escape(" | ".join(map(str, schema["enum"])))
        if schema.get("type") == "array":
            return f"list of {self._type(schema.get('items', {}))}"
        return escape(schema.get("format") or schema.get("type") or "anything")


def _example(given: Json) -> str:
    found = [kind["example"] for kind in given.get("content", {}).values() if "example" in kind]
    shown = (escape(json.dumps(each, indent=2, ensure_ascii=False)) for each in found)
    return "".join(f"<pre>{each}</pre>" for each in shown)


def _short(name: str) -> str:
    return escape(name.rsplit("__", 1)[-1].strip("_"))


def _table(rows: Iterator[tuple[str, str, str]]) -> str:
    """Names and remarks are text, types are HTML."""
    shown = [
        f"<tr><td><code>{escape(name)}</code><td>{kind}<td>{escape(remark)}"
        for name, kind, remark in rows
    ]
    return f"<table>{''.join(shown)}</table>" if shown else ""
