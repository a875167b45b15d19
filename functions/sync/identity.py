"""Talking to OAuth providers: token and revocation endpoints. Sync alone does.

No redirects, verified TLS, a bounded body, an end to each call; answers become values or faults in
our words, never a provider's text."""

import base64
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from ablage.errors import AccountFault
from ablage.faults import fault
from ablage.mailbox.network import tls_context

CALL_SECONDS = 10.0
ANSWER_BYTES = 64 * 1024
DEFAULT_LIFETIME = 300  # seconds, where none is told (RFC 6749 leaves it open)
LONGEST_LIFETIME = 24 * 3600

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_TRANSIENT = "provider_unavailable"
_ERRORS = {
    "invalid_grant": "access_revoked",
    "access_denied": "access_revoked",
    "interaction_required": "sign_in_required",
    "login_required": "sign_in_required",
    "consent_required": "sign_in_required",
    "invalid_client": "client_refused",
    "unauthorized_client": "client_refused",
    "invalid_scope": "client_refused",
    "invalid_request": "client_refused",
    "unsupported_grant_type": "client_refused",
    "invalid_resource": "client_refused",
}


@dataclass(frozen=True)
class Tokens:
    """`lifetime` in seconds; `claims` of the ID token, which came straight from the provider over
    TLS and needs no signature check (OpenID Connect Core 3.1.3.7)."""

    access: str = field(repr=False)
    lifetime: int
    refresh: str | None = field(default=None, repr=False)
    scope: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


class IdentityProviders:
    """One per warm function. `ca_file` adds a CA to the public ones; `seconds` is the end of a
    call."""

    def __init__(self, ca_file: str = "", seconds: float = CALL_SECONDS) -> None:
        self._tls = tls_context(ca_file)
        self._seconds = seconds

    def tokens(self, url: str, form: Mapping[str, str]) -> Tokens:
        """Raises AccountFault: `provider_unavailable`, or a final refusal with the state
        `reauth_required`."""
        status, body = self._post(url, form)
        answer = _object(body)
        if status == 200 and answer is not None:
            return _tokens(answer)
        error = answer.get("error") if answer is not None and 400 <= status < 500 else None
        raise fault(_ERRORS.get(str(error), _TRANSIENT) if error else _TRANSIENT)

    def revoke(self, url: str, token: str) -> bool:
        """Whether the token is dead now: revoked, or none any more (RFC 7009 2.2)."""
        try:
            status, _ = self._post(url, {"token": token})
        except AccountFault:
            return False
        return 200 <= status < 300 or status == 400

    def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        """Follows nothing, tries once, and is over in time whatever the other side drips: timeouts
        of sockets count per read."""
        place = urlsplit(url)
        connection = HTTPSConnection(
            str(place.hostname), place.port, timeout=self._seconds / 2, context=self._tls
        )
        try:
            connection.connect()
            with _end_after(self._seconds, connection.sock):
                connection.request("POST", place.path, urlencode(form), _HEADERS)
                with connection.getresponse() as answer:
                    status, body = answer.status, answer.read(ANSWER_BYTES + 1)
        except (OSError, HTTPException):
            raise fault(_TRANSIENT) from None
        finally:
            connection.close()
        if len(body) > ANSWER_BYTES:
            raise fault(_TRANSIENT)
        return status, body


@contextmanager
def _end_after(seconds: float, connected: socket.socket) -> Iterator[None]:
    def end() -> None:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _tokens(answer: Mapping[str, Any]) -> Tokens:
    access = _text(answer.get("access_token"))
    if not access:
        raise fault(_TRANSIENT)
    return Tokens(
        access,
        _lifetime(answer.get("expires_in")),
        _text(answer.get("refresh_token")) or None,
        _text(answer.get("scope")) or None,
        _claims(_text(answer.get("id_token"))),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _lifetime(value: Any) -> int:
    """Some send it as text."""
    text = str(value)
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return min(seconds or DEFAULT_LIFETIME, LONGEST_LIFETIME)


def _claims(id_token: str) -> Mapping[str, Any]:
    parts = id_token.split(".")
    if len(parts) != 3:
        return {}
    try:
        body = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except ValueError:
        return {}
    return _object(body) or {}
