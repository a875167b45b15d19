"""The table's stream to the event bus: every row of the feed, as soon as it stands there. Webhooks
are woken to read it.

The feed is the truth: a row comes through the stream once it is durable, in the order of its day,
again and again (a day at most) until its events are on the bus. Nothing is written, so nothing
can be left half done. Wakes come first: where they cannot be sent, the bus hears nothing twice.
"""

import functools
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ablage.events import told
from ablage.observability import Summary, service_logger
from ablage.settings import settings
from ablage.store.aws import LateClient, client
from ablage.store.bus import Bus
from ablage.store.feed import tenant_of
from ablage.store.queues import Queues
from ablage.store.table import Table, item_of
from deliver.wakes import Wakes

logger = service_logger("deliver")


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """The first row that could not be sent: from it on the stream comes again."""
    bus, summary = Bus(client("events"), settings().event_bus_name), Summary()
    rows = [item_of(record["dynamodb"]["NewImage"]) for record in event["Records"]]
    summary.count("wakes", wakes().wake(map(tenant_of, rows)))
    failed: list[dict[str, str]] = []
    for record, row in zip(event["Records"], rows, strict=True):
        events = list(told(row))
        if not bus.put(tenant_of(row), events):
            failed = [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]
            logger.error("bus_refused", extra={"events": len(events)})
            break
        summary.count("events", len(events))
    summary.log(logger, "delivered")
    return {"batchItemFailures": failed}


@functools.cache
def wakes() -> Wakes:
    known = settings()
    queues = Queues(LateClient("sqs"), known)  # most tenants have no webhooks
    return Wakes(Table(client("dynamodb"), known.table_name), queues)
