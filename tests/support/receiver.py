"""A webhook's receiver over TLS: answers by a script, and remembers what it was sent."""

import contextlib
import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.certificates import HOST

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Answering:
    """One connection, as an answer's script sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def say(self, data: bytes) -> None:
        self._connection.sendall(data)

    def has_gone_within(self, seconds: float) -> bool:
        return bool(select.select([self._connection], [], [], seconds)[0])

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()
        raise ConnectionError


Answer = bytes | Callable[[Answering], None]


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    lines = "".join(f"{line}\r\n" for line in (*headers, f"Content-Length: {len(body)}"))
    return f"HTTP/1.1 {code} x\r\n{lines}\r\n".encode() + body


class Receiver:
    """`answers` come one after the other, the last one for ever; `tls` may come later."""

    def __init__(self, tls: ssl.SSLContext | None = None, *answers: Answer) -> None:
        self.tls = tls
        self.answers: list[Answer] = list(answers) or [OK]
        self.requests: list[Request] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # of each connection
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def authority(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.authority}/hooks?of=ablage"

    @property
    def ids(self) -> list[str]:
        return [request.event_id for request in self.requests]

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(connection):
            assert self.tls
            with self.tls.wrap_socket(connection, server_side=True) as told:
                lines = told.makefile("rb")
                while request := _request(lines):
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                    self.requests.append(request)
                    if callable(answer):
                        answer(Answering(told))
                        return
                    told.sendall(answer)
                    if b"connection: close" in answer.lower():
                        return


def _request(lines: Any) -> Request | None:
    line = lines.readline().decode().rstrip()
    headers = {}
    while line and (field := lines.readline().decode().rstrip("\r\n")):
        name, _, value = field.partition(": ")
        headers[name] = value
    return Request(line, headers, lines.read(int(headers["Content-Length"]))) if line else None
