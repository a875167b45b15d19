"""Webhooks of a tenant, rows of its feed, and a worker whose clocks a test turns."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.receiver import Receiver

from ablage.events import told
from ablage.mailbox.network import Network
from ablage.observability import Summary
from ablage.settings import settings
from ablage.store import feed, webhook_deliveries, webhooks
from ablage.store.aws import client
from ablage.store.secrets import Secret, seal
from ablage.store.storage import Storage
from ablage.store.webhook_secrets import WebhookSecrets
from ablage.store.webhooks import SECRET_KIND, Hook, secret_owner
from ablage.tenancy import TenantId
from ablage.webhook_wire import HTTPS_PORT, secret_text
from ablage.webhooks import Delivery, Webhook
from webhook.tell import tell
from webhook.tools import Tools

SECRET = secret_text(bytes(range(32)))
START = 1_795_514_400  # epoch seconds
CREATED = "2026-11-24T10:00:00Z"


@dataclass
class Clock:
    """`at`: epoch seconds, as a test turns them."""

    at: float = START

    def now(self) -> float:
        return self.at

    def clock(self) -> float:
        return time.monotonic()


@dataclass
class Worker:
    where: Storage
    network: Network
    clock: Clock = field(default_factory=Clock)
    jitter: float = 0.0

    def __post_init__(self) -> None:
        self._secrets = WebhookSecrets(self.where.table, client("kms"), self._now)

    def _now(self) -> float:
        return self.clock.now()

    def tell(self, tenant: TenantId, webhook_id: str = "h1") -> dict[str, int]:
        """What the summary counts of it."""
        clock, summary = self.clock, Summary()
        tools = Tools(
            table=self.where.table,
            network=self.network,
            secrets=self._secrets,
            now=clock.now,
            clock=clock.clock,
            jitter=lambda: self.jitter,
        )
        tell(tools, tenant, webhook_id, summary)
        return summary.counts()


def network_to(receiver: Receiver, ca_file: Path) -> Network:
    return Network(str(ca_file), frozenset({receiver.authority}), only_port=HTTPS_PORT)


def sealed(tenant: TenantId, webhook_id: str, secret: str = SECRET) -> Any:
    wanted = Secret(SECRET_KIND, secret)
    return seal(client("kms"), settings().secrets_key_id, tenant, secret_owner(webhook_id), wanted)


def add_hook(
    where: Storage, tenant: TenantId, url: str, webhook_id: str = "h1", **known: Any
) -> Hook:
    """Made an hour before START."""
    config = Webhook(webhook_id, url, created_at=CREATED, **known)
    begin, position = START - 3600, feed.moment((START - 3600) * 1000)
    webhooks.create(
        where.table,
        tenant,
        config,
        sealed(tenant, webhook_id),
        position=position,
        now=begin,
        most=10,
    )
    return webhooks.get(where.table, tenant, webhook_id)


def happened(
    where: Storage, tenant: TenantId, name: str, seconds_ago: float = 60, now: float = START
) -> str:
    """A row of the feed; the id of its event."""
    at = int((now - seconds_ago) * 1000)
    row = feed.fact(tenant, at, "JobFinished", name, {"job": name, "kind": "sync"})
    where.table.put(row.key, row.item)
    (event,) = told(row.item | {"sk": row.key[1]})
    return event.event_id


def hook_of(where: Storage, tenant: TenantId, webhook_id: str = "h1") -> Hook:
    return webhooks.get(where.table, tenant, webhook_id)


def deliveries(where: Storage, tenant: TenantId, webhook_id: str = "h1") -> list[Delivery]:
    """Oldest first."""
    found, _ = webhook_deliveries.deliveries_page(where.table, tenant, webhook_id, limit=1000)
    return found[::-1]


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    try:
        yield receiver
    finally:
        receiver.stop()
