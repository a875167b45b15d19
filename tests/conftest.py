"""What every test stands on: dummy credentials, and moto with the stack's resources."""

import gc
import os
from collections.abc import Iterator

import pytest
from tests.support.aws import ENVIRONMENT, fresh_aws

os.environ.update(ENVIRONMENT)

from ablage.store.storage import Storage, storage

gc.set_threshold(7_000)  # ten times Python's: a full collection looks through AWS's service models


@pytest.fixture
def aws() -> Iterator[Storage]:
    """The stack's table, buckets, queues and key on moto; the same `storage()` the handlers use."""
    with fresh_aws():
        yield storage()
