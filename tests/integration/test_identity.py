"""A provider, or who poses as one: nothing is followed, nothing is unbounded, nothing is told."""

import time
from collections.abc import Callable

import pytest
from infra.local.certificates import Certificates
from tests.support.hostile_imap import HostileImap, Script, Talk

from ablage.errors import AccountFault
from sync.identity import ANSWER_BYTES, IdentityProviders, Tokens

Start = Callable[[Script], HostileImap]
FORM = {"refresh_token": "canary-t0ken"}


def answering(*pieces: bytes) -> Script:
    """Says these after the request's header."""

    def script(talk: Talk) -> None:
        while talk._lines.readline() not in {b"\r\n", b""}:
            pass
        for piece in pieces:
            talk.say(piece)

    return script


def ask(server: HostileImap, path: str = "/token", seconds: float = 60.0) -> Tokens:
    providers = IdentityProviders(str(server.ca_file), seconds)
    return providers.tokens(f"https://localhost:{server.port}{path}", FORM)


def refusal(server: HostileImap, seconds: float = 60.0) -> str:
    with pytest.raises(AccountFault) as fault:
        ask(server, seconds=seconds)
    assert "canary" not in f"{fault.value!r} {fault.value.detail}"
    return fault.value.code


def whole(status: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_an_answer_becomes_a_value_that_shows_no_secret(hostile: Start) -> None:
    body = b'{"access_token": "canary-a", "expires_in": "3599", "refresh_token": "canary-r"}'

    found = ask(hostile(answering(whole(b"200 OK", body))))

    assert (found.access, found.lifetime, found.refresh) == ("canary-a", 3599, "canary-r")
    assert "canary" not in repr(found)


@pytest.mark.parametrize("status", [b"301 x", b"302 x", b"303 x", b"307 x", b"308 x", b"300 x"])
def test_no_redirect_is_followed(hostile: Start, status: bytes) -> None:
    other = hostile(answering())
    location = b"Location: https://localhost:%d/token" % other.port
    server = hostile(answering(whole(status, b"", location)))

    assert refusal(server) == "provider_unavailable"
    assert (server.connections, other.connections) == (1, 0)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"",),
        (b"HTTP/1.1 200 OK\r\n\r\n",),
        (b"* OK IMAP4 ready\r\n",),
        (whole(b"200 OK", b"x" * (ANSWER_BYTES + 1)),),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000,),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n",),
        (whole(b"200 OK", b"[" * 50_000),),
        (whole(b"200 OK", b'{"access_token": 5}'),),
        (whole(b"200 OK", b'{"access_token": ""}'),),
        (whole(b"400 x", b'{"error": {"code": 1}}'),),
        (whole(b"400 x", b'{"error": "something_new"}'),),
        (whole(b"500 x", b'{"error": "invalid_grant"}'),),
        (whole(b"200 OK", b'{"error": "invalid_grant"}'),),
    ],
)
def test_what_is_no_answer_passes_by_itself(hostile: Start, pieces: tuple[bytes, ...]) -> None:
    server = hostile(answering(*pieces))

    assert refusal(server) == "provider_unavailable"
    assert server.connections == 1


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_drip_ends_in_time(hostile: Start, start: bytes) -> None:
    def script(talk: Talk) -> None:
        talk.say(start)
        while True:
            talk.say(b"x")
            time.sleep(0.05)

    began = time.monotonic()

    assert refusal(hostile(script), seconds=0.6) == "provider_unavailable"
    assert time.monotonic() - began < 20


def test_who_cannot_prove_the_name_hears_nothing(
    certificates: Certificates, hostile: Start
) -> None:
    server = hostile(answering(whole(b"200 OK", b"{}")))
    providers = IdentityProviders()

    with pytest.raises(AccountFault) as fault:
        providers.tokens(f"https://localhost:{server.port}/token", FORM)

    assert fault.value.code == "provider_unavailable"
    assert server.heard == []


@pytest.mark.parametrize("value", ["0", "-5", "x", "9" * 30, "null", '"1e3"', "true", "[]"])
def test_an_odd_lifetime_is_a_short_one(hostile: Start, value: str) -> None:
    body = b'{"access_token": "a", "expires_in": %s}' % value.encode()
    if value == "x":
        body = body.replace(b"x}", b'"x"}')

    assert ask(hostile(answering(whole(b"200 OK", body)))).lifetime == 300


@pytest.mark.parametrize("token", ["", "a.b", "a.%%%.c", "a.W10.c", "a.e30.c", "a.\u00e4.c"])
def test_an_odd_id_token_claims_nothing(hostile: Start, token: str) -> None:
    body = b'{"access_token": "a", "id_token": "%s"}' % token.encode()

    assert ask(hostile(answering(whole(b"200 OK", body)))).claims == {}
