"""What the routes of webhooks share."""

import time

from ablage.store import feed, webhooks
from ablage.store.storage import storage
from ablage.tenancy import TenantId


def wake(tenant: TenantId, webhook_id: str) -> None:
    """At once; should the message be lost, dispatch finds it due."""
    storage().queues.webhooks([webhooks.wake(tenant, webhook_id)])


def now_moment() -> str:
    """As the feed counts."""
    return feed.moment(feed.milliseconds(time.time))
