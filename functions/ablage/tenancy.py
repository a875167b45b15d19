"""Who a thing belongs to. A TenantId only ever comes from a verified token, our own queue, or an
object key."""

import re
from typing import NewType

from ablage.errors import InvalidInput

TenantId = NewType("TenantId", str)

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ENTITY_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_PATH_DOTS = (".", "..")  # clients take them out of a URL before they send it
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def tenant_id(text: str) -> TenantId:
    """A tenant id of the fixed charset; raises InvalidInput `invalid_tenant`."""
    if not _TENANT.fullmatch(text):
        raise InvalidInput("invalid_tenant", "A tenant id has 1 to 64 of a-z, 0-9, _ and -.")
    return TenantId(text)


def entity_type(text: str) -> str:
    """`contact`, `customer`, or any type the tenant names; raises InvalidInput `invalid_entity`."""
    if not _ENTITY_TYPE.fullmatch(text):
        raise InvalidInput("invalid_entity", "An entity type has 1 to 32 of a-z, 0-9, _ and -.")
    return text


def entity_id(text: str) -> str:
    """An id of the tenant's own system; raises InvalidInput `invalid_entity`."""
    if not _ID.fullmatch(text) or text in _PATH_DOTS:
        raise InvalidInput(
            "invalid_entity", "An id has 1 to 128 letters, digits, '.', '_', '-', ':'."
        )
    return text
