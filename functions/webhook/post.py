"""One POST to a receiver nobody trusts: checked address, verified TLS, an end to everything."""

import io
import time
from collections.abc import Callable, Mapping
from http.client import BadStatusLine, HTTPException, HTTPResponse, UnknownProtocol
from typing import Any

from ablage.errors import AccountFault
from ablage.mailbox.faults import fault, translated
from ablage.mailbox.network import Network
from ablage.mailbox.tls import TlsStream
from ablage.webhook_wire import Target
from ablage.webhooks import MOST_STATED, Outcome, judged

EXCHANGE_SECONDS = 10.0  # from the look-up of the name to the answer's end
BODY_BYTES = 64 * 1024  # of an answer, read and thrown away
ANSWER_BYTES = 2 * BODY_BYTES  # with its head, and what chunks cost


class Receiver:
    """`seconds`: of one exchange. `clock` counts seconds."""

    def __init__(
        self,
        network: Network,
        target: Target,
        clock: Callable[[], float] = time.monotonic,
        seconds: float = EXCHANGE_SECONDS,
    ) -> None:
        self._network = network
        self._target = target
        self._clock = clock
        self._seconds = seconds
        self._open: _Connection | None = None

    def close(self) -> None:
        if self._open:
            self._open.close()
            self._open = None

    def post(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Over the connection of the one before, where that still stands."""
        begin = self._clock()
        request = self._request(headers, body)
        is_kept = self._open is not None
        try:
            outcome = self._exchange(request, begin)
        except AccountFault as error:
            if not is_kept or error.code != "server_hung_up":
                return Outcome("outage", error.code, ms=self._ms(begin))
            outcome = self._anew(request, begin)
        return Outcome(
            outcome.verdict, outcome.code, outcome.http_status, outcome.stated, self._ms(begin)
        )

    def _anew(self, request: bytes, begin: float) -> Outcome:
        """A kept connection may have been closed before it was used again."""
        try:
            return self._exchange(request, begin)
        except AccountFault as error:
            return Outcome("outage", error.code)

    def _exchange(self, request: bytes, begin: float) -> Outcome:
        """Raises AccountFault; then the connection is closed."""
        end = begin + self._seconds
        try:
            if self._open is None:
                self._open = self._connected(end)
            outcome, is_kept = self._open.exchange(request, lambda: self._left(end))
        except BaseException:
            self.close()
            raise
        if not is_kept:
            self.close()
        return outcome

    def _connected(self, end: float) -> "_Connection":
        host, port = self._target.host, self._target.port
        with translated():
            return _Connection(self._network.connect(host, port, self._left(end)))

    def _left(self, end: float) -> float:
        left = end - self._clock()
        if left <= 0:
            raise fault("timeout")
        return left

    def _ms(self, begin: float) -> int:
        return int(1000 * (self._clock() - begin))

    def _request(self, headers: Mapping[str, str], body: bytes) -> bytes:
        known = {"Host": self._target.authority, "Content-Length": str(len(body)), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in known.items())
        return f"POST {self._target.path} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body


class _Connection:
    def __init__(self, stream: TlsStream) -> None:
        self._stream = stream
        self._raw = _Received(stream)
        self._answers = _Kept(self._raw)

    def close(self) -> None:
        self._stream.close()

    def exchange(self, request: bytes, patience: Callable[[], float]) -> tuple[Outcome, bool]:
        """What was answered, and whether the connection is good for another one."""
        self._stream.patience = patience
        self._raw.left = ANSWER_BYTES
        with translated():
            self._stream.sendall(request)
            answer = self._head()
            return judged(answer.status, _stated(answer)), self._is_read(answer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As http.client asks a socket for it."""
        return self._answers

    def _head(self) -> HTTPResponse:
        sock: Any = self
        answer = HTTPResponse(sock, method="POST")
        try:
            answer.begin()
        except ConnectionError:
            raise
        except (BadStatusLine, UnknownProtocol):
            raise fault("protocol_error") from None
        except HTTPException:  # a line, or lines, beyond http.client's own limits
            raise fault("budget_exceeded") from None
        return answer

    def _is_read(self, answer: HTTPResponse) -> bool:
        """Its status counts, whatever becomes of the rest: but for one that comes too slowly."""
        try:
            answer.read(BODY_BYTES)
        except TimeoutError:
            raise
        except (AccountFault, HTTPException, OSError, ValueError) as error:
            if isinstance(error, AccountFault) and error.code == "timeout":
                raise
            return False
        return answer.isclosed() and not answer.will_close


class _Received(io.RawIOBase):
    """At most `left` bytes."""

    def __init__(self, stream: TlsStream) -> None:
        self._stream = stream
        self.left = 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if self.left <= 0:
            raise fault("budget_exceeded")
        size = self._stream.recv_into(memoryview(into)[: self.left])
        self.left -= size
        return size


class _Kept(io.BufferedReader):
    """http.client closes it after each answer."""

    def close(self) -> None:
        return


def _stated(answer: HTTPResponse) -> int:
    """Retry-After in seconds (RFC 9110 section 10.2.3), 0 for none."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), MOST_STATED)
    return _seconds_until(text) if text else 0


def _seconds_until(date: str) -> int:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  rare

    try:
        at = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0
    return max(0, min(int(at - time.time()), MOST_STATED))
