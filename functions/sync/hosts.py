"""Which hosts are down, as far as one invocation has seen: a provider's outage shall not cost a
connection for each of its mailboxes. The next tick asks again."""

from collections import Counter
from threading import Lock

ENOUGH = 5  # mailboxes that could not be reached, before the others are spared
UNREACHED = frozenset({"connect_failed", "timeout", "host_unknown"})


class Hosts:
    """Counted from many threads."""

    def __init__(self) -> None:
        self._reached: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._lock = Lock()

    def note(self, host: str, code: str | None) -> None:
        """How a look at a mailbox ended: with the code of a fault, or well."""
        with self._lock:
            (self._failed if code in UNREACHED else self._reached)[host] += 1

    def is_down(self, host: str) -> bool:
        """Most looks of this invocation failed to reach it."""
        with self._lock:
            return self._failed[host] >= ENOUGH and self._failed[host] > self._reached[host]
