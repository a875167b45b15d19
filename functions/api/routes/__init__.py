"""One module per resource. Importing them registers their operations with `router`."""

from api.operations import router
from api.routes import accounts, blocklist, contacts, customers, jobs, tenant

__all__ = ["accounts", "blocklist", "contacts", "customers", "jobs", "router", "tenant"]
