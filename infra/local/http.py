"""The HTTP API on a loopback port: the template's routes, the token check, then the function."""

import logging
import threading
from collections.abc import Callable, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from infra.local import gateway
from infra.local.closing import close_gently
from infra.local.links import PREFIX, Links
from infra.local.runtime import Runtime
from infra.local.tokens import Tokens, scopes_of
from infra.local.wiring import Api, Route

HOST = "127.0.0.1"
_STOP_POLL = 0.05  # seconds until the server notices that it shall stop
_CHUNK = 64 * 1024
LENGTH_DIGITS = 12
UPLOAD_BYTES = 256 * 1024 * 1024  # by a signed link, to S3: not through API Gateway
_CLOSE = ("connection", "close")  # where the next request begins is unknown
Page = Callable[[], gateway.Response]

_log = logging.getLogger(__name__)


class Gateway:
    """`pages` (exact path -> response) exist on this machine only, without a token: `/docs`."""

    def __init__(
        self, api: Api, tokens: Tokens, runtime: Runtime, pages: Mapping[str, Page] | None = None
    ) -> None:
        self._api = api
        self._tokens = tokens
        self._runtime = runtime
        self._pages = dict(pages or {})
        self._links = Links()

    def answer(self, asked: gateway.Request) -> gateway.Response:
        """In API Gateway's order: route, token, scope, function."""
        if asked.method == "GET" and asked.path in self._pages:
            return self._pages[asked.path]()
        if asked.method == "GET" and asked.path.startswith(PREFIX):
            return self._links.serve(asked.path, asked.query)
        if asked.method == "PUT" and asked.path.startswith(PREFIX):
            media_type = asked.headers.get("content-type", "binary/octet-stream")
            return self._links.take(asked.path, asked.query, asked.body, media_type)
        return self._answer(asked)

    def _answer(self, asked: gateway.Request) -> gateway.Response:
        if (found := self._api.route(asked.method, asked.path)) is None:
            return gateway.problem(404, "Not Found")
        route, parameters = found
        claims = self._claims(asked.headers.get("authorization", ""))
        if claims is None:
            return gateway.problem(401, "Unauthorized", ("www-authenticate", "Bearer"))
        if not scopes_of(claims) & set(route.scopes):
            needed = f'Bearer scope="{" ".join(route.scopes)}" error="insufficient_scope"'
            return gateway.problem(403, "Forbidden", ("www-authenticate", needed))
        answered = self._invoke(route, gateway.event(asked, route, parameters, claims))
        return self._links.rewrite(answered, asked.headers.get("host", HOST))

    def _invoke(self, route: Route, event: dict[str, Any]) -> gateway.Response:
        try:
            return gateway.response(self._runtime.invoke(route.function, event))
        except Exception:  # the HTTP boundary: a function that raised is a 500, as on AWS
            _log.exception("%s failed", route.key)
            return gateway.problem(500, "Internal Server Error")

    def _claims(self, authorization: str) -> dict[str, Any] | None:
        scheme, _, token = authorization.partition(" ")
        bare = token.strip() if scheme.lower() == "bearer" else authorization
        return self._tokens.verify(bare, self._api.audiences)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def shutdown_request(self, request: Any) -> None:
        """A refusal is heard, though the body behind it was not read."""
        close_gently(request)


class HttpServer:
    """Serves a gateway until `stop`; port 0 takes a free one."""

    def __init__(self, served: Gateway, port: int = 0) -> None:
        self._server = _Listener((HOST, port), _handler(served))
        self.port = int(self._server.server_address[1])
        self.base_url = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL,), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def body_length(headers: Message) -> tuple[int, gateway.Response | None]:
    """Bytes of the body, or the answer to a request whose end is not told plainly (RFC 9112 6)."""
    if headers.get_all("transfer-encoding"):
        return 0, gateway.problem(501, "Not Implemented", _CLOSE)
    lengths = {value.strip() for value in headers.get_all("content-length", [])}
    if not lengths:
        return 0, None
    text = lengths.pop()
    is_plain = text.isascii() and text.isdecimal() and len(text) <= LENGTH_DIGITS
    if lengths or not is_plain:
        return 0, gateway.problem(400, "Bad Request", _CLOSE)
    return int(text), None


def _handler(served: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            length, refusal = body_length(self.headers)
            if refusal:
                self._send(refusal)
                return
            if length > (UPLOAD_BYTES if self.path.startswith(PREFIX) else gateway.REQUEST_BYTES):
                self._discard(length)
                self._send(gateway.problem(413, "Request Entity Too Large"))
                return
            body = self.rfile.read(length) if length else b""
            headers = self.headers.items()
            asked = gateway.request(self.command, self.path, headers, body, self.client_address[0])
            self._send(served.answer(asked))

        def _discard(self, length: int) -> None:
            """Read on, or the client never sees the answer."""
            while length > 0 and (chunk := self.rfile.read(min(length, _CHUNK))):
                length -= len(chunk)

        def _send(self, answered: gateway.Response) -> None:
            self.send_response(answered.status)
            for name, value in answered.headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(answered.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answered.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  http.server's names
        do_HEAD = do_OPTIONS = do_TRACE = _serve  # noqa: N815  same

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
            """Requests are told by the function's own log."""

    return Handler
