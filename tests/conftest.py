"""What every test stands on: dummy credentials, and moto with the stack's resources."""

import os
from collections.abc import Iterator

import pytest
from moto import mock_aws
from tests.support.aws import ENVIRONMENT, create_resources, forget_cached

os.environ.update(ENVIRONMENT)

from ablage.store.storage import Storage, storage


@pytest.fixture
def aws() -> Iterator[Storage]:
    """The stack's table, buckets, queues and key on moto; the same `storage()` the handlers use."""
    forget_cached()
    with mock_aws():
        create_resources()
        yield storage()
    forget_cached()
