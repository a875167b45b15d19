"""Each record of a queue in its own guard."""

import logging

import pytest
from aws_lambda_powertools import Logger

from ablage.queue_records import Record, answer_for

RECORDS = [{"messageId": each, "body": f"canary of {each}"} for each in "abc"]


def test_one_record_that_fails_comes_again_and_stops_no_other() -> None:
    seen = []

    def handle(record: Record) -> None:
        seen.append(record["messageId"])
        if record["messageId"] == "b":
            raise ValueError

    answer = answer_for(RECORDS, handle, Logger("queue"))

    assert seen == ["a", "b", "c"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "b"}]}


def test_a_failure_leaves_a_line_with_its_place_and_no_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def handle(record: Record) -> None:
        raise ValueError(record["body"])

    with caplog.at_level(logging.ERROR, logger="queue"):
        answer_for(RECORDS[:1], handle, Logger("queue"))

    (line,) = (vars(each) for each in caplog.records)
    assert (line["message"], line["levelname"]) == ("record_failed", "ERROR")
    assert line["fault"].startswith("ValueError at handle:")
    assert "canary" not in str(line)
