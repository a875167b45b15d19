"""API Gateway's check and the handler behind it, in process: the template's routes, no stack."""

from collections.abc import Iterable, Iterator
from typing import Any

from infra.local import gateway
from infra.local.http import Gateway
from infra.local.intrinsics import Resolver
from infra.local.resources import Properties
from infra.local.runtime import Runtime
from infra.local.tokens import Tokens
from infra.local.translate import TEMPLATE, translate
from infra.local.wiring import Function, api


class Door:
    """`tokens` makes what it takes; `reached` are the events that passed its check."""

    def __init__(self) -> None:
        template = translate(TEMPLATE)
        self.tokens = Tokens()
        self.reached: list[dict[str, Any]] = []
        audience = {"JwtIssuer": self.tokens.issuer, "JwtAudience": self.tokens.audience}
        given = Properties("HttpApi", template["Resources"]["HttpApi"]["Properties"])
        routes = api(given, Resolver(template, audience))
        (name,) = {route.function for route in routes.routes}
        functions = {name: Function(name, "api.handler.lambda_handler", 29, 1024, {})}
        runtime = Runtime(functions, TEMPLATE, {name: self._handle})
        self._gateway = Gateway(routes, self.tokens, runtime)

    def _handle(self, event: dict[str, Any], context: Any) -> Any:
        from api.handler import lambda_handler  # noqa: PLC0415  after the environment is set

        self.reached.append(event)
        return lambda_handler(event, context)

    def __call__(
        self,
        method: str,
        target: str,
        token: str = "",
        body: bytes = b"",
        headers: Iterable[tuple[str, str]] = (),
    ) -> gateway.Response:
        every = [*headers, *([("authorization", f"Bearer {token}")] if token else [])]
        return self._gateway.answer(gateway.request(method, target, every, body, "192.0.2.1"))


class Wsgi:
    """A door as a WSGI application."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        target = environ["REQUEST_URI"]
        headers = [
            (name.removeprefix("HTTP_").replace("_", "-").lower(), value)
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        ]
        body = environ["wsgi.input"].read(length)
        answer = self._door(environ["REQUEST_METHOD"], target, "", body, headers)
        start_response(f"{answer.status} -", list(answer.headers))
        return iter([answer.body])
