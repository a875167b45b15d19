"""One connection to one mailbox, with an end to everything.

imaplib's `timeout` counts per recv: a server that drips a byte a second holds it for ever, one 300
MB literal costs 3.7 GB. So every read here is bounded by the session's deadline and bytes, and a
line or literal by its own limit."""

import imaplib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imap_tools import BaseMailBox

from ablage.errors import AccountFault
from ablage.mailbox.faults import fault, recognised, translated
from ablage.mailbox.inflow import Inflow
from ablage.mailbox.network import Network, tls_context
from ablage.mailbox.tls import Meanwhile

SESSION_SECONDS = 100.0  # sync's timeout is 120 s
SILENCE_SECONDS = 20.0  # without a single byte
SESSION_BYTES = 512 * 1024 * 1024
LINE_BYTES = 8 * 1024 * 1024  # a SEARCH answer of 700,000 UIDs
LITERAL_BYTES = 64 * 1024  # literals that are no mail: names, texts
LOST = "server_hung_up"  # behind the handshake a bad record says nothing of the certificate

_NO_TAG = re.compile(rb"(?!)(?P<tag>)(?P<type>)(?P<data>)")


@dataclass(frozen=True)
class Bounds:
    """Of one session: seconds in all, seconds of silence, bytes received. `clock` counts
    seconds."""

    seconds: float = SESSION_SECONDS
    silence: float = SILENCE_SECONDS
    received: int = SESSION_BYTES
    clock: Callable[[], float] = time.monotonic


class GuardedIMAP4(imaplib.IMAP4_SSL):
    """imaplib over our own socket and buffer. Every method raises AccountFault when a bound is
    passed."""

    def __init__(self, network: Network, host: str, port: int, bounds: Bounds) -> None:
        self._network = network
        self._bounds = bounds
        self._deadline = bounds.clock() + bounds.seconds
        self._inflow = Inflow(self._receive)
        self.received = 0
        super().__init__(host, port, ssl_context=tls_context(network.ca_file))

    def open(
        self,
        host: str = "",
        port: int | None = 993,
        timeout: float | None = None,  # noqa: ARG002 - imaplib's signature
    ) -> None:
        self.host = host
        self.port = port or 993
        self._tls = self._network.connect(host, self.port, self._left())
        self._tls.patience = self._patience

    def _connect(self) -> None:
        """imaplib's: the greeting. What is said beyond it, before anybody asked, is no answer to
        us."""
        try:
            with translated():
                self._greet()
        except BaseException:
            self.shutdown()
            raise

    def _greet(self) -> None:
        """Commands are the wire's: imaplib would compile a pattern for tags of its own at each
        connection, a tenth of what an idle look costs."""
        self.tagre = _NO_TAG  # type: ignore[assignment]  # the stubs say str
        self._cmd_log_len, self._cmd_log_idx = 10, 0
        self._cmd_log: dict[int, Any] = {}
        self.welcome = b""
        try:
            self.welcome = self._get_response()
            if not {"OK", "PREAUTH"} & self.untagged_responses.keys():
                raise self.error(self.welcome)
            self.state = "AUTH" if "PREAUTH" in self.untagged_responses else "NONAUTH"
            self._get_capabilities()
        except imaplib.IMAP4.error:
            is_bye = (self.welcome or b"")[:5].upper() == b"* BYE"
            told = recognised(self.welcome, "server_hung_up") if is_bye else fault("protocol_error")
            raise told from None
        if self.state != "NONAUTH" or self._inflow.waiting:  # PREAUTH: nobody proved anything
            raise fault("protocol_error")

    def meanwhile(self, work: Meanwhile) -> None:
        """What is done while the server is waited for: as `TlsStream.meanwhile`."""
        self._tls.meanwhile = work

    def shutdown(self) -> None:
        self._tls.close()

    def _get_capabilities(self) -> None:
        """What the greeting tells, nothing else: asking is a round trip."""
        told: list[Any] = self.untagged_responses.pop("CAPABILITY", [])
        line = told[-1] if told and isinstance(told[-1], bytes) else b""
        self.greeted = frozenset(line.decode("ascii", "replace").upper().split())
        self.capabilities = ("IMAP4REV1", *self.greeted)

    def send(self, data: Any) -> None:
        with translated(broken=LOST):
            self._tls.sendall(data)

    def readline(self) -> bytes:
        """Up to and with LF."""
        line = self._inflow.line(LINE_BYTES)
        if line is None:
            raise fault("budget_exceeded")
        return line

    def read(self, size: int) -> bytes:
        """A literal imaplib meets outside our own fetching."""
        if size > LITERAL_BYTES:
            raise fault("budget_exceeded")
        return self.take(size)

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        return self._inflow.take(size)

    def _receive(self, into: memoryview) -> int:
        """Within the session's bounds."""
        with translated(broken=LOST):
            size = self._tls.recv_into(into)
        if not size:
            raise fault("server_hung_up")
        self.received += size
        if self.received > self._bounds.received:
            raise fault("budget_exceeded")
        return size

    def _patience(self) -> float:
        return min(self._left(), self._bounds.silence)

    def _left(self) -> float:
        left = self._deadline - self._bounds.clock()
        if left <= 0:
            raise fault("timeout")
        return left


class Mailbox(BaseMailBox):
    """imap-tools over a guarded connection; we use its folder selection and its errors, never its
    `fetch` (it mixes up bodies and costs eight times the CPU)."""

    client: GuardedIMAP4

    def __init__(self, network: Network, host: str, port: int, bounds: Bounds) -> None:
        self._make_client: Callable[[], GuardedIMAP4] = lambda: GuardedIMAP4(
            network, host, port, bounds
        )
        super().__init__()

    def _get_mailbox_client(self) -> GuardedIMAP4:
        return self._make_client()


def connect(network: Network, host: str, port: int, bounds: Bounds | None = None) -> Mailbox:
    """Connected, greeted, not logged in. Raises AccountFault."""
    with translated("connect_failed"):
        return Mailbox(network, host, port, bounds or Bounds())


def close(mailbox: Mailbox) -> None:
    """LOGOUT without waiting for its answer: a round trip nobody needs."""
    client = mailbox.client
    try:
        client.send(b"BYE0 LOGOUT\r\n")
    except AccountFault:
        pass
    finally:
        client.shutdown()
