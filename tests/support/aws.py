"""The stack's resources on moto, for tests that do not need the template."""

import copy
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.local.moto_speed import speed_up
from moto import mock_aws
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

ACCOUNT = "123456789012"  # moto's account
REGION = "eu-central-1"
QUEUES = {
    "SYNC_QUEUE_URL": "sync",
    "BACKFILL_QUEUE_URL": "backfill",
    "MATCH_QUEUE_URL": "match",
    "WEBHOOK_QUEUE_URL": "webhook",
}
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
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
    "WEBHOOK_QUEUE_URL": "",
    "SECRETS_KEY_ID": "",
}
DATA_ROLE_ARN = "arn:aws:iam::123456789012:role/stack-DataRole-1"


SERVICES = ("dynamodb", "s3", "sqs", "kms")
_KEYS: dict[str, Any] = {}
_HOOKS: dict[Any, tuple[Any, Any]] = {}


@contextmanager
def fresh_aws() -> Iterator[None]:
    """moto with the stack's resources and nothing else, around clients that are made once: a new
    set of clients costs 0.2 s. Hooks that a test leaves on them go."""
    speed_up()
    forget_cached()
    with mock_aws(config={"core": {"reset_boto3_session": False}}), clean_hooks():
        create_resources()
        yield
    forget_cached()


@contextmanager
def clean_hooks() -> Iterator[None]:
    emitters = [_client(service).meta.events._emitter for service in SERVICES]
    for emitter in emitters:
        if emitter not in _HOOKS:
            _HOOKS[emitter] = _hooks_of(emitter)
    unchanged = [emitter._lookup_cache for emitter in emitters]  # a new one per registration
    yield
    for emitter, cache in zip(emitters, unchanged, strict=True):
        if emitter._lookup_cache is not cache:
            handlers, unique = _HOOKS[emitter]
            emitter._handlers, emitter._unique_id_handlers = copy.copy(handlers), dict(unique)
            emitter._lookup_cache = {}


def _hooks_of(emitter: Any) -> tuple[Any, Any]:
    return copy.copy(emitter._handlers), dict(emitter._unique_id_handlers)


def _client(service: str) -> Any:
    from ablage.store.aws import client  # noqa: PLC0415  the environment is set first

    return client(service)


def create_resources() -> None:
    create_table(_client("dynamodb"))
    for bucket in (ENVIRONMENT["RAW_BUCKET"], ENVIRONMENT["ARCHIVE_BUCKET"]):
        s3_backends[ACCOUNT]["aws"].create_bucket(bucket, REGION)
    for variable, name in QUEUES.items():
        queue = sqs_backends[ACCOUNT][REGION].create_queue(name)
        os.environ[variable] = queue.physical_resource_id
    os.environ["SECRETS_KEY_ID"] = _secrets_key()


def _secrets_key() -> str:
    """Made once, then put back: moto draws an RSA key for each, up to 0.3 s."""
    keys = kms_backends[ACCOUNT][REGION].keys
    if not _KEYS:
        _client("kms").create_key()
        _KEYS.update(keys)
    keys.update(_KEYS)
    return next(iter(_KEYS))


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
    """Settings and storage are cached per process; queue URLs are of this moto. Sessions of the
    data role outlive it: moto takes whatever they sign."""
    from ablage.settings import settings  # noqa: PLC0415  the environment is set first
    from ablage.store.storage import storage  # noqa: PLC0415

    for cached in (settings, storage):
        cached.cache_clear()
    if known := sys.modules.get("api.allowances"):
        known.allowances.cache_clear()
    if known := sys.modules.get("api.clients"):
        known.known_clients.cache_clear()
    if known := sys.modules.get("deliver.handler"):
        known.wakes.cache_clear()
    if known := sys.modules.get("webhook.tools"):
        known.tools.cache_clear()


def received_bodies(queue_url: str) -> list[str]:
    """Every visible message body of a queue, deleted as it is read."""
    sqs = _client("sqs")
    bodies: list[str] = []
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        for message in messages:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return bodies
