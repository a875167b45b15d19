"""What every test stands on: dummy credentials, and moto with the stack's resources."""

import gc
import os
from collections.abc import Iterator

import pytest
from tests.support.aws import ENVIRONMENT, fresh_aws

os.environ.update(ENVIRONMENT)

from ablage.store.storage import Storage, storage

gc.set_threshold(7_000)  # ten times Python's: a full collection looks through AWS's service models


def pytest_configure() -> None:
    """A worker for each processor keeps to its own: threads that take turns otherwise wake up on
    another's, with nothing of theirs in its cache, and cost a quarter more CPU."""
    worker, count = (os.environ.get(f"PYTEST_XDIST_{name}") for name in ("WORKER", "WORKER_COUNT"))
    if not worker or not hasattr(os, "sched_setaffinity"):
        return
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) == int(count or 0):
        os.sched_setaffinity(0, {processors[int(worker.removeprefix("gw"))]})


@pytest.fixture
def aws() -> Iterator[Storage]:
    """The stack's table, buckets, queues and key on moto; the same `storage()` the handlers use."""
    with fresh_aws():
        yield storage()
