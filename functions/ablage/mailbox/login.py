"""Logging in: a password or an OAuth access token, by the best way the server offers.

Never pipelined behind another command: a password goes to a server only once it has told what it
takes. With a greeting that tells capabilities, and SASL-IR, a login is one round trip."""

import base64
import re
from dataclasses import dataclass, field

from ablage.errors import AccountFault
from ablage.mailbox.connection import Mailbox
from ablage.mailbox.faults import fault, recognised
from ablage.mailbox.providers import provider_of
from ablage.mailbox.status import capabilities, told_in, upper_words
from ablage.mailbox.syntax import Answer, quote
from ablage.mailbox.wire import Wire, check_alive

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CAPABILITIES = re.compile(rb"\[CAPABILITY ([^\]]*)\]", re.IGNORECASE)
_WHO = b'ID ("name" "ablage" "version" "1")'


@dataclass(frozen=True)
class AccessToken:
    """Stands where a password would."""

    text: str = field(repr=False)


Credential = str | AccessToken


@dataclass(frozen=True)
class _Attempt:
    """A command, and what is said to each `+` behind it; without the first `needs` of these an OK
    is none. `refusal` is the code of a NO."""

    command: bytes
    lines: tuple[bytes, ...] = field(repr=False)
    refusal: str = "login_refused"
    needs: int = 0


def login(mailbox: Mailbox, wire: Wire, username: str, credential: Credential) -> frozenset[str]:
    """The capabilities the server tells with its OK (they grow: MOVE, UIDPLUS, SPECIAL-USE), none
    where it tells none. Raises AccountFault."""
    secret = credential.text if isinstance(credential, AccessToken) else credential
    if _CONTROL.search(username) or _CONTROL.search(secret):
        raise fault("login_refused")
    offered = _offered(mailbox, wire)
    if isinstance(credential, AccessToken):
        attempt = _with_token(mailbox, offered, username, credential.text)
    else:
        attempt = _with_password(offered, username, credential)
    ended, answers = _try(wire, attempt)
    if ended.name != b"OK":
        raise _refused(ended, attempt)
    mailbox.client.state = "AUTH"
    if provider_of(mailbox.client.host).asks_who:
        wire.finish(wire.send(_WHO))
    return _told(ended, answers)


def _offered(mailbox: Mailbox, wire: Wire) -> frozenset[str]:
    """As greeted, as known of the provider, else asked for. Raises AccountFault."""
    client = mailbox.client
    return client.greeted or provider_of(client.host).offers or capabilities(wire)


def _with_password(offered: frozenset[str], username: str, password: str) -> _Attempt:
    """AUTHENTICATE PLAIN carries UTF-8 (RFC 4616); LOGIN where a server has nothing else."""
    if "AUTH=PLAIN" in offered:
        return _sasl(offered, b"PLAIN", f"\0{username}\0{password}".encode(), b"*")
    if "LOGINDISABLED" in offered:
        raise fault("login_unsupported")
    name, secret = username.encode(), password.encode()
    if name.isascii() and secret.isascii():
        return _Attempt(b"LOGIN " + quote(name) + b" " + quote(secret), ())
    lines = (name + b" {%d}" % len(secret), secret)  # only literals hold 8-bit text (RFC 9051 4.3)
    return _Attempt(b"LOGIN {%d}" % len(name), lines, needs=len(lines))


def _with_token(mailbox: Mailbox, offered: frozenset[str], username: str, token: str) -> _Attempt:
    """XOAUTH2 (Google, Microsoft); OAUTHBEARER (RFC 7628) where only that is offered. A server that
    hides both before a login is asked for XOAUTH2."""
    if "AUTH=OAUTHBEARER" in offered and "AUTH=XOAUTH2" not in offered:
        name = username.replace("=", "=3D").replace(",", "=2C")
        where = f"host={mailbox.client.host}\x01port={mailbox.client.port}"
        text = f"n,a={name},\x01{where}\x01auth=Bearer {token}\x01\x01"
        return _sasl(offered, b"OAUTHBEARER", text.encode(), b"AQ==", "access_refused")
    text = f"user={username}\x01auth=Bearer {token}\x01\x01"
    return _sasl(offered, b"XOAUTH2", text.encode(), b"", "access_refused")


def _sasl(
    offered: frozenset[str],
    mechanism: bytes,
    response: bytes,
    end: bytes,
    refusal: str = "login_refused",
) -> _Attempt:
    """`end` answers a challenge nobody can meet (the JSON of a refused token): NO follows."""
    encoded, command = base64.b64encode(response), b"AUTHENTICATE " + mechanism
    if "SASL-IR" in offered:
        return _Attempt(command + b" " + encoded, (end,), refusal)
    return _Attempt(command, (encoded, end), refusal, needs=1)


def _try(wire: Wire, attempt: _Attempt) -> tuple[Answer, list[Answer]]:
    """The tagged answer and those before it. Raises AccountFault."""
    tag, lines, answers = wire.send(attempt.command), list(attempt.lines), []
    while (answer := wire.read()).tag != tag:
        check_alive(answer)
        if answer.tag == b"*":
            answers.append(answer)
        elif not lines:
            raise fault("protocol_error")
        else:
            wire.go_on(lines.pop(0))
    if answer.name == b"OK" and len(attempt.lines) - len(lines) < attempt.needs:
        raise fault("protocol_error")
    return answer, answers


def _refused(ended: Answer, attempt: _Attempt) -> AccountFault:
    """What the server says decides: a busy one says nothing about the password. BAD is about the
    command."""
    said = recognised(ended.text, attempt.refusal if ended.name == b"NO" else "protocol_error")
    return fault(attempt.refusal) if said.code == "login_refused" else said


def _told(ended: Answer, answers: list[Answer]) -> frozenset[str]:
    code = _CAPABILITIES.match(ended.text)
    return upper_words(code.group(1).split()) if code else told_in(answers)
