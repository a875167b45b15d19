"""What moto is spared changes none of its answers: the same seeded calls, with it and without."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from infra.local.moto_speed import speed_up
from moto import mock_aws
from tests.support.aws import ENVIRONMENT, create_table

CALLS = 200
ROOT = Path(__file__).parents[2]
NAMES = {"#n": "n", "#m": "m", "#l": "l"}
UPDATES = (
    "SET #n = :n, #m.x = :s, b = :b REMOVE extra, t",
    "SET #n = if_not_exists(#n, :zero) + :n, #l = list_append(if_not_exists(#l, :l), :l)",
    "SET #m = :m ADD c :n",
    "REMOVE #l[0], due",
    "SET due = :s SET #n = :n",
    "SET gone.deep = :s",
    "SET #n = :n, #n = :zero",
    "SET m.x = :s, m = :m",
    "SET pk = :s",
    "ADD tags :set DELETE more :set",
)
CONDITIONS = (
    "attribute_not_exists(pk)",
    "attribute_exists(pk) AND #n < :n",
    "contains(#l, :s) OR #n > :n",
    "#m.x = :s",
)


def keyed(draw: random.Random) -> dict[str, Any]:
    return {"pk": {"S": f"P{draw.randrange(4)}"}, "sk": {"S": f"S{draw.randrange(9)}"}}


def an_item(draw: random.Random) -> dict[str, Any]:
    deep = {"z": {"BOOL": True}, "y": {"B": b"\xff"}}
    item = keyed(draw) | {
        "n": {"N": str(draw.randrange(5))},
        "m": {"M": {"x": {"S": "y"}, "deep": {"L": [{"M": deep}]}}},
        "l": {"L": [{"S": "s"}, {"N": "1.50"}, {"NULL": True}]},
        "b": {"B": draw.randbytes(3)},
        "bits": {"BS": [b"\x01", b"\x02\xff"]},
        "tags": {"SS": ["a", "\u00e4"]},
        "extra": {"S": "x" * draw.choice((1, 9))},
    }
    due = {"due": {"S": f"D{draw.randrange(2)}"}, "due_sk": {"S": str(draw.randrange(3))}}
    return item | (due if draw.random() < 0.5 else {})


def used(text: str) -> dict[str, Any]:
    """The names and values that a text speaks of."""
    values: dict[str, Any] = {
        ":n": {"N": "2"},
        ":s": {"S": "s"},
        ":b": {"B": b"\x00\xff"},
        ":zero": {"N": "0"},
        ":l": {"L": [{"S": "more"}]},
        ":m": {"M": {"x": {"S": "s"}}},
        ":set": {"SS": ["a", "z"]},
        ":p": {"S": "P1"},
        ":d": {"S": "D1"},
    }
    words = text.replace(",", " ").replace("(", " ").replace(")", " ").replace(".", " ").split()
    words = [word.partition("[")[0] for word in words]
    names = {name: real for name, real in NAMES.items() if name in words}
    held = {name: value for name, value in values.items() if name in words}
    return {
        **({"ExpressionAttributeNames": names} if names else {}),
        **({"ExpressionAttributeValues": held} if held else {}),
    }


def a_write(draw: random.Random, *, alone: bool) -> tuple[str, dict[str, Any]]:
    """`alone`: not in a transaction."""
    kind = draw.choice(("Put", "Update", "Delete"))
    condition = draw.choice(CONDITIONS) if draw.random() < 0.4 else ""
    update = draw.choice(UPDATES)
    asked: dict[str, Any] = {"Item": an_item(draw)} if kind == "Put" else {"Key": keyed(draw)}
    if kind == "Update":
        asked["UpdateExpression"] = update
    if condition:
        asked |= {"ConditionExpression": condition}
        asked |= {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    asked |= used(f"{condition} {update if kind == 'Update' else ''}")
    if alone:
        asked["ReturnValues"] = draw.choice(("NONE", "ALL_OLD"))
    return kind, {"TableName": "table", **asked}


def a_query(draw: random.Random, start: Any) -> dict[str, Any]:
    texts = ("pk = :p AND begins_with(sk, :s)", "pk = :p", "pk = :p AND sk > :s")
    is_indexed = draw.random() < 0.3
    text = "due = :d" if is_indexed else draw.choice(texts)
    asked: dict[str, Any] = {"TableName": "table", "KeyConditionExpression": text, **used(text)}
    if is_indexed:
        asked["IndexName"] = "due"
    elif draw.random() < 0.3:
        asked["ProjectionExpression"] = draw.choice(("pk, sk, n, none", "pk, m.x, l[1]"))
    if draw.random() < 0.4:
        asked["Limit"] = draw.randrange(1, 4)
    if start and draw.random() < 0.5 and ("due" in start) == is_indexed:
        asked["ExclusiveStartKey"] = start
    return asked | {"ScanIndexForward": draw.random() < 0.5}


def answers(seed: int) -> Iterator[Any]:
    """Of a client to a table of its own."""
    draw = random.Random(seed)
    start = None
    with mock_aws():
        client = boto3.client("dynamodb")
        create_table(client)
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        client.update_table(TableName="table", StreamSpecification=stream)
        for _ in range(CALLS):
            kind = draw.choice(("write", "write", "transaction", "query", "read", "scan"))
            if kind == "write":
                name, asked = a_write(draw, alone=True)
                yield said(client, f"{name.lower()}_item", asked)
            elif kind == "transaction":
                writes = [a_write(draw, alone=False) for _ in range(draw.choice((1, 2, 4)))]
                asked = {"TransactItems": [{name: one} for name, one in writes]}
                yield said(client, "transact_write_items", asked)
            elif kind == "query":
                found = said(client, "query", a_query(draw, start))
                start = found.get("LastEvaluatedKey")
                yield found
            elif kind == "read":
                yield said(client, "get_item", {"TableName": "table", "Key": keyed(draw)})
            else:
                index = {"IndexName": "due"} if draw.random() < 0.5 else {}
                yield said(client, "scan", {"TableName": "table", **index})
        large = an_item(draw) | {f"a{number}": {"S": "x" * 45_000} for number in range(9)}
        yield said(client, "put_item", {"TableName": "table", "Item": large})
        yield from streamed()


def streamed() -> Iterator[Any]:
    """What the stream tells of it all; what was undone is not in it."""
    client = boto3.client("dynamodbstreams")
    arn = client.list_streams(TableName="table")["Streams"][0]["StreamArn"]
    shard = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    found = client.get_shard_iterator(
        StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    for record in client.get_records(ShardIterator=found["ShardIterator"])["Records"]:
        told = record["dynamodb"]
        images = [told.get(name) for name in ("Keys", "OldImage", "NewImage")]
        yield record["eventName"], told["SequenceNumber"], images


def said(client: Any, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = getattr(client, operation)(**asked)
    except client.exceptions.ClientError as error:
        answer = error.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return {**answer, "ResponseMetadata": status}


def of_queues() -> Iterator[Any]:
    """What SQS answers, but for what it draws: message ids and receipt handles."""
    with mock_aws():
        sqs = boto3.client("sqs")
        yield said(sqs, "create_queue", {"QueueName": "q", "Attributes": {"DelaySeconds": "0"}})
        url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        attributes = {"kind": {"DataType": "String", "StringValue": "\u00e4 = b & c"}}
        asked = {"QueueUrl": url, "MessageBody": "a=b&c=d", "MessageAttributes": attributes}
        yield drawn_apart(said(sqs, "send_message", asked))
        entries = [{"Id": str(n), "MessageBody": "x" * n} for n in range(3)]
        yield drawn_apart(said(sqs, "send_message_batch", {"QueueUrl": url, "Entries": entries}))
        asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        yield drawn_apart(said(sqs, "receive_message", asked))
        yield said(sqs, "receive_message", asked)
        yield said(sqs, "delete_message", {"QueueUrl": url, "ReceiptHandle": "none"})
        numbers = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        yield said(sqs, "get_queue_attributes", {"QueueUrl": url, "AttributeNames": numbers})
        yield said(sqs, "get_queue_url", {"QueueName": "none"})


def of_keys() -> Iterator[Any]:
    with mock_aws():
        kms = boto3.client("kms")
        key = {"KeyId": kms.create_key()["KeyMetadata"]["KeyId"]}
        held = {"EncryptionContext": {"of": "one"}}
        blob = kms.encrypt(**key, **held, Plaintext=b"\x00 secret")["CiphertextBlob"]
        yield said(kms, "decrypt", {"CiphertextBlob": blob, **held})["Plaintext"]
        yield said(kms, "decrypt", {"CiphertextBlob": blob})
        yield said(kms, "describe_key", {"KeyId": "none"})


def drawn_apart(answer: Any) -> Any:
    """Without what is drawn anew each time."""
    if isinstance(answer, list):
        return [drawn_apart(each) for each in answer]
    if not isinstance(answer, dict):
        return answer
    drawn = {"MessageId", "ReceiptHandle"}
    return {name: drawn_apart(each) for name, each in answer.items() if name not in drawn}


def written(seed: int) -> str:
    given = [*answers(seed), *of_queues(), *of_keys()]
    return json.dumps(given, default=repr, sort_keys=True)


def test_the_same_calls_have_the_same_answers() -> None:
    code = "from tests.infra.test_moto_speed import written; print(written(1))"
    plain = subprocess.run(
        [sys.executable, "-c", code],
        check=True, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, **ENVIRONMENT, "PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}"},
    )  # fmt: skip
    speed_up()

    assert json.loads(written(1)) == json.loads(plain.stdout)


def test_the_calls_meet_success_and_refusal_of_each_kind() -> None:
    speed_up()
    given = [answer for answer in answers(1) if isinstance(answer, dict)]

    codes = [answer.get("Error", {}).get("Code", "done") for answer in given]

    assert set(codes) >= {
        "done",
        "ConditionalCheckFailedException",
        "TransactionCanceledException",
        "ValidationException",
    }
    assert codes.count("done") > CALLS / 2
