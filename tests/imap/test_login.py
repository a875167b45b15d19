"""Logging in: what goes over the wire, in how many round trips, and what a refusal means."""

import base64
from collections.abc import Callable

import pytest
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import network

from ablage.accounts import Account, Folder
from ablage.errors import AccountFault
from ablage.mailbox.connection import Bounds
from ablage.mailbox.login import AccessToken, Credential
from ablage.mailbox.session import open_session
from ablage.tenancy import TenantId

Start = Callable[[Script], HostileImap]
PATIENT = Bounds(seconds=60, silence=30)
TOKEN = AccessToken("ya29.canary-t0ken")
PLAIN = b"IMAP4rev1 AUTH=PLAIN SASL-IR"
INBOX = Folder("0" * 16, "INBOX", "inbox", "INBOX")


def server_of(capabilities: bytes, *endings: bytes) -> Script:
    """Tells what it can in its greeting; says `+ ` and each of `endings` but the last, with which
    the login ends."""

    def script(talk: Talk) -> None:
        talk.say(b"* OK [CAPABILITY " + capabilities + b"] ready\r\n")
        talk.hear()
        tag = talk.tag
        for challenge in endings[:-1]:
            talk.say(b"+ " + challenge + b"\r\n")
            talk.hear()
        talk.tag = tag
        talk.ok(status=endings[-1])
        while True:
            command = talk.hear()
            talk.ok(b"* CAPABILITY IMAP4rev1 LATER\r\n" if command == b"CAPABILITY" else b"")

    return script


def log_in(server: HostileImap, credential: Credential, name: str = "u") -> str | None:
    """The code of the fault it ends in, if it does."""
    account = Account(TenantId("t"), "a", "a@b.de", "a@b.de", server.host, server.port, name, 1)
    try:
        with open_session(network(server), account, credential, PATIENT):
            return None
    except AccountFault as ended:
        fault = ended
    secret = credential if isinstance(credential, str) else credential.text
    assert secret not in f"{fault!r} {fault.detail}"
    refused = fault.code in {"login_refused", "access_refused", "login_unsupported"}
    assert (fault.state == "reauth_required") == refused
    return fault.code


def heard(server: HostileImap) -> list[bytes]:
    """Lines of the login without their tag and line end; LOGOUT left out."""
    lines = [line.rstrip(b"\r\n") for line in server.heard]
    words = [line.partition(b" ")[2] if line.startswith(b"W") else line for line in lines]
    return [line for line in words if not line.endswith(b"LOGOUT")]


# ---- passwords -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "password"),
    [("u", "secret"), ("jürgen@firma.de", "Schlüssel€"), ('a "b"', 'back\\slash and "quote')],
)
def test_plain_carries_utf8_in_one_round_trip(hostile: Start, name: str, password: str) -> None:
    server = hostile(server_of(PLAIN, b"OK in"))

    assert log_in(server, password, name) is None

    (command,) = heard(server)
    mechanism, _, response = command.rpartition(b" ")
    assert mechanism == b"AUTHENTICATE PLAIN"
    assert base64.b64decode(response) == f"\0{name}\0{password}".encode()


def test_plain_without_sasl_ir_waits_for_the_server(hostile: Start) -> None:
    server = hostile(server_of(b"IMAP4rev1 AUTH=PLAIN LOGINDISABLED", b"", b"OK in"))

    assert log_in(server, "ä") is None

    command, response = heard(server)
    assert command == b"AUTHENTICATE PLAIN"
    assert base64.b64decode(response) == "\0u\0ä".encode()


def test_login_is_for_servers_with_nothing_else(hostile: Start) -> None:
    server = hostile(server_of(b"IMAP4rev1 SASL-IR AUTH=CRAM-MD5", b"OK in"))

    assert log_in(server, 'a" \\b', "us er") is None

    assert heard(server) == [b'LOGIN "us er" "a\\" \\\\b"']


def test_login_beyond_ascii_goes_in_literals(hostile: Start) -> None:
    server = hostile(server_of(b"IMAP4rev1", b"go", b"go", b"OK in"))

    assert log_in(server, "Schlüssel", "jürgen") is None

    assert heard(server) == [b"LOGIN {7}", "jürgen".encode() + b" {10}", "Schlüssel".encode()]


def test_a_server_that_takes_no_password_is_sent_none(hostile: Start) -> None:
    server = hostile(server_of(b"IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2", b"OK in"))

    assert log_in(server, "canary") == "login_unsupported"
    assert heard(server) == []


