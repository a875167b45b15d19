"""A plain HTTP server that takes PUTs and answers what a script says: no moto, real sockets."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Taken:
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


Answer = tuple[int, str]  # status, XML error code
HANG_UP: Answer = (0, "")
OK: Answer = (200, "")


class HttpSink:
    """`answers` for the requests one after another, then OK for all; over TLS with a `context`."""

    def __init__(self, *answers: Answer, context: ssl.SSLContext | None = None) -> None:
        self.taken: list[Taken] = []
        self.connections = 0
        self.together: threading.Barrier | None = None  # of requests, before any is answered
        self._answers = iter(answers)
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                sink.connections += 1
                super().setup()

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.taken.append(Taken(self.path, dict(self.headers.items()), body))
                if sink.together:
                    sink.together.wait(20)
                sink._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        self.url = f"https://localhost:{port}" if context else f"http://127.0.0.1:{port}"
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        status, code = next(self._answers, OK)
        if (status, code) == HANG_UP:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        text = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


StartSink = Callable[..., HttpSink]
