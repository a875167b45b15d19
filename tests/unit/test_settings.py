"""What the environment may leave out, and what it may not."""

import pytest

from ablage.settings import BadSettings, Settings

LEAST = {"TABLE_NAME": "t", "RAW_BUCKET": "r", "ARCHIVE_BUCKET": "a"}


def test_numbers_are_numbers_and_the_rest_is_as_it_stands() -> None:
    known = Settings.from_environment(LEAST | {"RATE_READ": "40", "PATH": "/bin"})

    assert known == Settings(table_name="t", raw_bucket="r", archive_bucket="a", rate_read=40)


def test_everything_that_is_wrong_is_named_at_once_and_nothing_is_quoted() -> None:
    with pytest.raises(BadSettings) as refused:
        Settings.from_environment({"RAW_BUCKET": "r", "RATE_WRITE": "s3cret", "QUOTA_ACCOUNTS": ""})

    assert str(refused.value) == (
        "TABLE_NAME is missing; ARCHIVE_BUCKET is missing; RATE_WRITE is no number; "
        "QUOTA_ACCOUNTS is no number"
    )
