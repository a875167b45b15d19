"""TLS over a socket that gives what it likes: in pieces, in floods, never."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from infra.local.certificates import HOST, Certificates
from tests.support.certificates import SEES_CUTS

from ablage.mailbox.tls import FED_BYTES, TlsStream

RECORD = 4096  # as Dovecot cuts them


class Peer:
    """A server as a socket: `recv` gives at most `at_once` bytes, in the handshake all."""

    def __init__(self, certificates: Certificates) -> None:
        self.at_once = FED_BYTES
        self.calls = 0
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = certificates.server_context().wrap_bio(self._in, self._out, server_side=True)
        self._is_open = False

    def sendall(self, data: bytes) -> None:
        self._in.write(data)
        if not self._is_open:
            try:
                self._tls.do_handshake()
                self._is_open = True
            except ssl.SSLWantReadError:
                return

    def heard(self) -> bytes:
        return self._tls.read(1 << 20)

    def say(self, record: bytes) -> None:
        self._tls.write(record)

    def hang_up(self) -> None:
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.unwrap()

    def recv(self, size: int) -> bytes:
        self.calls += 1
        return self._out.read(min(size, self.at_once))

    def settimeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def peer(certificates: Certificates) -> Peer:
    return Peer(certificates)


def joined(
    peer: Peer, certificates: Certificates, patience: Callable[[], float] = lambda: 1.0
) -> TlsStream:
    context = ssl.create_default_context(cafile=Path(certificates.ca_file))
    return TlsStream(cast("ssl.SSLSocket", peer), context, HOST, patience)


def losing_patience(waits: int = 1500) -> Callable[[], float]:
    left = iter(range(waits))

    def patience() -> float:
        if next(left, None) is None:
            raise TimeoutError
        return 1.0

    return patience


def received(stream: TlsStream, size: int) -> bytes:
    buffer = bytearray(size)
    have = 0
    while have < size and (got := stream.recv_into(memoryview(buffer)[have:])):
        have += got
    return bytes(buffer[:have])


def test_both_directions_carry_what_was_sent(peer: Peer, certificates: Certificates) -> None:
    stream = joined(peer, certificates)
    sent = bytes(range(256)) * 400

    stream.sendall(b"a LOGIN\r\n")
    peer.say(sent)

    assert peer.heard() == b"a LOGIN\r\n"
    assert received(stream, len(sent)) == sent


def test_many_records_come_with_one_call(peer: Peer, certificates: Certificates) -> None:
    stream = joined(peer, certificates)
    for _ in range(10):
        peer.say(b"x" * RECORD)
    before = peer.calls

    buffer = memoryview(bytearray(10 * RECORD))

    assert stream.recv_into(buffer) == 10 * RECORD
    assert peer.calls - before == 1


def test_a_record_in_single_bytes_is_waited_for_with_patience(
    peer: Peer, certificates: Certificates
) -> None:
    stream = joined(peer, certificates)
    stream.patience = losing_patience()
    peer.at_once = 1
    peer.say(b"x" * RECORD)

    with pytest.raises(TimeoutError):
        stream.recv_into(memoryview(bytearray(RECORD)))


def test_other_work_goes_on_until_the_socket_can_be_read(
    peer: Peer, certificates: Certificates
) -> None:
    stream = joined(peer, certificates)
    waited: list[tuple[object, float]] = []

    def meanwhile(line: object, seconds: float) -> None:
        waited.append((line, seconds))
        if len(waited) > 2:
            raise TimeoutError

    stream.meanwhile = meanwhile
    for _ in range(2):
        peer.say(b"x")
        stream.recv_into(memoryview(bytearray(1)))

    with pytest.raises(TimeoutError):
        stream.recv_into(memoryview(bytearray(1)))
    assert waited == [(peer, 1.0)] * 3


@pytest.mark.skipif(not SEES_CUTS, reason="this Python takes a cut for the end")
def test_a_farewell_is_the_end_and_a_cut_is_an_error(
    peer: Peer, certificates: Certificates
) -> None:
    ended, cut = joined(peer, certificates), joined(Peer(certificates), certificates)
    peer.say(b"last")
    peer.hang_up()

    assert received(ended, 100) == b"last"
    with pytest.raises(ssl.SSLEOFError):
        cut.recv_into(memoryview(bytearray(1)))


def test_a_handshake_in_single_bytes_is_waited_for_with_patience(
    peer: Peer, certificates: Certificates
) -> None:
    peer.at_once = 1

    with pytest.raises(TimeoutError):
        joined(peer, certificates, losing_patience(50))
