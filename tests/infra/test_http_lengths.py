"""The local gateway reads a body only where its end is told plainly."""

import socket

import pytest
from infra.local import gateway
from infra.local.http import HttpServer


class Echo:
    """Tells how many bytes came."""

    def answer(self, asked: gateway.Request) -> gateway.Response:
        return gateway.problem(200, f"{len(asked.body)}")


def talk(server: HttpServer, head: bytes, body: bytes = b"") -> bytes:
    """All that is answered, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n" + body)
        answered = b""
        while data := connection.recv(65536):
            answered += data
    return answered


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"Content-Length: -1\r\n", b"", b"400"),
        (b"Content-Length: abc\r\n", b"", b"400"),
        (b"Content-Length: 1_0\r\n", b"0123456789", b"400"),
        (b"Content-Length: +5\r\n", b"01234", b"400"),
        (b"Content-Length: \xb2\r\n", b"01", b"400"),
        (b"Content-Length:\r\n", b"", b"400"),
        (b"Content-Length: 5, 5\r\n", b"01234", b"400"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", b"", b"400"),
        (b"Content-Length: 5\r\nContent-Length: 0\r\n", b"GET /b HTTP/1.1\r\n\r\n", b"400"),
        (b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"501"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n", b"501"),
    ],
)
def test_an_unclear_length_is_refused_and_the_connection_closed(
    head: bytes, body: bytes, status: bytes
) -> None:
    server = HttpServer(Echo())  # type: ignore[arg-type] - answers as a Gateway does

    answered = talk(server, head, body)
    server.stop()

    assert answered.count(b"HTTP/1.1 ") == 1
    assert answered.split(b" ")[1] == status


def test_a_refusal_is_heard_behind_a_body_that_nobody_reads() -> None:
    server = HttpServer(Echo())  # type: ignore[arg-type] - answers as a Gateway does

    answered = talk(server, b"Transfer-Encoding: chunked\r\n", b"x" * 8_000_000)
    server.stop()

    assert b" 501 " in answered


def test_a_plain_length_is_read() -> None:
    server = HttpServer(Echo())  # type: ignore[arg-type] - answers as a Gateway does

    twice = b"Content-Length: 5\r\nContent-Length: 5\r\nConnection: close\r\n"
    answered = talk(server, twice, b"01234")
    server.stop()

    assert b" 200 " in answered
    assert b'"5"' in answered
