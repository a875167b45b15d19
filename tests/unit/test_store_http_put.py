"""A PUT that never waits, against a server in the same thread: what goes out, and what counts as an
answer."""

import http.client
import select
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from ablage.store.http_put import ANSWER_BYTES, Answer, HttpPut

HEAD = b"PUT /x HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ERROR = b"<Error><Code>SlowDown</Code></Error>"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def connection(listener: socket.socket) -> Iterator[HttpPut]:
    made = HttpPut(urlsplit(f"http://127.0.0.1:{listener.getsockname()[1]}"))
    yield made
    made.close()


@pytest.fixture
def peer(listener: socket.socket, connection: HttpPut) -> Iterator[socket.socket]:
    made, _ = listener.accept()
    with made:
        yield made


def gone_on(connection: HttpPut) -> Answer | None:
    waiting = select.poll()
    waiting.register(connection.fileno(), connection.wants)
    ((_, events),) = waiting.poll(10_000)
    return connection.go_on(events)


def answered(connection: HttpPut) -> Answer:
    while True:
        if answer := gone_on(connection):
            return answer


def sent(connection: HttpPut, peer: socket.socket, body: bytes = b"mail") -> bytes:
    """What of the request arrived, all of it."""
    connection.begin(HEAD, body)
    arrived = b""
    while len(arrived) < len(HEAD) + len(body):
        if select.select([], [connection], [], 0)[1] and connection.wants & select.POLLOUT:
            gone_on(connection)
        if select.select([peer], [], [], 0)[0]:
            arrived += peer.recv(100_000)
    return arrived


def test_a_request_arrives_whole_and_the_connection_is_kept(
    connection: HttpPut, peer: socket.socket
) -> None:
    for _ in range(2):
        assert sent(connection, peer) == HEAD + b"mail"
        peer.sendall(OK)
        assert answered(connection) == (200, b"")

    assert connection.is_open
    assert connection.is_used


def test_a_body_the_kernel_has_no_room_for_goes_out_in_pieces(
    connection: HttpPut, peer: socket.socket
) -> None:
    body = bytes(range(256)) * 40_000

    assert sent(connection, peer, body) == HEAD + body
    peer.sendall(OK)
    assert answered(connection) == (200, b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 -\r\nContent-Length: %d\r\n\r\n%b" % (len(ERROR), ERROR),
        b"HTTP/1.1 503 -\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(ERROR), ERROR),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 -\r\nContent-Length: %d\r\n\r\n%b"
        % (len(ERROR), ERROR),
    ],
)
def test_an_answer_is_read_whole_however_it_comes(
    connection: HttpPut, peer: socket.socket, answer: bytes
) -> None:
    sent(connection, peer)
    for byte in answer[:-1]:
        peer.sendall(bytes([byte]))
        assert gone_on(connection) is None
    peer.sendall(answer[-1:])

    assert gone_on(connection) == (503, ERROR)
    assert connection.is_open


def test_an_answer_may_last_until_the_connection_ends(
    connection: HttpPut, peer: socket.socket
) -> None:
    sent(connection, peer)
    peer.sendall(b"HTTP/1.1 503 -\r\n\r\n" + ERROR)
    assert gone_on(connection) is None
    peer.close()

    assert gone_on(connection) == (503, ERROR)
    assert not connection.is_open


@pytest.mark.parametrize("cut", range(len(OK)))
def test_an_answer_that_breaks_off_is_no_success(
    connection: HttpPut, peer: socket.socket, cut: int
) -> None:
    sent(connection, peer)
    peer.sendall(OK[:cut])
    peer.close()

    with pytest.raises((OSError, http.client.HTTPException)):
        answered(connection)
    assert not connection.is_open


def test_an_endless_answer_is_an_error(connection: HttpPut, peer: socket.socket) -> None:
    sent(connection, peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\n" + b"x" * ANSWER_BYTES)

    with pytest.raises(http.client.HTTPException):
        answered(connection)


@pytest.mark.parametrize("answer", [OK[:-2] + b"Connection: close\r\n\r\n", OK + b"more"])
def test_a_connection_that_will_not_do_is_closed(
    connection: HttpPut, peer: socket.socket, answer: bytes
) -> None:
    sent(connection, peer)
    peer.sendall(answer)

    assert answered(connection) == (200, b"")
    assert not connection.is_open


def test_an_answer_that_comes_early_counts_and_ends_the_connection(
    connection: HttpPut, peer: socket.socket
) -> None:
    connection.begin(HEAD, b"x" * 50_000_000)
    gone_on(connection)
    peer.sendall(b"HTTP/1.1 403 -\r\nContent-Length: 0\r\n\r\n")

    assert answered(connection) == (403, b"")
    assert not connection.is_open


def test_the_next_address_is_tried(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", at) for at in (nobody, nobody)]
    found.append((socket.AF_INET, socket.SOCK_STREAM, 0, "", listener.getsockname()))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    connection = HttpPut(urlsplit("http://of.three.addresses"))
    connection.begin(HEAD, b"mail")

    while select.POLLOUT & connection.wants:
        gone_on(connection)

    peer, _ = listener.accept()
    with peer:
        assert peer.recv(100) == HEAD + b"mail"
    connection.close()


def test_a_name_without_a_server_is_an_error(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()

    with pytest.raises(OSError):
        answered(_begun(HttpPut(urlsplit(f"http://127.0.0.1:{port}"))))


def _begun(connection: HttpPut) -> HttpPut:
    connection.begin(HEAD, b"mail")
    return connection
