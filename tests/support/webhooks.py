"""Webhooks as the API leaves them in the table, under ids of the test's own."""

import time
from typing import Any

from ablage.store import webhook_deliveries, webhooks
from ablage.store.feed import milliseconds, moment
from ablage.store.storage import storage
from ablage.tenancy import TenantId
from ablage.webhooks import Delivery, Webhook

URL = "https://crm.example/hooks"
AT = "2026-11-26T10:15:02.123Z"


def stored_webhook(tenant: TenantId, webhook_id: str, **config: Any) -> None:
    """Of a secret that nobody can open."""
    made = Webhook(webhook_id, URL, created_at="2026-11-20T10:00:00Z", **config)
    webhooks.create(
        storage().table,
        tenant,
        made,
        {"schema": 1, "kind": webhooks.SECRET_KIND, "sealed": b"x"},
        position=moment(milliseconds(time.time)),
        now=int(time.time()),
        most=100,
    )


def stored_delivery(tenant: TenantId, webhook_id: str, number: int = 1, **more: Any) -> str:
    """Its id."""
    event = {"id": f"{number:032x}", "type": "EmailHeld", "at": AT, "message": "m" * 26}
    delivery = Delivery(event, **more)
    webhook_deliveries.put_delivery(storage().table, tenant, webhook_id, delivery)
    return delivery.delivery_id
