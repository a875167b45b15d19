"""A table's stream to its handler, as Lambda's event source mapping does it: in order, filtered,
from the record on that the answer names as failed again."""

import logging
from collections.abc import Mapping
from typing import Any

from infra.local.aws import client
from infra.local.runtime import Runtime
from infra.local.wiring import StreamSource

_log = logging.getLogger(__name__)


class StreamPump:
    def __init__(self, source: StreamSource, runtime: Runtime) -> None:
        self._source = source
        self._runtime = runtime
        self._streams = client("dynamodbstreams")
        described = self._streams.describe_stream(StreamArn=source.stream_arn)
        (self._shard,) = described["StreamDescription"]["Shards"]
        self._waiting: list[dict[str, Any]] = []
        self._iterator = self._streams.get_shard_iterator(
            StreamArn=source.stream_arn,
            ShardId=self._shard["ShardId"],
            ShardIteratorType="TRIM_HORIZON",
        )["ShardIterator"]

    def deliver(self) -> int | None:
        """How many records of one batch failed; None where there was none."""
        answer = self._streams.get_records(ShardIterator=self._iterator)
        self._iterator = answer["NextShardIterator"]
        self._waiting += [r for r in answer["Records"] if matches(self._source.pattern, r)]
        batch = self._waiting[: self._source.batch_size]
        if not batch:
            return None
        failed = self._failed(batch)
        self._waiting = self._waiting[len(batch) - failed :]
        return failed

    def _failed(self, batch: list[dict[str, Any]]) -> int:
        try:
            answer = self._runtime.invoke(self._source.function, {"Records": _plain(batch)})
        except Exception:  # the stream's boundary: the batch comes again
            _log.exception("%s failed", self._source.function)
            return len(batch)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        failures = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        return len(batch) - min((numbers.index(f) for f in failures), default=len(batch))


def matches(pattern: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Lambda's filter patterns, of which the template uses equality alone."""
    return all(
        matches(wanted, given.get(name, {}))
        if isinstance(wanted, Mapping)
        else given.get(name) in wanted
        for name, wanted in pattern.items()
    )


def _plain(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a handler gets is JSON: no times, no bytes."""
    return [
        {
            "eventName": record["eventName"],
            "eventSource": "aws:dynamodb",
            "dynamodb": {
                name: record["dynamodb"][name] for name in ("Keys", "NewImage", "SequenceNumber")
            },
        }
        for record in batch
    ]
