"""An OAuth provider of this machine: it stands where Google and Microsoft are, for Dovecot too.

Token and revocation endpoints over TLS at the real ones' paths, behind `base_url`; introspection
(RFC 7662) in the clear on loopback. `consent` is the person at the browser."""

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from infra.local.certificates import HOST, Certificates

GOOGLE = "https://accounts.google.com"
MICROSOFT = "https://login.microsoftonline.com/00000000-1111-2222-3333-444444444444/v2.0"

Form = dict[str, str]


@dataclass
class Grant:
    """What a person allowed a client; `alive` until revoked."""

    person: str
    client_id: str
    scope: str
    issuer: str
    alive: bool = True


@dataclass
class Answers:
    """How it behaves. `keeps_old`: a refresh token still works after a newer one was given;
    `rotates`: a newer one is given each time. `failing` answers instead, while it is set: status
    and body."""

    keeps_old: bool = False
    rotates: bool = True
    lifetime: int = 3600
    scope: str | None = None
    failing: tuple[int, bytes] | None = None


class IdentityProvider:
    """Up when constructed; `stop` ends it. `calls` are the forms the token endpoint got."""

    def __init__(self, certificates: Certificates, now: Callable[[], float] = time.time) -> None:
        self.answers = Answers()
        self.clients: dict[str, str] = {}
        self.mailboxes: dict[str, str] = {}
        self.calls: list[Form] = []
        self.revocations: list[str] = []
        self._now = now
        self._codes: dict[str, tuple[Grant, Form]] = {}
        self._refresh: dict[str, Grant] = {}
        self._access: dict[str, tuple[Grant, float]] = {}
        self._lock = threading.Lock()
        self._servers = [
            _serve(self._secured, certificates.server_context()),
            _serve(self._introspect, None),
        ]
        secured, plain = (server.server_address[1] for server in self._servers)
        self.base_url = f"https://{HOST}:{secured}"
        self.introspection_url = f"http://127.0.0.1:{plain}/introspect"

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def register(self, client_id: str, client_secret: str) -> None:
        self.clients[client_id] = client_secret

    def consent(self, authorization_url: str, person: str) -> Form:
        """The person allows it; what the redirect URI is then called with."""
        asked = _form(urlsplit(authorization_url).query)
        if asked["client_id"] not in self.clients or asked["code_challenge_method"] != "S256":
            raise ValueError("the provider shows an error page")
        issuer = GOOGLE if "accounts.google.com" in authorization_url else MICROSOFT
        code = secrets.token_urlsafe(24)
        grant = Grant(person, asked["client_id"], asked["scope"], issuer)
        with self._lock:
            self._codes[code] = grant, asked
        return {"state": asked["state"], "code": code, "iss": issuer}

    def withdraw(self, person: str) -> None:
        """The person, or an administrator, ends all access."""
        with self._lock:
            for grant in self._refresh.values():
                grant.alive = grant.alive and grant.person != person

    def expire_access(self) -> None:
        """Every access token given so far is over."""
        with self._lock:
            self._access.clear()

    # ---- over TLS --------------------------------------------------------------------------------

    def _secured(self, path: str, form: Form) -> tuple[int, bytes]:
        with self._lock:
            if path.endswith("/revoke"):
                return self._revoked(form)
            self.calls.append(form)
            if self.answers.failing:
                return self.answers.failing
            return self._token(form)

    def _token(self, form: Form) -> tuple[int, bytes]:
        if self.clients.get(form.get("client_id", "")) != form.get("client_secret"):
            return _error("invalid_client", 401)
        kind = form.get("grant_type")
        if kind == "client_credentials":
            return self._given(Grant("", form["client_id"], form["scope"], MICROSOFT), None)
        if kind == "authorization_code":
            return self._exchanged(form)
        return self._refreshed(form)

    def _exchanged(self, form: Form) -> tuple[int, bytes]:
        grant, asked = self._codes.pop(form["code"], (None, {}))
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_same = all(form[name] == asked.get(name) for name in ("client_id", "redirect_uri"))
        if grant is None or not is_same or asked["code_challenge"] != challenge:
            return _error("invalid_grant")
        return self._given(grant, self._new_refresh(grant))

    def _refreshed(self, form: Form) -> tuple[int, bytes]:
        token = form["refresh_token"]
        grant = self._refresh.get(token)
        if grant is None or not grant.alive:
            return _error("invalid_grant")
        if not self.answers.rotates:
            return self._given(grant, None)
        if not self.answers.keeps_old:
            del self._refresh[token]
        return self._given(grant, self._new_refresh(grant))

    def _new_refresh(self, grant: Grant) -> str:
        token = "r-" + secrets.token_urlsafe(24)
        self._refresh[token] = grant
        return token

    def _given(self, grant: Grant, refresh: str | None) -> tuple[int, bytes]:
        access = "a-" + secrets.token_urlsafe(24)
        self._access[access] = grant, self._now() + self.answers.lifetime
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.answers.lifetime,
            "scope": grant.scope if self.answers.scope is None else self.answers.scope,
            "id_token": _id_token(grant),
        }
        return 200, json.dumps(answer | ({"refresh_token": refresh} if refresh else {})).encode()

    def _revoked(self, form: Form) -> tuple[int, bytes]:
        if self.answers.failing:
            return self.answers.failing
        grant = self._refresh.get(form["token"])
        if grant is None or not grant.alive:
            return _error("invalid_token")
        grant.alive = False
        self.revocations.append(form["token"])
        return 200, b"{}"

    # ---- for Dovecot -----------------------------------------------------------------------------

    def _introspect(self, _: str, form: Form) -> tuple[int, bytes]:
        with self._lock:
            grant, until = self._access.get(form.get("token", ""), (None, 0.0))
        if grant is None or until <= self._now():
            return 200, b'{"active": false}'
        name = self.mailboxes.get(grant.person, grant.person)
        return 200, json.dumps({"active": True, "username": name}).encode()


def _id_token(grant: Grant) -> str:
    claims = {"iss": grant.issuer, "aud": grant.client_id, "email": grant.person}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


def _error(code: str, status: int = 400) -> tuple[int, bytes]:
    return status, json.dumps(
        {"error": code, "error_description": "not for anybody's log"}
    ).encode()


def _form(text: str) -> Form:
    return {name: values[0] for name, values in parse_qs(text).items()}


def _serve(
    answer: Callable[[str, Form], tuple[int, bytes]], tls: ssl.SSLContext | None
) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = answer(self.path, _form(body.decode()))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Tokens are nobody's business."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
