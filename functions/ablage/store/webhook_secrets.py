"""What a webhook is signed with: its secret, and for a day after a rotation the one before."""

import time
from collections.abc import Callable
from typing import Any

from ablage.faults import fault
from ablage.store import keys
from ablage.store.secrets import CACHE_SECONDS, Secrets
from ablage.store.table import Table
from ablage.store.webhooks import SECRET_KIND, Hook, secret_owner

CACHE_ENTRIES = 1000

Opened = tuple[str, str, int]  # the secret, the one before, until when (epoch seconds) that signs


class WebhookSecrets:
    """Opens them; one per warm function. `client` is a botocore KMS client, `clock` counts
    seconds."""

    def __init__(
        self, table: Table, client: Any, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._table = table
        self._secrets = Secrets(table, client, clock)
        self._clock = clock
        self._known: dict[tuple[str, str, int], tuple[float, Opened]] = {}

    def signing(self, hook: Hook, now: int) -> list[str]:
        """Raises AccountFault `secret_missing` when there is none or it does not open."""
        key = (hook.tenant, hook.webhook_id, hook.config.secret_version)
        until, opened = self._known.get(key, (0.0, None))
        if opened is None or until < self._clock():
            opened = self._open(hook)
            if len(self._known) >= CACHE_ENTRIES:
                self._known.clear()
            self._known[key] = (self._clock() + CACHE_SECONDS, opened)
        secret, former, former_until = opened
        return [secret, former] if former and now < former_until else [secret]

    def _open(self, hook: Hook) -> Opened:
        item = self._table.get(keys.webhook_secret(hook.tenant, hook.webhook_id), consistent=True)
        if item is None:
            raise fault("secret_missing")
        former = self._unseal(hook, item["former"]) if "former" in item else ""
        return self._unseal(hook, item["sealed"]), former, item.get("former_until", 0)

    def _unseal(self, hook: Hook, sealed: bytes) -> str:
        owner = secret_owner(hook.webhook_id)
        return self._secrets.unseal(hook.tenant, owner, SECRET_KIND, sealed)
