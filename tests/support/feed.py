"""The feed of a tenant since two days, also what readers do not see yet."""

import time

from tests.support.told import hold_to_schema

from ablage.events import Told, as_json, told
from ablage.store.feed import moment, rows_after
from ablage.store.storage import Storage
from ablage.tenancy import TenantId

TWO_DAYS = 2 * 86_400


def whole_feed(where: Storage, tenant: TenantId, now: float | None = None) -> list[Told]:
    """In order, each as often as it lies there."""
    at = time.time() if now is None else now
    begins = moment(int((at - TWO_DAYS) * 1000))
    rows, more = rows_after(where.table, tenant, begins, moment(int((at + 3600) * 1000)), 1000)
    assert not more
    found = [event for row in rows for event in told(row)]
    for event in found:
        hold_to_schema(as_json(event))
    return found
