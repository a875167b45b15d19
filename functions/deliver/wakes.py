"""Webhooks are woken once what came into the feed can be seen there.

    row ---- 10 s: readers see it ----|-- 2 s --|---------- wake
    row --------------------------------------- within 5 s: the same wake

Wakes stand at multiples of WAKES_APART: all rows of such a span share one of each hook."""

import time
from collections.abc import Callable, Iterable

from ablage.store import webhooks
from ablage.store.feed import SEEN_AFTER
from ablage.store.queues import Queues
from ablage.store.table import Table
from ablage.tenancy import TenantId

WAKES_APART = 5  # seconds
AFTER = SEEN_AFTER // 1000 + 2
KNOWN_SECONDS = 60  # a tenant's hooks; a new one looks by itself after that


class Wakes:
    """One per warm function. `clock` counts epoch seconds."""

    def __init__(
        self, table: Table, queues: Queues, clock: Callable[[], float] = time.time
    ) -> None:
        self._table = table
        self._queues = queues
        self._clock = clock
        self._known: dict[TenantId, tuple[float, list[str]]] = {}
        self._sent: dict[tuple[TenantId, str], int] = {}

    def wake(self, tenants: Iterable[TenantId]) -> int:
        """How many were sent. Raises what SQS and the table raise."""
        now = self._clock()
        at = -(-int(now + AFTER) // WAKES_APART) * WAKES_APART
        wanted = [
            (tenant, webhook_id)
            for tenant in dict.fromkeys(tenants)
            for webhook_id in self._hooks(tenant, now)
            if self._sent.get((tenant, webhook_id)) != at
        ]
        self._queues.webhooks([webhooks.wake(*each, at - int(now)) for each in wanted])
        self._sent = {each: told for each, told in self._sent.items() if told >= at}
        self._sent.update(dict.fromkeys(wanted, at))
        return len(wanted)

    def _hooks(self, tenant: TenantId, now: float) -> list[str]:
        """Also those that are off: who is switched on shall miss nothing."""
        until, hooks = self._known.get(tenant, (0.0, []))
        if until <= now:
            self._known = {t: known for t, known in self._known.items() if known[0] > now}
            hooks = webhooks.ids(self._table, tenant)
            self._known[tenant] = (now + KNOWN_SECONDS, hooks)
        return hooks
