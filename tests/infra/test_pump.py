"""Queues to handlers: what Lambda's event source mappings promise."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from infra.local.aws import client, local_aws
from infra.local.pump import NeverIdleError, Pump
from infra.local.runtime import Runtime
from infra.local.wiring import EventSource, Function

Event = dict[str, Any]
Handler = Callable[[Event, Any], Any]


class Bench:
    """One queue that redrives after two receives, its dead-letter queue, and a function."""

    def __init__(self) -> None:
        self.sqs = client("sqs")
        self.dead = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 2}
        self.queue = self.sqs.create_queue(
            QueueName="work",
            Attributes={"VisibilityTimeout": "720", "RedrivePolicy": json.dumps(redrive)},
        )["QueueUrl"]

    @staticmethod
    def arn(name: str) -> str:
        return f"arn:aws:sqs:eu-central-1:123456789012:{name}"

    def pump(self, handler: Handler, *, batch_size: int = 10, partial: bool = True) -> Pump:
        function = Function("Worker", "work.handler", 60, 512, {})
        runtime = Runtime({"Worker": function}, code=Path(), handlers={"Worker": handler})
        return Pump([EventSource("Worker", self.arn("work"), batch_size, partial)], runtime)

    def send(self, *bodies: str, delay: int = 0) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=body, DelaySeconds=delay)

    def left(self, url: str) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        told = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        visible, in_flight, delayed = (int(told[name]) for name in names)
        return visible, in_flight, delayed


@pytest.fixture
def bench() -> Iterator[Bench]:
    with local_aws():
        yield Bench()


class Recorder:
    """A handler that remembers bodies and fails those in `bad`."""

    def __init__(self, *bad: str) -> None:
        self.bad = bad
        self.batches: list[list[str]] = []
        self.events: list[Event] = []

    def __call__(self, event: Event, context: Any) -> Event:
        self.events.append(event)
        self.batches.append([record["body"] for record in event["Records"]])
        failed = [r["messageId"] for r in event["Records"] if r["body"] in self.bad]
        return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failed]}

    def count(self, body: str) -> int:
        return sum(batch.count(body) for batch in self.batches)


def test_records_have_the_shape_of_lambdas_events(bench: Bench) -> None:
    handler = Recorder()
    bench.send('{"a": 1}')

    bench.pump(handler).drain()

    (record,) = handler.events[0]["Records"]
    assert record["body"] == '{"a": 1}'
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == bench.arn("work")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"messageId", "receiptHandle", "md5OfBody", "awsRegion"} <= record.keys()


def test_batches_are_no_larger_than_the_source_says(bench: Bench) -> None:
    handler = Recorder()
    bench.send(*"abcde")

    bench.pump(handler, batch_size=2).drain()

    assert sorted(map(len, handler.batches)) == [1, 2, 2]


def test_a_partial_answer_keeps_the_failed_message_alone(bench: Bench) -> None:
    handler = Recorder("bad")
    bench.send("good", "bad")

    done = bench.pump(handler).round()

    assert (done.batches, done.failed) == (1, 1)
    assert bench.left(bench.queue) == (0, 1, 0)


def test_a_failed_message_stays_invisible_until_time_passes(bench: Bench) -> None:
    handler = Recorder("bad")
    bench.send("bad")
    pump = bench.pump(handler)

    pump.round()
    pump.round()

    assert handler.count("bad") == 1


def test_a_message_that_always_fails_ends_in_the_dead_letter_queue(bench: Bench) -> None:
    handler = Recorder("bad")
    bench.send("good", "bad")

    done = bench.pump(handler).drain()

    assert (handler.count("good"), handler.count("bad"), done.failed) == (1, 2, 2)
    assert bench.left(bench.queue) == (0, 0, 0)
    assert bench.left(bench.dead) == (1, 0, 0)


def test_receive_counts_go_up(bench: Bench) -> None:
    handler = Recorder("bad")
    bench.send("bad")

    bench.pump(handler).drain()

    counts = [e["Records"][0]["attributes"]["ApproximateReceiveCount"] for e in handler.events]
    assert counts == ["1", "2"]


def test_a_function_that_raises_fails_its_whole_batch(bench: Bench) -> None:
    def handler(event: Event, context: Any) -> None:
        raise RuntimeError("broken")

    bench.send("a", "b")

    done = bench.pump(handler).drain()

    assert done.failed == 4
    assert bench.left(bench.dead) == (2, 0, 0)


def test_an_unknown_id_in_the_answer_fails_the_whole_batch(bench: Bench) -> None:
    def handler(event: Event, context: Any) -> Event:
        return {"batchItemFailures": [{"itemIdentifier": "no such message"}]}

    bench.send("a", "b")

    assert bench.pump(handler).round().failed == 2


def test_a_source_without_partial_answers_ignores_them(bench: Bench) -> None:
    handler = Recorder("bad")
    bench.send("bad")

    bench.pump(handler, partial=False).drain()

    assert handler.count("bad") == 1
    assert bench.left(bench.dead) == (0, 0, 0)


def test_a_delayed_message_waits(bench: Bench) -> None:
    handler = Recorder()
    bench.send("later", delay=60)

    bench.pump(handler).drain()

    assert handler.count("later") == 0
    assert bench.left(bench.queue) == (0, 0, 1)


def test_a_delayed_message_is_delivered_once_its_time_is_over(bench: Bench) -> None:
    handler = Recorder()
    bench.send("later", delay=60)

    bench.pump(handler).drain(delays=True)

    assert handler.count("later") == 1


def test_what_a_handler_sends_is_drained_too(bench: Bench) -> None:
    def handler(event: Event, context: Any) -> None:
        for record in event["Records"]:
            if record["body"] == "first":
                bench.send("second")

    bench.send("first")

    assert bench.pump(handler).drain().batches == 2


def test_a_queue_that_fills_itself_is_found(bench: Bench) -> None:
    def handler(event: Event, context: Any) -> None:
        bench.send("again")

    bench.send("again")

    with pytest.raises(NeverIdleError):
        bench.pump(handler).drain(rounds=20)
