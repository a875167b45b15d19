"""One kept-alive connection for PUTs that never waits: whoever has many waits for all of them at
once. An ordinary success is read by itself; everything else goes through http.client, whose reading
of a header costs 0.1 ms."""

import functools
import http.client
import io
import os
import socket
import ssl
import time
from select import POLLIN, POLLOUT
from typing import Any, cast
from urllib.parse import SplitResult

from botocore.httpsession import get_cert_path

ADDRESS_SECONDS = 30  # that a name's addresses are kept: many connections are opened at once
ANSWER_BYTES = 64 * 1024
LOST = (ConnectionError, ssl.SSLError, http.client.BadStatusLine)
_AT_ONCE = 64 * 1024  # a body up to here goes into TLS together with its head
_WAITS = (BlockingIOError, ssl.SSLWantReadError)

Answer = tuple[int, bytes]  # status and text


class HttpPut:
    """To the host of `base`. What it `wants` its `fileno` to be polled for comes before the next
    `go_on`. `moved_at` is when something was sent last, by the monotonic clock; `is_used` once
    there was an answer. Raises OSError, HTTPException."""

    def __init__(self, base: SplitResult) -> None:
        self.is_open = True
        self.is_used = False
        self.wants = POLLOUT
        self.moved_at = 0.0
        self._host = base.hostname or ""
        self._is_plain = base.scheme == "http"
        self._is_connected = self._is_ready = False
        self._unsent: list[memoryview] = []
        self._got = b""
        port = base.port or (80 if self._is_plain else 443)
        self._addresses = list(_addresses(self._host, port, time.monotonic() // ADDRESS_SECONDS))
        self._dial(OSError())

    def fileno(self) -> int:
        """Another one, perhaps, after each `go_on` until it is connected."""
        return self._sock.fileno()

    @property
    def is_sent(self) -> bool:
        """The kernel has it all, and sends it whatever becomes of this process."""
        return not self._unsent

    def close(self) -> None:
        self.is_open = False
        self._sock.close()

    def begin(self, head: bytes, body: bytes) -> None:
        """What can go out at once goes."""
        is_one = not self._is_plain and len(body) <= _AT_ONCE
        self._unsent = [memoryview(part) for part in ([head + body] if is_one else [head, body])]
        self._got = b""
        self.moved_at = time.monotonic()
        if self._is_ready:
            self.go_on(POLLOUT)

    def go_on(self, events: int) -> Answer | None:
        """As polled. The answer once it is whole; then it is closed, or free for the next PUT."""
        try:
            return self._go_on(events)
        except BaseException:
            self.close()
            raise

    def _go_on(self, events: int) -> Answer | None:
        self.wants = POLLIN
        try:
            if not self._is_ready:
                self._get_ready()
            if self._unsent:
                self._send()
        except _WAITS:
            self.wants |= POLLOUT if self._unsent and self._is_ready else 0
        except ssl.SSLWantWriteError:
            self.wants |= POLLOUT
        if not self._is_connected:
            self.wants = POLLOUT
        if not self._is_ready or not events & ~POLLOUT:
            return None
        return self._receive()

    # ---- connecting ------------------------------------------------------------------------------

    def _dial(self, failed: OSError) -> None:
        """To the next address. Raises what failed where there is none."""
        while self._addresses:
            family, kind, protocol, _, address = self._addresses.pop(0)
            self._sock = socket.socket(family, kind, protocol)
            try:
                self._sock.setblocking(False)
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sock.connect(address)
            except BlockingIOError:
                return
            except OSError as error:
                self._sock.close()
                failed = error
            else:
                return
        raise failed

    def _get_ready(self) -> None:
        if not self._is_connected:
            if code := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._sock.close()
                self._dial(OSError(code, os.strerror(code)))
                raise BlockingIOError
            self._is_connected = True
            if not self._is_plain:
                self._sock = _tls().wrap_socket(
                    self._sock, server_hostname=self._host, do_handshake_on_connect=False
                )
        if not self._is_plain:
            cast("ssl.SSLSocket", self._sock).do_handshake()
        self._is_ready = True

    # ---- talking ---------------------------------------------------------------------------------

    def _send(self) -> None:
        """A plain socket takes what it has room for, and says so when it has more."""
        while self._unsent:
            if self._is_plain:
                sent = self._sock.sendmsg(self._unsent)
            else:
                sent = self._sock.send(self._unsent[0])
            self.moved_at = time.monotonic()
            while self._unsent and sent >= len(self._unsent[0]):
                sent -= len(self._unsent.pop(0))
            if sent:
                self._unsent[0] = self._unsent[0][sent:]
                if self._is_plain:
                    raise BlockingIOError

    def _receive(self) -> Answer | None:
        try:
            while True:
                data = self._sock.recv(ANSWER_BYTES)
                self._got += data
                if answer := self._answer(is_all=not data):
                    return answer
        except _WAITS:
            return None
        except ssl.SSLWantWriteError:
            self.wants |= POLLOUT
            return None

    def _answer(self, *, is_all: bool) -> Answer | None:
        """None while there is more to come."""
        got = self._got
        if not got and is_all:
            raise ConnectionResetError
        if got.startswith(b"HTTP/1.1 200 ") and got.find(b"\r\n\r\n") == len(got) - 4:
            lines = got.lower()
            if b"\r\ncontent-length: 0\r\n" in lines:
                return self._over(200, b"", is_last=b"\r\nconnection: close" in lines)
        if len(got) > ANSWER_BYTES:
            raise http.client.HTTPException
        return self._parsed(got, is_all=is_all)

    def _parsed(self, got: bytes, *, is_all: bool) -> Answer | None:
        if b"\r\n\r\n" not in got:
            if is_all:
                raise http.client.IncompleteRead(got)
            return None
        given = _Given(got)
        reading = http.client.HTTPResponse(cast("socket.socket", given), method="PUT")
        try:
            reading.begin()
            # http.client does without the line behind the last chunk
            is_cut = not got.endswith(b"\r\n\r\n") if reading.chunked else reading.length is None
            text = reading.read()
        except (http.client.IncompleteRead, http.client.BadStatusLine):
            if is_all:
                raise
            return None
        if is_cut and not is_all:
            return None
        is_last = reading.will_close or given.tell() != len(got)
        return self._over(reading.status, text, is_last=is_last)

    def _over(self, status: int, text: bytes, *, is_last: bool) -> Answer:
        """Answered before all was sent, it is of no use any more."""
        self.is_used = True
        if is_last or self._unsent:
            self.close()
        return status, text


class _Given(io.BytesIO):
    """What came, as http.client reads it from a socket; it cannot close it."""

    def makefile(self, *_: Any) -> "_Given":
        return self

    def close(self) -> None:
        return


@functools.lru_cache(maxsize=4)
def _addresses(host: str, port: int, _period: float) -> tuple[Any, ...]:
    return tuple(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


@functools.cache
def _tls() -> ssl.SSLContext:
    """With botocore's own CA certificates, or those botocore is told to use."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or get_cert_path(True))
