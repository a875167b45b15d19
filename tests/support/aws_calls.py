"""Which AWS operations our clients call, in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ablage.store.aws import client

SERVICES = ("dynamodb", "s3", "sqs", "kms")
SENT, ANSWERED = "before-send", "response-received"  # also of requests that go past boto3


@contextmanager
def aws_calls() -> Iterator[list[str]]:
    """`dynamodb:PutItem`, in the order they are made; a retry counts again."""
    calls: list[str] = []

    def note(event_name: str, **_: Any) -> None:
        _, service, operation = event_name.split(".")
        calls.append(f"{service}:{operation}")

    for service in SERVICES:
        client(service).meta.events.register_first(SENT, note, unique_id="calls")
    try:
        yield calls
    finally:
        for service in SERVICES:
            client(service).meta.events.unregister(SENT, unique_id="calls")
