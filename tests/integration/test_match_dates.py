"""A time no server should tell does not stop a mail."""

import pytest
from tests.support.mailboxes import TENANT, a_mail

from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import Storage
from match.read_copy import read_copy


@pytest.mark.parametrize("text", ["", "1-01-01T00:00:00Z", "soon", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_cannot_be_read_is_when_we_stored_it(aws: Storage, text: str) -> None:
    key = RawKey("30d", TENANT, "box", "0" * 16, 7, 1)
    aws.raw.put(key, a_mail(), RawMetadata(text))

    copy = read_copy(aws, key, None).copy

    assert copy.received_at > "2020"
