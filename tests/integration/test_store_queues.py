"""Queues: bodies as given, tenants as groups, batches of ten, failed entries again."""

import json
import os
from typing import Any

import boto3
import pytest
from tests.support.aws import received_bodies
from tests.support.mailboxes import OTHER, TENANT

from ablage.settings import Settings, settings
from ablage.store.queues import Queues, TenantBody
from ablage.store.storage import Storage


def bodies(variable: str) -> list[Any]:
    return [json.loads(body) for body in received_bodies(os.environ[variable])]


def test_each_queue_gets_its_own(aws: Storage) -> None:
    aws.queues.sync(TENANT, {"to": "sync"})
    aws.queues.backfill(TENANT, {"to": "backfill"})
    aws.queues.match({"to": "match"})

    assert bodies("SYNC_QUEUE_URL") == [{"to": "sync"}]
    assert bodies("BACKFILL_QUEUE_URL") == [{"to": "backfill"}]
    assert bodies("MATCH_QUEUE_URL") == [{"to": "match"}]


def test_a_delayed_message_is_not_there_yet(aws: Storage) -> None:
    aws.queues.match({"repair": 1}, delay=60)

    assert bodies("MATCH_QUEUE_URL") == []


def test_messages_carry_their_tenant_as_group(aws: Storage) -> None:
    aws.queues.sync_batch([TenantBody(TENANT, {"n": 1}), TenantBody(OTHER, {"n": 2})])

    answer = boto3.client("sqs").receive_message(
        QueueUrl=settings().sync_queue_url,
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["MessageGroupId"],
    )
    groups = {
        json.loads(message["Body"])["n"]: message["Attributes"]["MessageGroupId"]
        for message in answer["Messages"]
    }
    assert groups == {1: TENANT, 2: OTHER}


def test_more_than_ten_go_in_several_batches(aws: Storage) -> None:
    aws.queues.match_batch([{"n": number} for number in range(25)])

    assert sorted(body["n"] for body in bodies("MATCH_QUEUE_URL")) == list(range(25))


class HalfDeaf:
    """An SQS that takes the first entry of a call only."""

    def __init__(self, deaf: bool = False) -> None:
        self.taken: list[str] = []
        self._deaf = deaf

    def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if not self._deaf:
            self.taken.append(Entries[0]["MessageBody"])
        failed = Entries if self._deaf else Entries[1:]
        return {"Failed": [{"Id": entry["Id"]} for entry in failed]}


def queues_on(client: HalfDeaf) -> Queues:
    known = Settings(table_name="t", raw_bucket="r", archive_bucket="a", match_queue_url="q")
    return Queues(client, known)


def test_entries_that_failed_are_sent_again() -> None:
    client = HalfDeaf()

    queues_on(client).match_batch([{"n": 1}, {"n": 2}, {"n": 3}])

    assert client.taken == ['{"n":1}', '{"n":2}', '{"n":3}']


def test_a_batch_that_is_not_taken_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        queues_on(HalfDeaf(deaf=True)).match_batch([{"n": 1}])
