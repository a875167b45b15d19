"""A thousand seeded faults on the way of a mail into the bucket: kills at any call, broken answers
of mail servers and AWS, second workers, late and doubled messages. Nothing is lost, doubled or
mis-keyed."""

import time
from collections import Counter

import pytest
from infra.local.aws import lock_moto
from tests.support.aws import fresh_aws
from tests.support.sync_chaos import Run

from ablage.store.storage import storage

FAULTS = 1000
CHUNKS = 40


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients' pauses between attempts take no time."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_faults_lose_nothing_double_nothing_and_mis_key_nothing(chunk: int) -> None:
    """A fresh moto per chunk: it slows with its own state."""
    lock_moto()
    broken: Counter[str] = Counter()
    injected: Counter[str] = Counter()
    seed = chunk * 1000
    with fresh_aws():
        while injected.total() < FAULTS // CHUNKS:
            run = Run(storage(), seed)
            run.to_the_end()
            injected += run.injected
            broken.update({f"{what} (seed {seed})" for what in run.broken})
            seed += 1

    assert broken == Counter()
