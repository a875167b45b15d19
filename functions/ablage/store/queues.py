"""The queues. Bodies are JSON; messages of all but MatchQueue name their tenant (fair queues:
MessageGroupId on a standard queue evens out tenants and orders nothing)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablage.settings import Settings
from ablage.tenancy import TenantId

BATCH = 10  # AWS: entries of one SendMessageBatch
BATCH_TRIES = 3

Body = Mapping[str, Any]


@dataclass(frozen=True)
class TenantBody:
    """`delay`: seconds until a worker sees it, at most 900."""

    tenant: TenantId
    body: Body
    delay: int = 0


class Queues:
    """`client` is a botocore SQS client."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def match(self, body: Body, delay: int = 0) -> None:
        self._client.send_message(
            QueueUrl=self._settings.match_queue_url,
            MessageBody=json.dumps(body, separators=(",", ":")),
            DelaySeconds=delay,
        )

    def match_batch(self, bodies: Sequence[Body]) -> None:
        for start in range(0, len(bodies), BATCH):
            part = bodies[start : start + BATCH]
            entries = [_entry(number, body) for number, body in enumerate(part)]
            self._send(self._settings.match_queue_url, entries)

    def sync(self, tenant: TenantId, body: Body) -> None:
        self.sync_batch([TenantBody(tenant, body)])

    def backfill(self, tenant: TenantId, body: Body) -> None:
        self.backfill_batch([TenantBody(tenant, body)])

    def sync_batch(self, messages: Sequence[TenantBody]) -> None:
        """One SendMessageBatch per ten messages."""
        self._send_tenants(self._settings.sync_queue_url, messages)

    def backfill_batch(self, messages: Sequence[TenantBody]) -> None:
        self._send_tenants(self._settings.backfill_queue_url, messages)

    def webhooks(self, messages: Sequence[TenantBody]) -> None:
        self._send_tenants(self._settings.webhook_queue_url, messages)

    def _send_tenants(self, url: str, messages: Sequence[TenantBody]) -> None:
        for start in range(0, len(messages), BATCH):
            part = messages[start : start + BATCH]
            self._send(
                url,
                [
                    _entry(number, message.body)
                    | {"MessageGroupId": message.tenant, "DelaySeconds": message.delay}
                    for number, message in enumerate(part)
                ],
            )

    def _send(self, url: str, entries: list[dict[str, Any]]) -> None:
        """SendMessageBatch answers 200 even when some entries failed: those are sent again, then
        RuntimeError."""
        for _ in range(BATCH_TRIES):
            answer = self._client.send_message_batch(QueueUrl=url, Entries=entries)
            failed = {entry["Id"] for entry in answer.get("Failed", [])}
            entries = [entry for entry in entries if entry["Id"] in failed]
            if not entries:
                return
        raise RuntimeError("SQS refused part of a batch")


class Unsent(Queues):
    """Match's own: no function writes to what triggers it. What a killed slice or repair left of a
    record is finished when its job, or its message, comes again."""

    def __init__(self) -> None:
        """Needs no client."""

    def match(self, body: Body, delay: int = 0) -> None:
        """Is not sent."""


def _entry(number: int, body: Body) -> dict[str, Any]:
    return {"Id": str(number), "MessageBody": json.dumps(body, separators=(",", ":"))}
