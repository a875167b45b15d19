"""What every test stands on: dummy credentials, moto with the stack's resources, and roles: a call
of a function's that its role does not allow fails the test that made it."""

import gc
import os
from collections.abc import Generator, Iterator

import pytest
from tests.support.aws import DATA_ROLE_ARN, ENVIRONMENT, fresh_aws

os.environ.update(ENVIRONMENT | {"DATA_ROLE_ARN": DATA_ROLE_ARN})

from tests.support.role_guard import guard

from ablage.store.storage import Storage, storage

gc.set_threshold(7_000)  # ten times Python's: a full collection looks through AWS's service models
guard.install()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """What a test's fixtures called counts as well."""
    yield
    _hold_to_roles()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    yield
    _hold_to_roles()


def _hold_to_roles() -> None:
    if refused := guard.refused():
        pytest.fail("\n".join(sorted({str(call) for call in refused})), pytrace=False)


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
