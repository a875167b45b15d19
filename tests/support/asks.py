"""What AWS asks of whoever makes a call: actions and resources, from an operation's parameters."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.roles import DATA_ROLE, Ask, arn

Parameters = Mapping[str, Any]

_VARIABLES = {  # of the environment, and what they name in the template
    "TABLE_NAME": "Table",
    "RAW_BUCKET": "RawBucket",
    "ARCHIVE_BUCKET": "ArchiveBucket",
    "SYNC_QUEUE_URL": "SyncQueue",
    "BACKFILL_QUEUE_URL": "BackfillQueue",
    "MATCH_QUEUE_URL": "MatchQueue",
    "WEBHOOK_QUEUE_URL": "WebhookQueue",
    "SECRETS_KEY_ID": "SecretsKey",
    "EVENT_BUS_NAME": "EventBus",
    "DATA_ROLE_ARN": DATA_ROLE,
}
_TRANSACTED = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def asks(operation: str, parameters: Parameters) -> list[Ask]:
    """Of `service:Operation`. One that is not among `_OPERATIONS` asks for what no role has."""
    known = _OPERATIONS.get(operation)
    return list(known(operation, parameters)) if known else [Ask(operation, "?")]


def put_parameters(url: str, headers: Mapping[str, str]) -> Parameters:
    """Of a PUT into a bucket that goes past botocore."""
    parts = urlsplit(url)
    bucket, key = parts.netloc.partition(".s3.")[0], unquote(parts.path).removeprefix("/")
    return {"Bucket": bucket, "Key": key, "IfMatch": headers.get("if-match")}


def _named(physical: str, variables: tuple[str, ...]) -> str:
    """Its logical id; one that is none of the stack's comes as it is, and no role may touch it."""
    for variable in variables:
        if physical == os.environ.get(variable):
            return _VARIABLES[variable]
    return physical


# ---- the table -----------------------------------------------------------------------------------


def _on_item(operation: str, parameters: Parameters) -> Iterator[Ask]:
    key = parameters.get("Key") or parameters["Item"]
    yield _on_table(operation, _table(parameters["TableName"]), (key["pk"]["S"],))


def _table(name: str) -> str:
    return _named(name, ("TABLE_NAME",))


def _on_table(operation: str, table: str, partitions: tuple[str, ...]) -> Ask:
    return Ask(operation, table, (("dynamodb:LeadingKeys", partitions),))


def _query(operation: str, parameters: Parameters) -> Iterator[Ask]:
    table, index = _table(parameters["TableName"]), parameters.get("IndexName")
    partition = parameters["ExpressionAttributeValues"][":pk"]["S"]
    yield _on_table(operation, f"{table}/index/{index}" if index else table, (partition,))


def _batch_get(operation: str, parameters: Parameters) -> Iterator[Ask]:
    for name, asked in parameters["RequestItems"].items():
        partitions = tuple(dict.fromkeys(key["pk"]["S"] for key in asked["Keys"]))
        yield _on_table(operation, _table(name), partitions)


def _transact(_: str, parameters: Parameters) -> Iterator[Ask]:
    for action in parameters["TransactItems"]:
        for kind, body in action.items():
            yield from _on_item(_TRANSACTED[kind], body)


# ---- the buckets ---------------------------------------------------------------------------------


def _bucket(parameters: Parameters) -> str:
    return _named(parameters["Bucket"], ("RAW_BUCKET", "ARCHIVE_BUCKET"))


def _read(_: str, parameters: Parameters) -> Iterator[Ask]:
    """Without leave to list, an object that is not there is 403 for S3, and 404 for us."""
    yield Ask("s3:GetObject", f"{_bucket(parameters)}/{parameters['Key']}")
    yield Ask("s3:ListBucket", _bucket(parameters))


def _write(_: str, parameters: Parameters) -> Iterator[Ask]:
    place = f"{_bucket(parameters)}/{parameters['Key']}"
    yield Ask("s3:PutObject", place)
    if parameters.get("IfMatch"):  # which tells what lies there [AWS: conditional writes]
        yield Ask("s3:GetObject", place)


def _copy(operation: str, parameters: Parameters) -> Iterator[Ask]:
    bucket, _, key = parameters["CopySource"].partition("/")
    yield from _read(operation, {"Bucket": bucket, "Key": key})
    yield from _write(operation, parameters)


def _abort(operation: str, parameters: Parameters) -> Iterator[Ask]:
    yield Ask(operation, f"{_bucket(parameters)}/{parameters['Key']}")


def _list(_: str, parameters: Parameters) -> Iterator[Ask]:
    prefix = parameters.get("Prefix")
    context = (("s3:prefix", (prefix,)),) if prefix else ()
    yield Ask("s3:ListBucket", _bucket(parameters), context)


# ---- all else ------------------------------------------------------------------------------------


def _send(_: str, parameters: Parameters) -> Iterator[Ask]:
    queues = ("SYNC_QUEUE_URL", "BACKFILL_QUEUE_URL", "MATCH_QUEUE_URL", "WEBHOOK_QUEUE_URL")
    yield Ask("sqs:SendMessage", _named(parameters["QueueUrl"], queues))


def _seal(operation: str, parameters: Parameters) -> Iterator[Ask]:
    """A sealed text names its key; there is only one."""
    named = parameters.get("KeyId")
    key = _named(named, ("SECRETS_KEY_ID",)) if named else "SecretsKey"
    said = parameters.get("EncryptionContext", {})
    context = ((f"kms:EncryptionContext:{name}", (value,)) for name, value in said.items())
    yield Ask(operation, key, tuple(context))


def _tell(operation: str, parameters: Parameters) -> Iterator[Ask]:
    for name in {entry["EventBusName"] for entry in parameters["Entries"]}:
        yield Ask(operation, _named(name, ("EVENT_BUS_NAME",)))


def _assume(operation: str, parameters: Parameters) -> Iterator[Ask]:
    known = _named(parameters["RoleArn"], ("DATA_ROLE_ARN",))
    place = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AWS::StackName}-" + known + "-1"
    yield Ask(operation, arn(place))
    if parameters.get("Tags"):
        yield Ask("sts:TagSession", arn(place))


def _parameter(operation: str, parameters: Parameters) -> Iterator[Ask]:
    name = parameters["Name"].removeprefix(os.environ.get("OAUTH_SECRETS_PATH") or "-")
    place = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"
    yield Ask(operation, arn(f"{place}/ablage/${{AWS::StackName}}/oauth{name}"))


_OPERATIONS: dict[str, Callable[[str, Parameters], Iterator[Ask]]] = {
    "dynamodb:GetItem": _on_item,
    "dynamodb:PutItem": _on_item,
    "dynamodb:UpdateItem": _on_item,
    "dynamodb:DeleteItem": _on_item,
    "dynamodb:Query": _query,
    "dynamodb:BatchGetItem": _batch_get,
    "dynamodb:TransactWriteItems": _transact,
    "s3:GetObject": _read,
    "s3:HeadObject": _read,
    "s3:PutObject": _write,
    "s3:CreateMultipartUpload": _write,
    "s3:UploadPart": _write,
    "s3:CompleteMultipartUpload": _write,
    "s3:AbortMultipartUpload": _abort,
    "s3:CopyObject": _copy,
    "s3:ListObjectsV2": _list,
    "s3:HeadBucket": _list,
    "sqs:SendMessage": _send,
    "sqs:SendMessageBatch": _send,
    "kms:Encrypt": _seal,
    "kms:Decrypt": _seal,
    "events:PutEvents": _tell,
    "sts:AssumeRole": _assume,
    "ssm:GetParameter": _parameter,
}
