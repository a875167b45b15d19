"""The way to moto, and what goes wrong on it: each HTTP attempt of a boto3 client may be refused,
lose its answer, or be the last thing its process does.

Faults lie between client and moto, so the clients' own retries meet them as they would AWS's.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.s3.models import s3_backends
from tests.support.aws import ACCOUNT
from tests.support.interleaving import Killed

_OPERATION = re.compile(r"before-send\.([a-z0-9]+)\.(\w+)")


class LostError(ConnectionClosedError, OSError):  # type: ignore[misc]  as urllib3's and http.client's are
    """The connection to AWS is gone; whether the request arrived, nobody knows."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        ConnectionClosedError.__init__(self, endpoint_url=request.url)


@dataclass(frozen=True)
class Attempt:
    """`name` as `dynamodb:PutItem`; `body` of a DynamoDB request as JSON."""

    name: str
    request: AWSPreparedRequest

    @property
    def body(self) -> dict[str, Any]:
        raw = self.request.body
        return dict(json.loads(raw)) if raw else {}

    @property
    def key(self) -> str:
        """Of an S3 request."""
        return self.request.url.split("amazonaws.com/", 1)[-1].partition("?")[0]


Send = Callable[[], AWSResponse]
Fault = Callable[[Attempt, Send], AWSResponse]


@dataclass
class FaultyAws:
    """`at` decides for each attempt, by its number, which Fault meets it; `saw` hears of every
    attempt that moto answered well. Dead, nothing gets through."""

    at: Callable[[int, Attempt], Fault | None] = lambda _number, _attempt: None
    saw: Callable[[Attempt], None] = lambda _attempt: None
    attempts: int = 0
    created: Counter[str] = field(default_factory=Counter)
    dead: bool = False
    _completed: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def meet(self, attempt: Attempt, send: Send) -> AWSResponse:
        with self._lock:
            number, self.attempts = self.attempts, self.attempts + 1
            if self.dead:
                raise Killed
            fault = self.at(number, attempt)
        return fault(attempt, send) if fault else send()

    def note(self, attempt: Attempt, answer: AWSResponse) -> None:
        if answer.status_code >= 300:
            return
        if attempt.name == "s3:PutObject" or self._is_completed(attempt):
            self.created[attempt.key] += 1
        self.saw(attempt)

    def _is_completed(self, attempt: Attempt) -> bool:
        """S3 answers well to the same completion twice, and has one object (API reference)."""
        url = attempt.request.url
        if attempt.name != "s3:CompleteMultipartUpload" or url in self._completed:
            return False
        self._completed.add(url)
        return True

    def kill_before(self, _attempt: Attempt, _send: Send) -> AWSResponse:
        self.dead = True
        raise Killed

    def kill_after(self, _attempt: Attempt, send: Send) -> AWSResponse:
        send()
        self.dead = True
        raise Killed


def lose_answer(attempt: Attempt, send: Send) -> AWSResponse:
    send()
    raise LostError(attempt.request)


def lose_request(attempt: Attempt, _send: Send) -> AWSResponse:
    raise LostError(attempt.request)


def refuse(status: int, code: str) -> Fault:
    def fault(attempt: Attempt, _send: Send) -> AWSResponse:
        if attempt.name.startswith("s3:"):
            body = f"<Error><Code>{code}</Code><Message>-</Message></Error>"
        else:
            body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"})
        raw = MockRawResponse(body)
        return AWSResponse(attempt.request.url, status, {}, raw)  # type: ignore[arg-type]  as moto

    return fault


def stored_in(bucket: str) -> dict[str, bytes]:
    """Keys and bytes, read from moto itself."""
    keys = s3_backends[ACCOUNT]["aws"].buckets[bucket].keys
    return {str(name): key.value for name, key in keys.items()}


def has_stored(bucket: str, key: str) -> bool:
    return key in s3_backends[ACCOUNT]["aws"].buckets[bucket].keys


@contextmanager
def meeting(faulty: FaultyAws) -> Iterator[None]:
    """Every request to moto passes by `faulty`."""
    answer = BotocoreStubber.__call__

    def met(self: Any, event_name: str, request: AWSPreparedRequest, **kwargs: Any) -> Any:
        found = _OPERATION.match(event_name)
        if not found or not self.enabled:
            return answer(self, event_name, request, **kwargs)
        attempt = Attempt(f"{found[1]}:{found[2]}", request)

        def send() -> Any:
            response = answer(self, event_name, request, **kwargs)
            faulty.note(attempt, response)
            return response

        return faulty.meet(attempt, send)

    setattr(BotocoreStubber, "__call__", met)  # noqa: B010  mypy forbids the plain form
    try:
        yield
    finally:
        setattr(BotocoreStubber, "__call__", answer)  # noqa: B010  same
