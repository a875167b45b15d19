"""Queues to handlers, as Lambda's event source mappings do it.

A message is received (its count goes up, it is invisible for the queue's visibility timeout),
handed over in a batch, and deleted unless the answer lists it in `batchItemFailures` or the
function raised. What is left comes back after the timeout; after `maxReceiveCount` receives the
queue moves it to its dead-letter queue. Never long-polls: moto sleeps inside its lock.
"""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from infra.local.aws import REGION, client, let_time_pass
from infra.local.runtime import Runtime
from infra.local.streams import StreamPump
from infra.local.wiring import EventSource, StreamSource

RECEIVE_LIMIT = 10  # AWS: messages per ReceiveMessage
IDLE_PAUSE = 0.2  # seconds between looks at empty queues

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drained:
    """`batches` handed over, `failed` deliveries (a message counts each time it fails)."""

    batches: int
    failed: int


class NeverIdleError(Exception):
    """The queues kept filling themselves: something writes to what triggers it."""


class Pump:
    def __init__(self, sources: Iterable[EventSource | StreamSource], runtime: Runtime) -> None:
        wanted = list(sources)
        self._sources = [source for source in wanted if isinstance(source, EventSource)]
        self._streams = [StreamPump(s, runtime) for s in wanted if isinstance(s, StreamSource)]
        self._runtime = runtime
        self._sqs = client("sqs")
        self._urls = {
            source.queue_arn: self._sqs.get_queue_url(QueueName=source.queue_name)["QueueUrl"]
            for source in self._sources
        }
        self._one_round = threading.Lock()  # drain() beside a ticking serve: never two deliveries

    def round(self) -> Drained:
        """At most one batch of every queue and stream."""
        with self._one_round:
            results = [self._deliver(source) for source in self._sources]
            results += [stream.deliver() for stream in self._streams]
        return Drained(sum(r is not None for r in results), sum(r or 0 for r in results))

    def drain(self, *, delays: bool = False, rounds: int = 10_000) -> Drained:
        """Rounds until nothing is left. A failed message comes back at once, as if its timeout had
        passed, and ends in the dead-letter queue. Delayed messages stay, unless `delays`.

        Raises NeverIdleError after `rounds`.
        """
        batches = failed = 0
        for _ in range(rounds):
            done = self.round()
            batches, failed = batches + done.batches, failed + done.failed
            if not done.batches and not self._let_time_pass(delays=delays):
                return Drained(batches, failed)
        raise NeverIdleError(f"still busy after {rounds} rounds")

    def run(self, stop: threading.Event) -> None:
        """Rounds in real time until `stop` is set: failed messages wait out their timeout."""
        while not stop.is_set():
            if not self.round().batches:
                stop.wait(IDLE_PAUSE)

    def _let_time_pass(self, *, delays: bool) -> int:
        with self._one_round:  # not while another thread works on what is in flight
            names = [source.queue_name for source in self._sources]
            return sum(let_time_pass(name, delays=delays) for name in names)

    def _deliver(self, source: EventSource) -> int | None:
        """How many messages of one batch failed; None where the queue is empty."""
        url = self._urls[source.queue_arn]
        messages = self._receive(url, source.batch_size)
        if not messages:
            return None
        failed = self._failed(source, messages)
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(failed)

    def _receive(self, url: str, batch_size: int) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        while len(messages) < batch_size:
            answer = self._sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(RECEIVE_LIMIT, batch_size - len(messages)),
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
                WaitTimeSeconds=0,
            )
            if not answer.get("Messages"):
                break
            messages += answer["Messages"]
        return messages

    def _failed(self, source: EventSource, messages: list[dict[str, Any]]) -> set[str]:
        """Message ids that stay in the queue."""
        everything = {message["MessageId"] for message in messages}
        event = {"Records": [sqs_record(message, source.queue_arn) for message in messages]}
        try:
            answer = self._runtime.invoke(source.function, event)
        except Exception:  # the queue boundary: the batch comes back
            _log.exception("%s failed", source.function)
            return everything
        if not source.partial_responses or not answer:
            return set()
        failures = answer.get("batchItemFailures") or []
        failed = {failure.get("itemIdentifier") for failure in failures}
        return failed if failed <= everything else everything  # an unknown id fails all, as on AWS


def sqs_record(message: dict[str, Any], queue_arn: str) -> dict[str, Any]:
    """One record of Lambda's SQS event."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "stringValue": value.get("StringValue"),
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
