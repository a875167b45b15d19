"""The stack's resources on moto, for tests that do not need the template."""

import os
from typing import Any

import boto3

QUEUES = {"SYNC_QUEUE_URL": "sync", "BACKFILL_QUEUE_URL": "backfill", "MATCH_QUEUE_URL": "match"}
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_DEV": "false",
    "TABLE_NAME": "table",
    "RAW_BUCKET": "raw-bucket",
    "ARCHIVE_BUCKET": "archive-bucket",
    "TENANT_CLAIM": "tenant",
    "SCOPE_PREFIX": "",
    "SYNC_QUEUE_URL": "",
    "BACKFILL_QUEUE_URL": "",
    "MATCH_QUEUE_URL": "",
    "SECRETS_KEY_ID": "",
}


def create_resources() -> None:
    create_table(boto3.client("dynamodb"))
    s3 = boto3.client("s3")
    for bucket in (ENVIRONMENT["RAW_BUCKET"], ENVIRONMENT["ARCHIVE_BUCKET"]):
        s3.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
    sqs = boto3.client("sqs")
    for variable, name in QUEUES.items():
        os.environ[variable] = sqs.create_queue(QueueName=name)["QueueUrl"]
    os.environ["SECRETS_KEY_ID"] = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]


def create_table(dynamodb: Any, name: str = "table") -> None:
    strings = [{"AttributeName": a, "AttributeType": "S"} for a in ("pk", "sk", "due", "due_sk")]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=strings,
        KeySchema=_key_schema("pk", "sk"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": _key_schema("due", "due_sk"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def forget_cached() -> None:
    """Clients, settings and storage are cached per process; each test has its own moto."""
    from ablage.settings import settings  # noqa: PLC0415  the environment is set first
    from ablage.store.aws import client  # noqa: PLC0415
    from ablage.store.storage import storage  # noqa: PLC0415

    for cached in (settings, client, storage):
        cached.cache_clear()


def received_bodies(queue_url: str) -> list[str]:
    """Every visible message body of a queue, deleted as it is read."""
    sqs = boto3.client("sqs")
    bodies: list[str] = []
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        for message in messages:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return bodies
