"""The event bus: what happened, for whoever runs the stack and his rules."""

import json
from collections.abc import Sequence
from typing import Any

from ablage.events import Told, as_json
from ablage.tenancy import TenantId

SOURCE = "ablage"
AT_ONCE = 10  # AWS: entries of one PutEvents
TRIES = 3


class Bus:
    """`client` is a botocore EventBridge client."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, tenant: TenantId, events: Sequence[Told]) -> bool:
        """False where the bus did not take all of them; those it took come again with the rest."""
        entries = [self._entry(tenant, event) for event in events]
        parts = (entries[start : start + AT_ONCE] for start in range(0, len(entries), AT_ONCE))
        return all(self._put(part) for part in parts)

    def _put(self, entries: list[dict[str, Any]]) -> bool:
        """PutEvents answers 200 even when some entries failed."""
        for _ in range(TRIES):
            results = self._client.put_events(Entries=entries)["Entries"]
            pairs = zip(entries, results, strict=True)
            entries = [entry for entry, result in pairs if "EventId" not in result]
            if not entries:
                return True
        return False

    def _entry(self, tenant: TenantId, event: Told) -> dict[str, Any]:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Detail": json.dumps({"tenant": tenant} | as_json(event)),
        }
