"""Counts AWS calls and computes their capacity units from what was sent and answered.

Sizes and rounding as AWS documents them: an attribute is its name plus its value; reads round up to
4 KB (half price when eventually consistent), writes to 1 KB. moto's own figures are not used.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from boto3.dynamodb.types import Binary

READ_BYTES, WRITE_BYTES = 4096, 1024


def value_bytes(wire: dict[str, Any]) -> int:
    """Of one attribute value in DynamoDB's JSON."""
    ((kind, value),) = wire.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return len(value.lstrip("-0.").rstrip("0.")) // 2 + 1
    if kind == "B":
        return len(value.value if isinstance(value, Binary) else value)
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "L":
        return 3 + sum(1 + value_bytes(inner) for inner in value)
    if kind == "M":
        return 3 + sum(1 + len(n.encode()) + value_bytes(inner) for n, inner in value.items())
    return sum(value_bytes({kind[0]: inner}) for inner in value)


def item_bytes(item: dict[str, Any]) -> int:
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def _units(size: int, step: int) -> int:
    return max(1, -(-size // step))


@dataclass
class MessageCost:
    reads: float = 0.0
    writes: float = 0.0
    archive_rows: list[int] = field(default_factory=list)  # bytes of each that was put


class Meter:
    """`calls` by service and operation; `reads` and `writes` in capacity units of DynamoDB;
    `batch_keys` BatchGetItem was asked for. `messages` holds what was read and written from reading
    one message item to reading the next, rounds for the whole batch left out."""

    def __init__(self, *clients: Any) -> None:
        self.calls: Counter[str] = Counter()
        self.reads = 0.0
        self.writes = 0.0
        self.batch_keys = 0
        self.messages: dict[str, MessageCost] = {}
        self._message = MessageCost()
        for client in clients:
            client.meta.events.register("provide-client-params", self._sent)
            client.meta.events.register("after-call", self._answered)
        self._sending = threading.local()  # a request is answered in the thread that sent it
        self._lock = threading.Lock()

    @contextmanager
    def measured(self) -> Iterator["Meter"]:
        self.calls.clear()
        self.reads = self.writes = 0.0
        self.batch_keys = 0
        self.messages.clear()
        self._message = MessageCost()
        yield self

    def report(self, per: int = 1) -> dict[str, Any]:
        return {
            "calls": {name: count / per for name, count in sorted(self.calls.items())},
            "read_units": self.reads / per,
            "write_units": self.writes / per,
        }

    def _sent(self, params: dict[str, Any], **_: Any) -> None:
        self._sending.request = params

    def _answered(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        count = getattr(self, f"_{model.name.lower()}", None)
        with self._lock:
            self.calls[f"{model.service_model.service_name}:{model.name}"] += 1
            if count:
                self._count(model.name, lambda: count(self._request, parsed))

    @property
    def _request(self) -> dict[str, Any]:
        request: dict[str, Any] = self._sending.request
        return request

    def _count(self, operation: str, count: Callable[[], None]) -> None:
        key = self._request.get("Key", {})
        if operation == "GetItem" and key["sk"]["S"] == "MESSAGE":
            self._message = self.messages.setdefault(key["pk"]["S"], MessageCost())
        reads, writes = self.reads, self.writes
        count()
        if operation != "BatchGetItem":
            self._message.reads += self.reads - reads
            self._message.writes += self.writes - writes

    def _getitem(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        units = _units(item_bytes(answer.get("Item", {})), READ_BYTES)
        self.reads += units if request.get("ConsistentRead") else units / 2

    def _batchgetitem(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        asked = sum(len(table["Keys"]) for table in request["RequestItems"].values())
        items = [item for table in answer["Responses"].values() for item in table]
        found = sum(_units(item_bytes(item), READ_BYTES) for item in items)
        self.batch_keys += asked
        self.reads += (found + asked - len(items)) / 2

    def _query(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        size = sum(item_bytes(item) for item in answer["Items"])
        units = _units(size, READ_BYTES)
        self.reads += units if request.get("ConsistentRead") else units / 2

    def _putitem(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        size = item_bytes(request["Item"])
        self.writes += _units(size, WRITE_BYTES)
        if request["Item"]["sk"]["S"].startswith("FILED#"):
            self._message.archive_rows.append(size)

    def _updateitem(self, _: dict[str, Any], answer: dict[str, Any]) -> None:
        self.writes += _units(item_bytes(answer.get("Attributes", {})), WRITE_BYTES)

    def _deleteitem(self, _: dict[str, Any], __: dict[str, Any]) -> None:
        self.writes += 1

    def _transactwriteitems(self, request: dict[str, Any], _: dict[str, Any]) -> None:
        for action in request["TransactItems"]:
            item = action.get("Put", {}).get("Item", {})
            self.writes += 2 * _units(item_bytes(item), WRITE_BYTES)