def test_nothing_is_sent_before_the_greeting_and_the_login_is_not_pipelined(hostile: Start) -> None:
    waiting: list[bool] = []

    def script(talk: Talk) -> None:
        talk._connection.settimeout(0.2)
        for say in (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", b""):
            try:
                talk._connection.recv(1)
                waiting.append(False)
            except TimeoutError:
                waiting.append(True)
            talk.say(say)
            if not say:
                return
            talk._connection.settimeout(30)
            talk._connection.recv(4096)
            talk._connection.settimeout(0.2)

    log_in(hostile(script), "secret")

    assert waiting == [True, True]


@pytest.mark.parametrize("secret", ["pass\r\nA1 DELETE INBOX", "a\x00b"])
@pytest.mark.parametrize("kind", [str, AccessToken])
def test_a_control_character_never_reaches_the_wire(
    hostile: Start, secret: str, kind: Callable[[str], Credential]
) -> None:
    server = hostile(server_of(b"IMAP4rev1", b"OK in"))

    assert log_in(server, kind(secret)) == "login_refused"
    assert log_in(server, kind("good"), secret) == "login_refused"
    assert heard(server) == []


# ---- access tokens -------------------------------------------------------------------------------


def test_a_token_goes_by_xoauth2_in_one_round_trip(hostile: Start) -> None:
    server = hostile(server_of(PLAIN + b" AUTH=XOAUTH2 AUTH=OAUTHBEARER", b"OK in"))

    assert log_in(server, TOKEN, "shared@firma.de") is None

    (command,) = heard(server)
    mechanism, _, response = command.rpartition(b" ")
    assert mechanism == b"AUTHENTICATE XOAUTH2"
    expected = b"user=shared@firma.de\x01auth=Bearer ya29.canary-t0ken\x01\x01"
    assert base64.b64decode(response) == expected


def test_oauthbearer_is_for_servers_that_offer_only_that(hostile: Start) -> None:
    server = hostile(server_of(b"IMAP4rev1 AUTH=OAUTHBEARER", b"", b"OK in"))

    assert log_in(server, TOKEN, "a,b=c@firma.de") is None

    command, response = heard(server)
    assert command == b"AUTHENTICATE OAUTHBEARER"
    assert base64.b64decode(response).startswith(b"n,a=a=2Cb=3Dc@firma.de,\x01host=localhost\x01")


@pytest.mark.parametrize(
    ("offered", "answer"), [(b"AUTH=XOAUTH2", b""), (b"AUTH=OAUTHBEARER", b"AQ==")]
)
def test_the_error_challenge_is_answered_so_that_the_refusal_comes(
    hostile: Start, offered: bytes, answer: bytes
) -> None:
    error = base64.b64encode(b'{"status":"400","schemes":"Bearer"}')
    script = server_of(b"IMAP4rev1 SASL-IR " + offered, error, b"NO invalid")
    server = hostile(script)

    assert log_in(server, TOKEN) == "access_refused"
    assert heard(server)[1:] == [answer]


def test_a_server_that_challenges_for_ever_is_left(hostile: Start) -> None:
    def script(talk: Talk) -> None:
        talk.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] ready\r\n")
        while True:
            talk.hear()
            talk.say(b"+ more\r\n")

    assert log_in(hostile(script), TOKEN) == "protocol_error"


# ---- refusals and capabilities -------------------------------------------------------------------


@pytest.mark.parametrize("credential", ["secret", TOKEN])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (b"NO [UNAVAILABLE] later", "server_unavailable"),
        (b"NO [LIMIT] too many", "too_many_connections"),
        (b"NO [INUSE] elsewhere", "server_unavailable"),
        (b"BAD what", "protocol_error"),
        (b"NO [AUTHENTICATIONFAILED] no", None),
    ],
)
def test_only_a_plain_no_is_about_the_credential(
    hostile: Start, credential: Credential, status: bytes, code: str | None
) -> None:
    server = hostile(server_of(PLAIN + b" AUTH=XOAUTH2", status))

    refused = "access_refused" if credential is TOKEN else "login_refused"
    assert log_in(server, credential) == (code or refused)


def test_an_idle_look_asks_for_no_capabilities(hostile: Start) -> None:
    server = hostile(server_of(PLAIN, b"OK in"))
    account = Account(TenantId("t"), "a", "a@b.de", "a@b.de", server.host, server.port, "u", 1)

    with open_session(network(server), account, "secret", PATIENT) as session:
        session.status([INBOX])

    assert [line.split()[0] for line in heard(server)] == [b"AUTHENTICATE", b"STATUS"]


@pytest.mark.parametrize(
    ("ending", "expected", "commands"),
    [
        (b"OK [CAPABILITY IMAP4rev1 MOVE X\xfc] in", {"IMAP4REV1", "MOVE", "X\ufffd"}, 1),
        (b"OK in", {"IMAP4REV1", "LATER"}, 2),
    ],
)
def test_capabilities_of_the_login_count_and_else_are_asked_for(
    hostile: Start, ending: bytes, expected: set[str], commands: int
) -> None:
    server = hostile(server_of(PLAIN + b" GONE X\xfc", ending))
    account = Account(TenantId("t"), "a", "a@b.de", "a@b.de", server.host, server.port, "u", 1)

    with open_session(network(server), account, "secret", PATIENT) as session:
        assert session.capabilities == expected
        assert session.capabilities == expected

    assert len(heard(server)) == commands


def test_a_greeting_without_capabilities_has_them_asked_for(hostile: Start) -> None:
    def script(talk: Talk) -> None:
        talk.say(b"* OK ready\r\n")
        talk.hear()
        talk.ok(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR X\xfc\r\n")
        talk.hear()
        talk.ok(b"* CAPABILITY IMAP4rev1 AFTER\r\n")
        talk.hear()

    server = hostile(script)
    account = Account(TenantId("t"), "a", "a@b.de", "a@b.de", server.host, server.port, "u", 1)

    with open_session(network(server), account, "secret", PATIENT) as session:
        assert session.capabilities == {"IMAP4REV1", "AFTER"}
