"""Every route with its scope: one table for the code, the OpenAPI file and the template's test."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, get_args, get_type_hints

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Header, Param, Query
from pydantic import BaseModel

from ablage.limits import REQUEST_BYTES
from api.problems import Refused

SECURITY_SCHEME = "jwt"

router = Router()  # type: ignore[no-untyped-call]  # Powertools annotates no constructor

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operation:
    """`path` as in OpenAPI: `/v1/accounts/{account}`; `queries` and `headers` are the parameters it
    takes, `has_body` whether a body, of `body_bytes`; `is_replayed` where an answer may be kept to
    be given again, without the field `shown_once`. `also`: a second scope it needs."""

    method: str
    path: str
    scope: str
    queries: frozenset[str]
    headers: frozenset[str] = frozenset()
    body_bytes: int = REQUEST_BYTES
    is_replayed: bool = True
    shown_once: str = ""
    also: str = ""
    has_body: bool = False
    handler: Callable[..., Any] | None = field(default=None, compare=False, repr=False)

    def matches(self, path: str) -> bool:
        parts, asked = self.path.split("/"), path.split("/")
        return len(parts) == len(asked) and all(
            bool(given) if part.startswith("{") else part == given
            for part, given in zip(parts, asked, strict=True)
        )


OPERATIONS: list[Operation] = []


def operation(
    method: str,
    path: str,
    scope: str,
    *,
    status: int = 200,
    body_bytes: int = REQUEST_BYTES,
    is_replayed: bool = True,
    shown_once: str = "",
    also: str = "",
    **more: Any,
) -> Callable[[Handler], Handler]:
    """Registers a route. The first line of the handler's docstring is its summary."""
    known = Operation(
        method,
        path,
        scope,
        frozenset(),
        body_bytes=body_bytes,
        is_replayed=is_replayed,
        shown_once=shown_once,
        also=also,
    )

    def register(handler: Handler) -> Handler:
        OPERATIONS.append(
            replace(
                known,
                queries=_names(handler, Query),
                headers=_names(handler, Header),
                has_body=_has_body(handler),
                handler=handler,
            )
        )
        summary, _, description = (handler.__doc__ or "").strip().partition("\n")
        router.route(
            re.sub(r"{(\w+)}", r"<\1>", path),
            method,
            summary=summary,
            description=description.strip() or None,
            operation_id=handler.__name__,
            security=[{SECURITY_SCHEME: [scope, also] if also else [scope]}],
            status_code=status,
            tags=[path.split("/")[2]],
            **more,
        )(handler)
        return handler

    return register


def _names(handler: Callable[..., Any], kind: type[Param]) -> frozenset[str]:
    hints = get_type_hints(handler, include_extras=True).items()
    return frozenset(
        known.alias or name
        for name, hint in hints
        for known in get_args(hint)[1:]
        if isinstance(known, kind)
    )


def _has_body(handler: Callable[..., Any]) -> bool:
    hints = get_type_hints(handler)
    hints.pop("return", None)
    return any(isinstance(hint, type) and issubclass(hint, BaseModel) for hint in hints.values())


def find(method: str, path: str) -> Operation:
    """Raises Refused 404 `unknown_route`, 405 `method_not_allowed`."""
    there = [known for known in OPERATIONS if known.matches(path)]
    if not there:
        raise Refused(404, "unknown_route", "There is no such route; see the API's description.")
    for known in there:
        if known.method == method:
            return known
    methods = ", ".join(sorted(known.method for known in there))
    raise Refused(405, "method_not_allowed", f"This route takes {methods}.", allow=methods)
