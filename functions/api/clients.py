"""Clients of the identity provider, remembered for a minute by the warm function."""

import functools
import time
from collections.abc import Callable

from ablage.store.storage import storage
from ablage.store.token_clients import tenant_of_client
from ablage.tenancy import TenantId

SECONDS = 60  # until a client that was added, moved or taken away counts
CLIENTS_KEPT = 1000


class KnownClients:
    """`read` asks the table. Unknown ones are remembered as well."""

    def __init__(
        self, read: Callable[[str], TenantId | None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._now = now
        self._known: dict[str, tuple[TenantId | None, float]] = {}

    def tenant(self, client_id: str) -> TenantId | None:
        found, ends = self._known.get(client_id, (None, 0.0))
        if ends > self._now():
            return found
        if len(self._known) >= CLIENTS_KEPT:
            self._known.clear()
        found = self._read(client_id)
        self._known[client_id] = found, self._now() + SECONDS
        return found


@functools.cache
def known_clients() -> KnownClients:
    return KnownClients(functools.partial(tenant_of_client, storage().table))
