"""Event builders: the shapes AWS sends."""

import json
from itertools import count
from typing import Any
from urllib.parse import quote_plus

_numbers = count()


class Context:
    function_name = "test"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:test"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"
    log_group_name = "/aws/lambda/test"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def context() -> Any:
    return Context()


def sqs_event(*bodies: dict[str, Any] | str) -> dict[str, Any]:
    return {"Records": [_sqs_record(body) for body in bodies]}


def _sqs_record(body: dict[str, Any] | str) -> dict[str, Any]:
    return {
        "messageId": f"00000000-0000-4000-8000-{next(_numbers):012d}",
        "receiptHandle": "AQEB",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795514400000",
            "SenderId": "AIDA",
            "ApproximateFirstReceiveTimestamp": "1795514400001",
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:match",
        "awsRegion": "eu-central-1",
    }


def s3_created(bucket: str, *keys: str) -> dict[str, Any]:
    """An S3 notification: keys are form-encoded, `/` included or not."""
    return {"Records": [_s3_record(bucket, key) for key in keys]}


def _s3_record(bucket: str, key: str) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-20T10:00:10.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "raw",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": quote_plus(key), "size": 1, "sequencer": "0055AED6DCD90281E5"},
        },
    }


S3_TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-11-20T10:00:00.000Z",
    "Bucket": "raw-bucket",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
}
