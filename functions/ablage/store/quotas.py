"""How much of something a tenant has: a counter that goes up and down with what it counts, in one
transaction."""

from typing import Any

from ablage.errors import Conflict
from ablage.store import keys
from ablage.store.table import update_action
from ablage.tenancy import TenantId


def one_more(tenant: TenantId, name: str, most: int) -> dict[str, Any]:
    has_room = "attribute_not_exists(had) OR had < :most"
    return update_action(
        keys.quota(tenant, name), "ADD had :one", {":one": 1, ":most": most}, has_room
    )


def one_less(tenant: TenantId, name: str) -> dict[str, Any]:
    return update_action(keys.quota(tenant, name), "ADD had :one", {":one": -1})


def exceeded(what: str, most: int) -> Conflict:
    detail = f"A tenant has at most {most} {what}; remove some, or ask whoever runs this for more."
    return Conflict("quota_exceeded", detail)
