"""The fault matrix of `tests/chaos`, in figures."""

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.bench.lab import at_least, at_most
from tests.support.aws import ENVIRONMENT
from tests.support.sync_chaos import CHUNKS, FAULTS, chunk_of_faults

WRONG = ("lost", "doubled", "mis-keyed")


def faults() -> dict[str, Any]:
    """Processes as many as there are cores."""
    injected: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    with ProcessPoolExecutor(initializer=os.environ.update, initargs=(ENVIRONMENT,)) as pool:
        for met, found in pool.map(chunk_of_faults, range(CHUNKS)):
            injected += met
            broken += found
    wrong = {what: sum(n for name, n in broken.items() if name.startswith(what)) for what in WRONG}
    return {
        "faults": {
            "injected": at_least(injected.total(), FAULTS),
            "kinds": len(injected),
            **{what: at_most(count, 0) for what, count in wrong.items()},
            "any_other_breach": at_most(broken.total() - sum(wrong.values()), 0),
        }
    }
