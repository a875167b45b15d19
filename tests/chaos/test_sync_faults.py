"""A thousand seeded faults on the way of a mail into the bucket: kills at any call, broken answers
of mail servers and AWS, second workers, late and doubled messages. Nothing is lost, doubled or
mis-keyed."""

from collections import Counter

import pytest
from tests.support.sync_chaos import CHUNKS, FAULTS, chunk_of_faults


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_faults_lose_nothing_double_nothing_and_mis_key_nothing(chunk: int) -> None:
    injected, broken = chunk_of_faults(chunk)

    assert broken == Counter()
    assert injected.total() >= FAULTS // CHUNKS
