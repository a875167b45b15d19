"""Which errors a route can end with, read from the code: what its handler calls, and what that
raises. For the description alone; a test of the suite holds every answer it gets to it."""

import ast
import functools
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

import ablage.store
import api
from ablage.errors import AblageError, Merged
from api.error_codes import TABLE
from api.operations import Operation
from api.problems import Refused

Code = tuple[int, str]

_OURS = ("ablage.", "api.")
_COMMON = {
    "decode",
    "read",
}  # of bytes and files, too: those of ours are reached by their functions
DOOR: frozenset[Code] = frozenset(
    {
        (400, "malformed_json"),
        (401, "unauthorized"),
        (403, "insufficient_scope"),
        (403, "no_tenant"),
        (413, "body_too_large"),
        (415, "unsupported_media_type"),
        (422, "unknown_parameter"),
        (429, "too_many_requests"),
        (500, "internal"),
        (503, "unavailable"),
    }
)
WITH_KEY: frozenset[Code] = frozenset(
    {
        (409, "request_in_progress"),
        (422, "idempotency_key_reused"),
        (422, "invalid_idempotency_key"),
    }
)


def codes_of(operation: Operation, described: dict[str, Any]) -> list[Code]:
    """Sorted by status. `described` is the operation in the document."""
    found = set(DOOR | _raised(operation.handler))
    found.add((422, "invalid_request" if operation.has_body else "unknown_field"))
    if operation.method == "POST":
        found |= WITH_KEY
    parameters = described.get("parameters", [])
    if parameters:
        found.add((422, "invalid_request"))
    if any(p["in"] == "path" for p in parameters):
        found.add((422, "invalid_entity"))
    return sorted(found)


def _raised(start: Any) -> frozenset[Code]:
    """Of everything that can be reached from a function."""
    seen: set[Any] = set()
    waiting = [start]
    codes: set[Code] = set()
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        direct, more = _read(function)
        codes |= direct
        waiting += more
    return frozenset(codes)


@functools.cache
def _read(function: FunctionType) -> tuple[frozenset[Code], tuple[FunctionType, ...]]:
    """(what it raises itself, the functions of ours it names)."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    known = function.__globals__ | dict(inspect.getclosurevars(function).nonlocals)
    scope = {name: found for name, found in known.items() if name not in _locals(function.__code__)}
    codes: set[Code] = set()
    named: list[FunctionType] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            codes |= _made(node, _resolved(node.func, scope))
        if isinstance(node, ast.Name | ast.Attribute):
            found = _resolved(node, scope)
            named += _functions(found)
            if found is None and isinstance(node, ast.Attribute):
                named += _methods().get(node.attr, ())
    return frozenset(codes), tuple(named)


def _locals(code: CodeType) -> set[str]:
    """Names that hide those of the module, also in functions within."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return set(code.co_varnames).union(*(_locals(each) for each in inner))


def _resolved(node: ast.expr, scope: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return scope.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_resolved(node.value, scope), node.attr, None)
    return None


def _made(call: ast.Call, made: Any) -> set[Code]:
    """The code of an error, where it is spelt there: what is raised again was spelt elsewhere."""
    if not (isinstance(made, type) and issubclass(made, AblageError)):
        return set()
    if made is Merged:
        return {(Merged.status, "merged")}
    status, arguments = made.status, call.args
    if made is Refused:
        status, arguments = ast.literal_eval(arguments[0]), arguments[1:]
    spelt = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else None
    return {(status, row.code) for row in TABLE if status in row.statuses and row.code == spelt}


def _functions(found: Any) -> Iterator[FunctionType]:
    """Ours, whatever holds them: a table of functions, a partial, a class that is made."""
    if isinstance(found, dict):
        found = tuple(found.values())
    if isinstance(found, type):
        found = vars(found).get("__init__")
    for each in found if isinstance(found, tuple) else (found,):
        if (function := _plain(each)) is not None:
            yield function


def _plain(found: Any) -> FunctionType | None:
    """None for what is no function of ours, or has no source of its own: a lambda, or what a
    dataclass makes."""
    if isinstance(found, functools.partial):
        found = found.func
    if isinstance(found, MethodType | classmethod | staticmethod):
        found = found.__func__
    found = inspect.unwrap(found) if callable(found) else found
    is_ours = isinstance(found, FunctionType) and found.__module__.startswith(_OURS)
    has_source = is_ours and found.__name__ != "<lambda>"
    return found if has_source and not found.__code__.co_filename.startswith("<") else None


@functools.cache
def _methods() -> dict[str, tuple[FunctionType, ...]]:
    """Of all our classes, by name: of what an object is, the text tells nothing."""
    found: dict[str, list[FunctionType]] = {}
    rooms = ((ablage, "ablage."), (ablage.store, "ablage.store."), (api, "api."))
    names = [m.name for room, prefix in rooms for m in pkgutil.iter_modules(room.__path__, prefix)]
    ours = [importlib.import_module(name) for name in sorted(names) if name != __name__]
    classes = [c for m in ours for c in vars(m).values() if isinstance(c, type)]
    for known in dict.fromkeys(c for c in classes if c.__module__.startswith(_OURS)):
        for name, method in vars(known).items():
            if name.startswith("__") or name in _COMMON:
                continue
            if (function := _plain(method)) is not None:
                found.setdefault(name, []).append(function)
    return {name: tuple(methods) for name, methods in found.items()}
