"""What SyncQueue and BackfillQueue bring. Dispatch and the API send it; it is checked by hand, for
pydantic alone would be a fifth of a cold start."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ablage.errors import InvalidInput
from ablage.tenancy import TenantId, tenant_id
from sync.polls import ACCOUNTS_PER_MESSAGE, Poll

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Job:
    """`sent`: epoch seconds, of what came through BackfillQueue."""

    tenant: TenantId
    job: str
    sent: int | None = None


@dataclass(frozen=True)
class More:
    """Work left over."""

    tenant: TenantId
    account: str
    sent: int


Work = Poll | Job | More


def work_of(body: str) -> Work:
    """Raises ValueError, which quotes nothing of it."""
    raw = json.loads(body)
    if not isinstance(raw, dict):
        raise ValueError("no object")  # noqa: TRY004  as what else does not fit
    kind, tenant = raw.get("kind"), _tenant(raw)
    if kind == "poll":
        return _poll(raw, tenant)
    if kind == "job":
        sent = None if raw.get("sent") is None else _one(raw, "sent", int)
        return Job(tenant, _one(raw, "job", str), sent)
    if kind == "more":
        return More(tenant, _one(raw, "account", str), _one(raw, "sent", int))
    raise ValueError("an unknown kind")


def _poll(raw: Mapping[str, Any], tenant: TenantId) -> Poll:
    accounts = _one(raw, "accounts", list)
    if len(accounts) > ACCOUNTS_PER_MESSAGE or not all(type(one) is str for one in accounts):
        raise ValueError("too many accounts, or no texts")
    minute = datetime.fromisoformat(_one(raw, "minute", str))
    second = _one({"second": 0, **raw}, "second", int)
    if minute.tzinfo is None or not 0 <= second < 60:
        raise ValueError("no moment")
    return Poll(minute, _one(raw, "interval", int), tenant, accounts, second)


def _tenant(raw: Mapping[str, Any]) -> TenantId:
    try:
        return tenant_id(_one(raw, "tenant", str))
    except InvalidInput as error:
        raise ValueError(error.code) from error


def _one(raw: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind:
    value = raw.get(name)
    if type(value) is not kind:  # True is an int
        raise ValueError(f"{name} is no {kind.__name__}")
    return value
