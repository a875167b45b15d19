"""Every route with its scope: one table for the code, the OpenAPI file and the template's test."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, get_args, get_type_hints

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.params import Header, Param, Query
from pydantic import BaseModel

from ablage.limits import REQUEST_BYTES

SECURITY_SCHEME = "jwt"

app = APIGatewayHttpResolver(enable_validation=True, response_validation_error_http_code=500)

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


OPERATIONS: list[Operation] = []  # of the modules of `api.routes` that are loaded


def matches(route: str, path: str) -> bool:
    parts, asked = route.split("/"), path.split("/")
    return len(parts) == len(asked) and all(
        bool(given) if part.startswith("{") else part == given
        for part, given in zip(parts, asked, strict=True)
    )


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
        app.route(
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
