"""Where we connect to: resolved once, checked, and connected to as checked (no second look-up to
rebind)."""

import functools
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import Any

from ablage.mailbox.faults import fault, translated
from ablage.mailbox.tls import Patience, TlsStream
from ablage.settings import Settings

IMAPS_PORT = 993
CONNECT_SECONDS = LOOKUP_SECONDS = 10.0

# ipaddress calls these global on some Python versions [reliability-security M6]
_MORE_REFUSED = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
)

Resolver = Callable[..., list[Any]]
Dial = Callable[..., socket.socket]


@dataclass(frozen=True)
class Network:
    """`ca_file` adds a CA to the public ones. `local_hosts` (`host:port`) are exempt from the port
    and address rule, not from TLS. `resolve` has the signature of `socket.getaddrinfo`, `dial` that
    of `socket.create_connection`. `only_port`: IMAPS, or HTTPS for webhooks. `is_bounded`: names
    are looked up in threads of their own, for no longer than `connect` may take."""

    ca_file: str = ""
    local_hosts: frozenset[str] = frozenset()
    resolve: Resolver = socket.getaddrinfo
    dial: Dial = socket.create_connection
    only_port: int = IMAPS_PORT
    is_bounded: bool = False

    @classmethod
    def from_settings(cls, settings: Settings) -> "Network":
        return cls(settings.mail_ca_file, settings.local_hosts)

    def address(self, host: str, port: int, seconds: float = LOOKUP_SECONDS) -> str:
        """The IPv4 address to connect to. Raises AccountFault `address_refused`, `host_unknown`.

        Every answer must be public: a name with one private address is refused as a whole."""
        is_local = f"{host}:{port}" in self.local_hosts
        if not is_local and (port != self.only_port or ":" in host):  # resolvers map IPv6 literals
            raise fault("address_refused")
        addresses = self._resolved(host, port, seconds)
        if not is_local and not all(is_public(address) for address in addresses):
            raise fault("address_refused")
        return addresses[0]

    def _resolved(self, host: str, port: int, seconds: float) -> list[str]:
        def look_up() -> list[Any]:
            return self.resolve(host, port, socket.AF_INET, socket.SOCK_STREAM)

        with translated("host_unknown"):
            try:
                answers = _within(seconds, look_up) if self.is_bounded else look_up()
            except (ValueError, TimeoutError):  # a label of 64 characters (UnicodeError), a NUL
                raise fault("host_unknown") from None
        if not answers:
            raise fault("host_unknown")
        return [str(answer[4][0]) for answer in answers]

    def connect(self, host: str, port: int, seconds: float) -> TlsStream:
        """A verified TLS connection to the checked address, within `seconds`; certificate and SNI
        are the host's. A handshake takes CONNECT_SECONDS at most, however it drips.

        Raises AccountFault."""
        end = time.monotonic() + seconds
        address = self.address(host, port, seconds)
        with translated("connect_failed"):
            plain = self.dial((address, port), timeout=_step(end)())
        try:
            with translated():
                _check_peer(plain, address)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return TlsStream(plain, tls_context(self.ca_file), host, _step(end))
        except BaseException:
            plain.close()
            raise


def _within(seconds: float, work: Callable[[], list[Any]]) -> list[Any]:
    """Raises TimeoutError; the work then goes on by itself: nothing ends a look-up before the
    system's resolver does, some 20 s."""
    outcome: Future[list[Any]] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # whoever waits gets it
            outcome.set_exception(error)

    Thread(target=run, daemon=True).start()
    return outcome.result(seconds)


def _step(end: float) -> Patience:
    """Of connecting; its first is the whole of it."""
    end = min(end, time.monotonic() + CONNECT_SECONDS)

    def left() -> float:
        seconds = end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    return left


def _check_peer(plain: socket.socket, address: str) -> None:
    if plain.getpeername()[0] != address:
        raise fault("address_refused")


def is_public(address: str) -> bool:
    """IPv4 only: an IPv6 form may hide any IPv4 address inside (mapped, 6to4, NAT64)."""
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    is_special = parsed.is_multicast or parsed.is_reserved or not parsed.is_global
    return not is_special and not any(parsed in network for network in _MORE_REFUSED)


@functools.cache
def tls_context(ca_file: str) -> ssl.SSLContext:
    """One per process: making one costs 30 ms of CPU. Verifies; nothing turns that off."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context
