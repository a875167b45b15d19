"""The quick PUT against real sockets: what it sends, what it repeats, and when it stops."""

import base64
import hashlib
from collections.abc import Iterator

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from tests.support.http_sink import HANG_UP, OK, Answer, HttpSink, StartSink

from ablage.store.quick_put import ATTEMPTS, QuickPut

KEY = "raw/30d/acme/a:1/0123456789abcdef/7/42.eml"
BODY = b"From: a@kunde.de\r\n\r\nhello"


@pytest.fixture
def start() -> Iterator[StartSink]:
    started: list[HttpSink] = []

    def start(*answers: Answer) -> HttpSink:
        started.append(HttpSink(*answers))
        return started[-1]

    yield start
    for sink in started:
        sink.stop()


def put(sink: HttpSink, times: int = 1) -> list[bool]:
    client = boto3.client("s3", endpoint_url=sink.url)
    quick = QuickPut(client, "bucket", sleep=lambda _: None)
    try:
        return [quick.put(KEY, BODY, {"x-amz-meta-role": "inbox"}) for _ in range(times)]
    finally:
        quick.close()
        client.close()


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
    session = boto3.DEFAULT_SESSION or boto3.Session()
    auth = S3SigV4Auth(session.get_credentials(), "s3", "eu-central-1")
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
