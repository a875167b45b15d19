"""Receivers that drip, flood, lie or break off: an end within seconds, a code, and nothing of what
they said. `Receiver.post` alone, with a second where the time runs out."""

import itertools
import socket
import threading
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from infra.local.certificates import Certificates
from tests.support.addresses import resolving
from tests.support.certificates import HOST as FORGED_HOST
from tests.support.certificates import SEES_CUTS, Forger
from tests.support.hooks import network_to
from tests.support.receiver import OK, Answer, Answering, Receiver, status

from ablage.mailbox.network import Network
from ablage.webhook_wire import HTTPS_PORT, Target, headers, secret_text, target
from ablage.webhooks import CODES, Outcome
from webhook.post import ANSWER_BYTES, EXCHANGE_SECONDS
from webhook.post import Receiver as Posting

BODY = b'{"canary":"6f3c2b0d"}'
SIGNED = headers([secret_text(b"x" * 32)], "e1", 1, BODY)


def dripping(begin: bytes) -> Answer:
    def answer(told: Answering) -> None:
        told.say(begin)
        while not told.has_gone_within(0.05):
            told.say(b"x")

    return answer


def flooding(begin: bytes, chunk: bytes) -> Answer:
    def answer(told: Answering) -> None:
        told.say(begin)
        for _ in itertools.count():
            told.say(chunk * (65536 // len(chunk)))

    return answer


def silent(begin: bytes = b"") -> Answer:
    def answer(told: Answering) -> None:
        told.say(begin)
        told.has_gone_within(60)

    return answer


def resetting(begin: bytes = b"") -> Answer:
    def answer(told: Answering) -> None:
        told.say(begin)
        told.reset()

    return answer


def closing(begin: bytes = b"") -> Answer:
    return lambda told: told.say(begin)


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
OUTAGES: dict[str, tuple[Answer, str]] = {
    "no answer": (silent(), "timeout"),
    "status in drips": (dripping(b"HTTP/1.1 200 "), "timeout"),
    "header in drips": (dripping(HEAD + b"a: "), "timeout"),
    "body in drips": (dripping(HEAD + b"Content-Length: 99999\r\n\r\n"), "timeout"),
    "chunks in drips": (dripping(CHUNKED + b"fffff\r\n"), "timeout"),
    "body that never comes": (silent(HEAD + b"Content-Length: 9\r\n\r\n"), "timeout"),
    "end that never comes": (silent(HEAD + b"\r\nbody"), "timeout"),
    "status without end": (flooding(b"HTTP/1.1 200 ", b"x"), "budget_exceeded"),
    "header without end": (flooding(HEAD + b"a: ", b"x"), "budget_exceeded"),
    "headers without end": (flooding(HEAD, b"a: b\r\n"), "budget_exceeded"),
    "headers of 60 KB each": (
        flooding(HEAD, b"a: " + b"x" * 60_000 + b"\r\n"),
        "budget_exceeded",
    ),
    "100 Continue without end": (
        flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "budget_exceeded",
    ),
    "no HTTP": (closing(b"* OK IMAP4rev1 ready\r\n\r\n"), "protocol_error"),
    "HTTP/2": (closing(b"HTTP/2 200 OK\r\n\r\n"), "protocol_error"),
    "no number for a status": (closing(b"HTTP/1.1 abc OK\r\n\r\n"), "protocol_error"),
    "status 999999": (closing(b"HTTP/1.1 999999 OK\r\n\r\n"), "protocol_error"),
    "switching protocols": (closing(b"HTTP/1.1 101 Switching\r\n\r\n"), "protocol_error"),
    "early hints alone": (closing(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "protocol_error"),
    "hung up": (closing(), "server_hung_up"),
    "hung up in the status": (
        closing(b"HTTP/1.1 2"),
        "server_hung_up" if SEES_CUTS else "protocol_error",
    ),
    "reset": (resetting(), "server_hung_up"),
    "reset in a header": (resetting(HEAD + b"a: b"), "server_hung_up"),
}
DELIVERED: dict[str, Answer] = {
    "no body": OK,
    "a body": status(200, body=b"thanks"),
    "a body without end": flooding(HEAD + b"\r\n", b"x"),
    "a body of 3 GB": flooding(HEAD + b"Content-Length: 3000000000\r\n\r\n", b"x"),
    "chunks without end": flooding(CHUNKED, b"1\r\nx\r\n"),
    "a chunk of 3 GB": flooding(CHUNKED + b"b2d05e00\r\n", b"x"),
    "no chunk at all": closing(CHUNKED + b"what\r\n"),
    "chunk of negative size": closing(CHUNKED + b"-5\r\nhello"),
    "a body cut off": closing(HEAD + b"Content-Length: 100\r\n\r\nhalf"),
    "a negative length": closing(HEAD + b"Content-Length: -1\r\n\r\n"),
    "a length that is none": closing(HEAD + b"Content-Length: x\r\n\r\n"),
    "both lengths": closing(
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n0\r\n\r\n")
    ),
    "100 Continue first": closing(b"HTTP/1.1 100 Continue\r\n\r\n" + OK),
    "bytes no header may hold": closing(HEAD + b"\xff\x00: \xfe\r\n\r\n"),
    "compressed": status(200, "Content-Encoding: gzip", body=b"\x1f\x8b" + b"\x00" * 99),
}


def post(receiver: Receiver, ca_file: Path, seconds: float = EXCHANGE_SECONDS) -> Outcome:
    where = target(receiver.url, {receiver.authority})
    posting = Posting(network_to(receiver, ca_file), where, seconds=seconds)
    try:
        return posting.post(SIGNED, BODY)
    finally:
        posting.close()


@pytest.mark.parametrize("name", OUTAGES)
def test_a_hostile_answer_is_an_outage_with_a_code_and_an_end(
    receiver: Receiver, certificates: Certificates, name: str
) -> None:
    answer, code = OUTAGES[name]
    receiver.answers = [answer]

    outcome = post(receiver, certificates.ca_file, 1 if code == "timeout" else EXCHANGE_SECONDS)

    assert (outcome.verdict, outcome.code, code in CODES) == ("outage", code, True)
    assert outcome.ms < 8000
    assert receiver.connections == 1


@pytest.mark.parametrize("name", DELIVERED)
def test_of_a_whole_answer_the_status_counts_and_the_body_is_thrown_away(
    receiver: Receiver, certificates: Certificates, name: str
) -> None:
    receiver.answers = [DELIVERED[name]]

    tracemalloc.start()
    outcome = post(receiver, certificates.ca_file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert outcome.verdict == "delivered"
    assert peak < 64 * ANSWER_BYTES  # of 3 GB; the receiver's own sending is in it


@pytest.mark.parametrize(
    ("ahead", "least", "most"), [(100, 60, 100), (-100, 0, 0), (1e6, 14_400, 14_400)]
)
def test_a_retry_after_may_be_a_date(
    receiver: Receiver, certificates: Certificates, ahead: float, least: int, most: int
) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    receiver.answers = [status(503, f"Retry-After: {at}")]

    assert least <= post(receiver, certificates.ca_file).stated <= most


def test_each_exchange_over_a_kept_connection_has_its_own_time(
    receiver: Receiver, certificates: Certificates
) -> None:
    where = target(receiver.url, {receiver.authority})
    posting = Posting(network_to(receiver, certificates.ca_file), where, seconds=2)

    verdicts = [posting.post(SIGNED, BODY).verdict]
    time.sleep(2.1)
    verdicts.append(posting.post(SIGNED, BODY).verdict)
    posting.close()

    assert verdicts == ["delivered"] * 2
    assert receiver.connections == 1


def test_what_is_left_of_a_long_body_is_no_answer_to_the_next_request(
    receiver: Receiver, certificates: Certificates
) -> None:
    where = target(receiver.url, {receiver.authority})
    posting = Posting(network_to(receiver, certificates.ca_file), where)
    receiver.answers = [status(200, body=b"HTTP/1.1 500 x\r\n\r\n" * 5000), OK]

    statuses = [posting.post(SIGNED, BODY).http_status for _ in range(2)]
    posting.close()

    assert statuses == [200, 204]
    assert receiver.connections == 2


BAD = ["self-signed", "expired", "wrong name", "wildcard depth", "TLS 1.1", "unknown CA"]


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_certificate_sees_no_byte_of_an_event(tmp_path: Path, reason: str) -> None:
    forger = Forger(tmp_path)
    receiver = Receiver(forger.contexts()[reason])

    outcome = post_to_forged(receiver, forger)

    assert (outcome.verdict, outcome.code) == ("outage", "tls_failed")
    assert receiver.requests == []


def test_with_a_good_certificate_the_event_would_be_seen(tmp_path: Path) -> None:
    """That the six are refused for their reason, and for no other."""
    forger = Forger(tmp_path)
    receiver = Receiver(forger.good())

    assert post_to_forged(receiver, forger).verdict == "delivered"
    assert [request.body for request in receiver.requests] == [BODY]


def post_to_forged(receiver: Receiver, forger: Forger) -> Outcome:
    local = frozenset({f"{FORGED_HOST}:{receiver.port}"})
    network = Network(str(forger.ca_file), local, resolving("127.0.0.1"), only_port=HTTPS_PORT)
    posting = Posting(network, Target(FORGED_HOST, receiver.port, "/"))
    try:
        return posting.post(SIGNED, BODY)
    finally:
        posting.close()
        receiver.stop()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "timeout"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "tls_failed"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "tls_failed"),
    ],
)
def test_who_speaks_no_tls_is_told_nothing(
    certificates: Certificates, said: bytes, code: str
) -> None:
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(said)
                while data := connection.recv(65536):
                    heard.extend(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        local = frozenset({f"localhost:{port}"})
        network = Network(str(certificates.ca_file), local, only_port=HTTPS_PORT)
        seconds = 1 if code == "timeout" else EXCHANGE_SECONDS
        posting = Posting(network, Target("localhost", port, "/"), seconds=seconds)
        outcome = posting.post(SIGNED, BODY)
        thread.join(10)

    assert (outcome.verdict, outcome.code) == ("outage", code)
    assert b"canary" not in heard
    assert b"webhook" not in heard


def test_nobody_there_is_an_outage(certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    local = frozenset({f"localhost:{port}"})
    network = Network(str(certificates.ca_file), local, only_port=HTTPS_PORT)

    outcome = Posting(network, Target("localhost", port, "/")).post(SIGNED, BODY)

    assert (outcome.verdict, outcome.code) == ("outage", "connect_failed")
