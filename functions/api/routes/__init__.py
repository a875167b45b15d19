"""One module per resource. Importing them registers their operations with `router`."""

from api.operations import OPERATIONS, router
from api.routes import (
    accounts,
    archives,
    blocklist,
    contacts,
    customers,
    jobs,
    messages,
    tenant,
)

__all__ = [
    "OPERATIONS",
    "accounts",
    "archives",
    "blocklist",
    "contacts",
    "customers",
    "jobs",
    "messages",
    "router",
    "tenant",
]
