"""The quick PUT against real sockets: what it sends, what it repeats, and when it stops."""

import base64
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from infra.local.certificates import Certificates
from tests.support.http_sink import HANG_UP, OK, Answer, HttpSink, StartSink

from ablage.store import aws, http_put
from ablage.store.aws import credentials
from ablage.store.quick_put import ATTEMPTS, TIMEOUT_SECONDS, Outcome, Puts, QuickPut, stored

KEY = "raw/30d/acme/a:1/0123456789abcdef/7/42.eml"
BODY = b"From: a@kunde.de\r\n\r\nhello"


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def start() -> Iterator[StartSink]:
    started: list[HttpSink] = []

    def start(*answers: Answer, context: ssl.SSLContext | None = None) -> HttpSink:
        started.append(HttpSink(*answers, context=context))
        return started[-1]

    yield start
    for sink in started:
        sink.stop()


def put(sink: HttpSink, times: int = 1) -> list[bool]:
    client = boto3.client("s3", endpoint_url=sink.url)
    quick = QuickPut(client, "bucket")
    try:
        return [put_one(quick) for _ in range(times)]
    finally:
        quick.close()
        client.close()


def put_one(quick: QuickPut, key: str = KEY, body: bytes = BODY) -> bool:
    outcomes: list[Outcome] = []
    puts = Puts(quick)
    puts.start(key, body, {"x-amz-meta-role": "inbox"}, outcomes.append)
    puts.finish()
    (outcome,) = outcomes
    return stored(outcome)


def test_a_put_is_conditional_signed_and_checked(start: StartSink) -> None:
    sink = start()

    assert put(sink) == [True]

    (taken,) = sink.taken
    digest = hashlib.sha256(BODY)
    assert taken.path == "/bucket/raw/30d/acme/a%3A1/0123456789abcdef/7/42.eml"
    assert taken.body == BODY
    assert taken.headers["if-none-match"] == "*"
    assert taken.headers["x-amz-meta-role"] == "inbox"
    assert taken.headers["x-amz-content-sha256"] == digest.hexdigest()
    checksum = base64.b64decode(taken.headers["x-amz-checksum-sha256"])
    assert checksum == digest.digest()
    assert taken.headers["authorization"] == signature_of(sink, taken.headers)


def signature_of(sink: HttpSink, headers: dict[str, str]) -> str:
    """As botocore computes it from what arrived."""
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    signed = {name: value for name, value in headers.items() if name.lower() in names}
    request = AWSRequest("PUT", sink.url + "/bucket/" + KEY.replace(":", "%3A"), signed)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = S3SigV4Auth(credentials(), "s3", "eu-central-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    scope, signed_headers = auth.scope(request), ";".join(names)
    signature = auth.signature(text, request)
    return (
        f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed_headers}, "
        f"Signature={signature}"
    )


@pytest.mark.parametrize(
    "answer",
    [
        (503, "SlowDown"),
        (500, "InternalError"),
        (502, ""),
        (400, "RequestTimeout"),
        (409, "ConditionalRequestConflict"),
        HANG_UP,
    ],
)
def test_what_passes_is_tried_again(start: StartSink, answer: Answer) -> None:
    sink = start(answer, answer)

    assert put(sink) == [True]
    assert len(sink.taken) == 3


def test_a_key_that_is_taken_is_no_error(start: StartSink) -> None:
    sink = start((412, "PreconditionFailed"), OK)

    assert put(sink, times=2) == [False, True]


@pytest.mark.parametrize(
    ("answer", "attempts"), [((403, "AccessDenied"), 1), ((503, "SlowDown"), ATTEMPTS)]
)
def test_it_ends_in_an_error_with_its_code(start: StartSink, answer: Answer, attempts: int) -> None:
    sink = start(*[answer] * 10)

    with pytest.raises(ClientError) as refused:
        put(sink)

    assert refused.value.response["Error"]["Code"] == answer[1]
    assert len(sink.taken) == attempts


def test_a_server_that_never_answers_ends_in_an_error(start: StartSink) -> None:
    sink = start(*[HANG_UP] * 10)

    with pytest.raises(OSError):
        put(sink)

    assert len(sink.taken) == ATTEMPTS


def test_connections_are_kept_and_a_stale_one_costs_no_attempt(start: StartSink) -> None:
    sink = start(OK, OK, HANG_UP, *[(503, "SlowDown")] * (ATTEMPTS - 1))

    assert put(sink, times=3) == [True, True, True]

    assert sink.connections == 2
    assert len(sink.taken) == 3 + ATTEMPTS


