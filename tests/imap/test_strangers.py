"""Before a login: a server that is not what it should be never sees a byte of the password [T05],
and sends us nowhere else [T03]. Scripts after the groups of EAST (nostarttls.secvuln.info):
negotiation, buffering, tampering, spoofing."""

import base64
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from infra.local.certificates import Certificates
from tests.support.addresses import resolving
from tests.support.certificates import HOST, Forger
from tests.support.hostile_imap import GREETING, HostileImap, Script, Talk
from tests.support.mailboxes import network

from ablage.accounts import Account
from ablage.errors import AccountFault
from ablage.faults import TABLE
from ablage.mailbox.connection import Bounds
from ablage.mailbox.network import Network
from ablage.mailbox.session import open_session
from ablage.tenancy import TenantId

Start = Callable[[Script], HostileImap]
PASSWORD = "canary-5up3r-secret"
SHORT = Bounds(seconds=0.8, silence=0.3)
PATIENT = Bounds(seconds=60, silence=30)
BARE = b"* OK ready\r\n"
CAPABLE = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n"
INJECTED = [
    b"W1 OK done\r\n",
    b"W2 OK logged in\r\n",
    b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n",
    b"* BYE\r\n",
    b"* PREAUTH\r\n",
    GREETING,
    b'* LIST () "/" INBOX\r\n',
    b"* OK [ALERT] Call 0190-1234\r\n",
    b"half a li",
    b"\x00\x00\x00",
    b"+ go on\r\n",
    b"\r\n",
]
GREETINGS = [
    b"",
    b"\r\n",
    b"* PREAUTH welcome\r\n",
    b"* preauth welcome\r\n",
    b"* PREAUTH [CAPABILITY IMAP4rev1 AUTH=PLAIN] welcome\r\n",
    b"* BYE\r\n",
    b"* bye bye\r\n",
    b"* BYE [ALERT] Log in at http://evil.example/ first\r\n",
    b"* BYE [REFERRAL imap://evil.example/] gone there\r\n",
    b"* NO not today\r\n",
    b"* BAD what\r\n",
    b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
    b"OK ready\r\n",
    b"W1 OK ready\r\n",
    b"+ ready\r\n",
    b"+OK POP3 ready\r\n",
    b"220 smtp.example ESMTP\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"\x15\x03\x03\x00\x02\x02\x28\r\n",
    b"* OK ready\n",
    b"* OK {999999999}\r\n",
    b"* OK " + b"x" * 9_000_000,
    b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n",
]
ANSWERS = [  # to our first command behind a good greeting; the tag is put in for %b
    b"",
    b"* BYE [REFERRAL imap://evil.example/] gone\r\n",
    b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n%b OK done\r\n",
    b"%b NO not for you\r\n",
    b"%b BAD what\r\n",
    b"A999 OK done\r\n",
    b"garbage\r\n",
    b"* CAPABILITY " + b"(" * 30 + b"\r\n",
    b"* CAPABILITY {9999999999}\r\n",
]


