"""One module per resource. Importing them registers their operations with `router`."""

from api.operations import router
from api.routes import blocklist, contacts, customers, tenant

__all__ = ["blocklist", "contacts", "customers", "router", "tenant"]
