"""Which AWS operations our clients call, in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ablage.store.aws import client

SERVICES = ("dynamodb", "s3", "sqs", "kms")


@contextmanager
def aws_calls() -> Iterator[list[str]]:
    """`dynamodb:PutItem`, in the order they are made; a retry counts again."""
    calls: list[str] = []

    def note(model: Any, **_: Any) -> None:
        calls.append(f"{model.service_model.service_name}:{model.name}")

    for service in SERVICES:
        client(service).meta.events.register("before-call", note, unique_id="calls")
    try:
        yield calls
    finally:
        for service in SERVICES:
            client(service).meta.events.unregister("before-call", unique_id="calls")
