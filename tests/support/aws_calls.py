"""Which AWS operations our clients call, in order."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.interleaving import Killed

from ablage.store.aws import client

SERVICES = ("dynamodb", "s3", "sqs", "kms")
_DOOR = re.compile(rb"#RATE#api-|#USAGE")
SENT, ANSWERED = "before-send", "response-received"  # also of requests that go past boto3


@contextmanager
def aws_calls() -> Iterator[list[str]]:
    """`dynamodb:PutItem`, in the order they are made; a retry counts again. What the API's door
    counts of requests (allowances, usage) is no route's doing, and left out."""
    calls: list[str] = []

    def note(event_name: str, request: Any, **_: Any) -> None:
        _, service, operation = event_name.split(".")
        body = request.body if isinstance(request.body, bytes) else b""
        if operation != "UpdateItem" or not _DOOR.search(body):
            calls.append(f"{service}:{operation}")

    for service in SERVICES:
        client(service).meta.events.register_first(SENT, note, unique_id="calls")
    try:
        yield calls
    finally:
        for service in SERVICES:
            client(service).meta.events.unregister(SENT, unique_id="calls")


@contextmanager
def killed_at(number: int, moment: str) -> Iterator[list[bool]]:
    """Dies `before-call` or `after-call` number `number` (from 0); every later call dies too.
    What is yielded is empty while it lives."""
    calls = itertools.count()
    dead: list[bool] = []

    def hook(**_: Any) -> None:
        if dead or next(calls) == number:
            dead.append(True)
            raise Killed

    for service in SERVICES:
        client(service).meta.events.register(moment, hook, unique_id="kill")
    try:
        yield dead
    except Killed:
        pass
    finally:
        for service in SERVICES:
            client(service).meta.events.unregister(moment, unique_id="kill")