def test_many_are_underway_in_one_thread(start: StartSink) -> None:
    sink = start(*[OK] * 6)
    sink.together = threading.Barrier(6)
    client = boto3.client("s3", endpoint_url=sink.url)
    quick, outcomes = QuickPut(client, "bucket"), list[Outcome]()
    puts = Puts(quick)

    for number in range(6):
        puts.start(f"{KEY}{number}", BODY * 10_000 * number, {}, outcomes.append)
    puts.finish()

    assert outcomes == [True] * 6
    assert {len(taken.body) for taken in sink.taken} == {len(BODY) * 10_000 * n for n in range(6)}
    assert len(quick.idle) == 6
    quick.close()
    client.close()


def test_they_go_on_until_the_line_can_be_read(start: StartSink) -> None:
    sink = start()
    client = boto3.client("s3", endpoint_url=sink.url)
    quick, outcomes = QuickPut(client, "bucket"), list[Outcome]()
    puts = Puts(quick)
    near, far = socket.socketpair()

    def then(outcome: Outcome) -> None:
        outcomes.append(outcome)
        far.sendall(b"x")

    with near, far:
        puts.start(KEY, BODY, {}, then)
        puts.until(near, 20)
        assert near.recv(1) == b"x"
        puts.until(near, 20)  # nothing is underway: it does not wait

    assert outcomes == [True]
    quick.close()
    client.close()


def test_a_silent_line_is_given_up_though_puts_are_underway() -> None:
    with silent() as url:
        client = boto3.client("s3", endpoint_url=url)
        puts = Puts(QuickPut(client, "bucket"))
        near, far = socket.socketpair()
        with near, far:
            puts.start(KEY, BODY, {}, lambda _: None)
            with pytest.raises(TimeoutError):
                puts.until(near, 0.01)
    puts.abandon()
    client.close()


def test_abandoned_it_ends_with_the_attempt_and_that_with_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes: list[Outcome] = []
    with silent() as url:
        client = boto3.client("s3", endpoint_url=url)
        puts = Puts(QuickPut(client, "bucket"))
        puts.start(KEY, BODY, {}, outcomes.append)
        puts.pump()
        later = time.monotonic() + TIMEOUT_SECONDS + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)

        puts.abandon()

    assert [type(outcome) for outcome in outcomes] == [TimeoutError]
    assert not puts.underway
    client.close()


def test_what_s3_would_not_get_if_we_ended_now_is_counted() -> None:
    large, outcomes = bytes(64 * 1024 * 1024), list[Outcome]()
    with silent() as url:
        client = boto3.client("s3", endpoint_url=url)
        puts = Puts(QuickPut(client, "bucket"))
        puts.start(KEY, large, {}, outcomes.append)  # more than two kernels' buffers
        puts.start(KEY, BODY, {}, outcomes.append)
        assert puts.unsent == len(large) + len(BODY)
        while puts.unsent > len(large):
            puts.pump()
    puts.abandon()

    assert puts.unsent == 0
    assert len(outcomes) == 2
    client.close()


def test_what_is_sent_again_is_unsent_until_then(start: StartSink) -> None:
    sink, outcomes = start((503, "SlowDown")), list[Outcome]()
    client = boto3.client("s3", endpoint_url=sink.url)
    quick = QuickPut(client, "bucket")
    puts = Puts(quick)
    puts.start(KEY, BODY, {}, outcomes.append)
    while puts.unsent:
        puts.pump()
    while not puts.unsent:
        puts.pump()

    assert len(sink.taken) == 1
    puts.finish()
    assert (puts.unsent, outcomes) == (0, [True])
    quick.close()
    client.close()


@contextmanager
def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Certificates]:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.ca_file))
    http_put._tls.cache_clear()
    yield certificates
    http_put._tls.cache_clear()


@pytest.mark.parametrize("size", [1, 60_000, 4_000_000])
def test_over_tls_all_arrives(trusted: Certificates, start: StartSink, size: int) -> None:
    sink = start(context=trusted.server_context())
    client = boto3.client("s3", endpoint_url=sink.url)
    quick = QuickPut(client, "bucket")

    assert [put_one(quick, body=b"x" * size) for _ in range(2)] == [True, True]

    assert [taken.body for taken in sink.taken] == [b"x" * size] * 2
    assert sink.connections == 1
    quick.close()
    client.close()


def test_a_certificate_nobody_vouches_for_is_refused(
    certificates: Certificates, start: StartSink
) -> None:
    http_put._tls.cache_clear()
    sink = start(context=certificates.server_context())

    with pytest.raises(ssl.SSLCertVerificationError):
        put(sink)

    assert not sink.taken


def test_a_put_makes_no_session(start: StartSink, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = start()
    client = boto3.client("s3", endpoint_url=sink.url)
    quick = QuickPut(client, "bucket")
    assert put_one(quick)
    monkeypatch.setattr(boto3.session.Session, "__init__", lambda *_, **__: pytest.fail("made"))

    assert put_one(quick)

    quick.close()
    client.close()


def test_a_bucket_makes_no_client_before_the_first_put(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "client", lambda _: pytest.fail("made"))

    Puts(QuickPut(aws.LateClient("s3"), "bucket"))
