"""What every test stands on: dummy credentials, and moto with the stack's resources."""

import os
from collections.abc import Iterator

import pytest
from tests.support.aws import ENVIRONMENT, fresh_aws

os.environ.update(ENVIRONMENT)

from ablage.store.storage import Storage, storage


@pytest.fixture
def aws() -> Iterator[Storage]:
    """The stack's table, buckets, queues and key on moto; the same `storage()` the handlers use."""
    with fresh_aws():
        yield storage()
