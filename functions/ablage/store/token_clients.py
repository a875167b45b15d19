"""Which tenant a client of the identity provider speaks for, where its tokens cannot say so.

Items the operator writes (docs/operations.md); the API reads them, before it knows the tenant, with
its own role, which may read nothing else.
"""

import re

from ablage.errors import InvalidInput
from ablage.store import keys
from ablage.store.table import Table
from ablage.tenancy import TenantId, tenant_id

_CLIENT = re.compile(r"[!-~]{1,255}")


def tenant_of_client(table: Table, client_id: str) -> TenantId | None:
    """None of one that is not known, or whose item names no tenant. At least a write old: one item,
    read consistently."""
    if not _CLIENT.fullmatch(client_id):
        return None
    item = table.get(keys.token_client(client_id), consistent=True)
    try:
        return tenant_id(str(item.get("tenant", ""))) if item else None
    except InvalidInput:
        return None
