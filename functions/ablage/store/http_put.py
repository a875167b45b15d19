"""One kept-alive connection for PUTs. An ordinary success is read by itself; everything else goes
through http.client, whose reading of a header costs 0.1 ms."""

import functools
import http.client
import re
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from botocore.httpsession import get_cert_path

TIMEOUT_SECONDS = 20.0
_AT_ONCE = 64 * 1024  # a body up to here goes out with its head
_LENGTH_ZERO = re.compile(rb"\r\ncontent-length: *0\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
LOST = (ConnectionError, ssl.SSLError, http.client.BadStatusLine)


class HttpPut:
    """To the host of `base`, a URL. Raises OSError."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        host = parts.hostname or ""
        port = parts.port or (80 if parts.scheme == "http" else 443)
        plain = socket.create_connection((host, port), TIMEOUT_SECONDS)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            is_plain = parts.scheme == "http"
            self._sock = plain if is_plain else _tls().wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        self._answers = self._sock.makefile("rb")
        self.is_open = True

    def close(self) -> None:
        self.is_open = False
        self._answers.close()
        self._sock.close()

    def put(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and text; afterwards it may be closed. Raises OSError, HTTPException."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"PUT {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode(
            "latin-1"
        )
        if len(body) <= _AT_ONCE:
            self._sock.sendall(head + body)
        else:
            self._sock.sendall(head)
            self._sock.sendall(body)
        return self._read()

    def _read(self) -> tuple[int, bytes]:
        waiting = self._answers.peek(1)
        if not waiting:
            raise ConnectionResetError
        end = waiting.find(b"\r\n\r\n") + 4
        head = waiting[:end]
        if end > 4 and head.startswith(b"HTTP/1.1 200 ") and _LENGTH_ZERO.search(head):
            self._answers.read(end)
            if _CLOSE.search(head):
                self.close()
            return 200, b""
        return self._read_any()

    def _read_any(self) -> tuple[int, bytes]:
        answer: Any = http.client.HTTPResponse(self._sock, method="PUT")
        answer.fp.close()
        answer.fp = _Lent(self._answers)
        answer.begin()
        text = answer.read()
        if answer.will_close:
            self.close()
        return answer.status, text


class _Lent:
    """A file that http.client reads, and does not close."""

    def __init__(self, lent: Any) -> None:
        self._lent = lent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lent, name)

    def close(self) -> None:
        return


@functools.cache
def _tls() -> ssl.SSLContext:
    """With botocore's own CA certificates."""
    return ssl.create_default_context(cafile=get_cert_path(True))
