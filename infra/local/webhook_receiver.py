"""A webhook's receiver beside `make serve`: tells what it is sent, and answers 204."""

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from infra.local.certificates import HOST

_STOP_POLL = 0.05
_PATIENCE = 60.0  # seconds; a kept connection ends after that


class WebhookReceiver:
    """Its port is known at once; `start` makes it listen. `tell` gets a line an event."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._server = ThreadingHTTPServer((HOST, 0), _handler(tell), bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL,), daemon=True
        )

    @property
    def authority(self) -> str:
        return f"{HOST}:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"https://{self.authority}/"

    def start(self, tls: ssl.SSLContext) -> None:
        self._server.server_activate()
        self._server.socket = tls.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()


def _handler(tell: Callable[[str], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _PATIENCE

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            tell(f"webhook     {self.headers.get('webhook-id', '')} {_shown(body)}")
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as the base has it
            """`tell` says it."""

    return Handler


def _shown(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body)["data"], ensure_ascii=False)
    except (ValueError, LookupError, TypeError):
        return "no event"