def greeting(data: bytes) -> Script:
    def script(talk: Talk) -> None:
        talk.say(data)
        while talk.hear():
            talk.ok(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")

    return script


def answering(data: bytes) -> Script:
    def script(talk: Talk) -> None:
        talk.say(BARE)
        talk.hear()
        talk.say(data.replace(b"%b", talk.tag))
        while data and talk.hear():
            talk.ok()

    return script


def early_ok(talk: Talk) -> None:
    """OK where the password was to be asked for."""
    talk.say(CAPABLE)
    talk.hear()
    talk.ok(status=b"OK logged in")
    while talk.hear():
        talk.ok()


SCRIPTS = {
    **{f"greeting {data[:40]!r}": greeting(data) for data in GREETINGS},
    **{f"injected {data[:40]!r}": greeting(GREETING + data) for data in INJECTED},
    **{f"answer {data[:40]!r}": answering(data) for data in ANSWERS},
    "OK before the password": early_ok,
}


def an_account(host: str, port: int) -> Account:
    return Account(TenantId("t"), "a", "a@b.de", "a@b.de", host, port, "u", 1)


def refusal(where: Network, account: Account, bounds: Bounds = PATIENT) -> AccountFault:
    with (
        pytest.raises(AccountFault) as fault,
        open_session(where, account, PASSWORD, bounds),
    ):
        pass
    return fault.value


def saw_password(server: HostileImap) -> bool:
    forms = [PASSWORD.encode(), base64.b64encode(f"\0u\0{PASSWORD}".encode())]
    heard = b"".join(server.heard)
    return any(form in heard for form in forms)


def test_there_are_forty_of_them() -> None:
    assert len(SCRIPTS) >= 40


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_stranger_sees_no_byte_of_the_password(hostile: Start, name: str) -> None:
    server = hostile(SCRIPTS[name])

    told = refusal(network(server), an_account(server.host, server.port), SHORT)

    assert told.code in {row.code for row in TABLE}
    assert "evil.example" not in f"{told!r} {told.detail}"
    assert not saw_password(server)
    assert server.connections == 1


@pytest.fixture
def forger(tmp_path: Path) -> Forger:
    return Forger(tmp_path)


def at_host(server: HostileImap, forger: Forger) -> Network:
    local = frozenset({f"{HOST}:{server.port}"})
    return Network(str(forger.ca_file), local, resolving("127.0.0.1"))


BAD = ["self-signed", "expired", "wrong name", "wildcard depth", "TLS 1.1", "unknown CA"]


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_certificate_sees_nothing_at_all(
    certificates: Certificates, forger: Forger, reason: str
) -> None:
    server = HostileImap(certificates, greeting(CAPABLE), forger.contexts()[reason])

    told = refusal(at_host(server, forger), an_account(HOST, server.port))
    server.stop()

    assert told.code == "tls_failed"
    assert server.heard == []


def test_with_a_good_certificate_the_password_would_be_seen(
    certificates: Certificates, forger: Forger
) -> None:
    """That the six are refused for their reason, and for no other."""
    asked: list[bytes] = []

    def script(talk: Talk) -> None:
        talk.say(GREETING)
        while command := talk.hear():
            asked.append(command)
            talk.ok(status=b"NO [AUTHENTICATIONFAILED]" if b"LOGIN" in command else b"OK done")

    server = HostileImap(certificates, script, forger.good())

    told = refusal(at_host(server, forger), an_account(HOST, server.port))
    server.stop()

    assert told.code == "login_refused"
    assert saw_password(server)


REFERRALS: dict[str, Script] = {
    "greeting": greeting(b"* OK [REFERRAL imap://evil.example/] see there\r\n"),
    "good-bye": greeting(b"* BYE [REFERRAL imap://evil.example/] see there\r\n"),
}


def referring(word: bytes, answer: bytes) -> Script:
    def script(talk: Talk) -> None:
        talk.say(GREETING)
        while command := talk.hear():
            is_asked = command.startswith(word)
            talk.ok(status=answer if is_asked else b"OK [CAPABILITY IMAP4rev1 LOGIN-REFERRALS] x")

    return script


REFERRALS |= {
    "login refused": referring(b"LOGIN", b"NO [REFERRAL imap://evil.example/] see there"),
    "login done": referring(b"LOGIN", b"OK [REFERRAL imap://evil.example/] see there"),
    "list": referring(b"LIST", b"NO [REFERRAL imap://evil.example/] see there"),
}


@pytest.mark.parametrize("name", REFERRALS)
def test_a_referral_is_not_followed(hostile: Start, name: str) -> None:
    server = hostile(REFERRALS[name])
    dialled: list[tuple[str, int]] = []

    def dial(address: tuple[str, int], **more: Any) -> socket.socket:
        dialled.append(address)
        return socket.create_connection(address, **more)

    where = replace(network(server), dial=dial)

    def steps() -> Iterator[None]:
        account = an_account(server.host, server.port)
        with open_session(where, account, PASSWORD, SHORT) as session:
            session.folders()
            yield

    with pytest.raises(AccountFault):
        list(steps())

    assert len(dialled) == server.connections == 1
