"""One module per resource. Importing them registers their operations with `router`."""

from api.operations import OPERATIONS, router
from api.routes import (
    accounts,
    archives,
    attachments,
    batches,
    blocklist,
    contacts,
    customers,
    explain,
    fan_out,
    html,
    jobs,
    ledger,
    messages,
    previews,
    review,
    tenant,
    trace,
)

__all__ = [
    "OPERATIONS",
    "accounts",
    "archives",
    "attachments",
    "batches",
    "blocklist",
    "contacts",
    "customers",
    "explain",
    "fan_out",
    "html",
    "jobs",
    "ledger",
    "messages",
    "previews",
    "review",
    "router",
    "tenant",
    "trace",
]
