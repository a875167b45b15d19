"""A table's stream to a handler: filtered, in order, from the failed record on again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from infra.local.aws import client, local_aws
from infra.local.runtime import Runtime
from infra.local.streams import StreamPump
from infra.local.wiring import Function, StreamSource

PATTERN = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"ev": {"BOOL": [True]}}}}


@pytest.fixture
def stream() -> Iterator[str]:
    with local_aws():
        made = client("dynamodb").create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        yield made["TableDescription"]["LatestStreamArn"]


def put(name: str, *, marked: bool = True) -> None:
    mark = {"ev": {"BOOL": True}} if marked else {}
    client("dynamodb").put_item(TableName="t", Item={"pk": {"S": name}, **mark})


class Worker:
    """Remembers what came; fails those in `bad`, once each."""

    def __init__(self, *bad: str) -> None:
        self.bad = list(bad)
        self.batches: list[list[str]] = []

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        records = [record["dynamodb"] for record in event["Records"]]
        names = [record["NewImage"]["pk"]["S"] for record in records]
        self.batches.append(names)
        for name, record in zip(names, records, strict=True):
            if name in self.bad:
                self.bad.remove(name)
                return {"batchItemFailures": [{"itemIdentifier": record["SequenceNumber"]}]}
        return {"batchItemFailures": []}


def pump(stream: str, worker: Any) -> StreamPump:
    runtime = Runtime({"W": Function("W", "w.handler", 60, 256, {})}, Path(), {"W": worker})
    return StreamPump(StreamSource("W", stream, 2, PATTERN), runtime)


def test_new_items_with_the_mark_come_in_order_in_batches(stream: str) -> None:
    worker = Worker()
    pumped = pump(stream, worker)
    for name in ("a", "b", "c"):
        put(name)
        put(f"{name}-unmarked", marked=False)
    put("a")  # again: no new one
    client("dynamodb").delete_item(TableName="t", Key={"pk": {"S": "b"}})

    assert [pumped.deliver() for _ in range(3)] == [0, 0, None]
    assert worker.batches == [["a", "b"], ["c"]]


def test_from_a_failed_record_on_they_come_again(stream: str) -> None:
    worker = Worker("b")
    pumped = pump(stream, worker)
    for name in ("a", "b", "c"):
        put(name)

    assert [pumped.deliver() for _ in range(3)] == [1, 0, None]
    assert worker.batches == [["a", "b"], ["b", "c"]]


def test_a_batch_whose_function_raised_comes_again_whole(stream: str) -> None:
    calls: list[int] = []

    def raises_once(event: dict[str, Any], context: Any) -> dict[str, Any]:
        calls.append(len(event["Records"]))
        if len(calls) == 1:
            raise RuntimeError
        return {"batchItemFailures": []}

    pumped = pump(stream, raises_once)
    put("a")

    assert [pumped.deliver(), pumped.deliver(), pumped.deliver()] == [1, 0, None]
    assert calls == [1, 1]
