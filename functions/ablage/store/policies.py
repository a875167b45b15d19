"""The tenant's policy: one item, absent until first set."""

from dataclasses import asdict, fields, replace
from typing import Any

from ablage.errors import Conflict
from ablage.policy import Policy
from ablage.store import keys
from ablage.store.table import ConditionFailed, Item, Table
from ablage.tenancy import TenantId

SCHEMA = 1


def policy_from_item(item: Item | None) -> Policy:
    """The defaults where there is no item, or where it was written before a field existed."""
    known = {field.name for field in fields(Policy)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in (item or {}).items()
        if name in known
    }
    return Policy(**values)


def get_policy(table: Table, tenant: TenantId) -> Policy:
    return policy_from_item(table.get(keys.policy(tenant), consistent=True))


def put_policy(table: Table, tenant: TenantId, wanted: Policy, seen: Policy) -> Policy:
    """The next version, made from `seen`. Raises Conflict `version_conflict`."""
    if replace(wanted, version=0) == replace(seen, version=0) and seen.version:
        return seen
    saved = replace(wanted, version=seen.version + 1)
    item = {n: list(v) if isinstance(v, tuple) else v for n, v in asdict(saved).items()}
    condition = "version = :seen" if seen.version else "attribute_not_exists(pk)"
    values = {":seen": seen.version} if seen.version else None
    try:
        table.put(
            keys.policy(tenant), item | {"schema": SCHEMA}, condition=condition, values=values
        )
    except ConditionFailed as error:
        detail = "Somebody else changed the policy meanwhile; read it again."
        raise Conflict("version_conflict", detail, "If-Match") from error
    return saved
