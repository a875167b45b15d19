"""The whole stack from the template, with tiny handlers in the functions' places."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from infra.local.aws import client
from infra.local.stack import LocalStack

Event = dict[str, Any]


class Functions:
    """Remembers what each function was called with; dispatch sends one message to SyncQueue."""

    def __init__(self) -> None:
        self.ticks: list[str] = []
        self.synced: list[str] = []
        self.matched: list[Event] = []

    def dispatch(self, event: Event, context: Any) -> None:
        self.ticks.append(event["time"])
        client("sqs").send_message(QueueUrl=os.environ["SYNC_QUEUE_URL"], MessageBody=event["time"])

    def sync(self, event: Event, context: Any) -> None:
        for record in event["Records"]:
            self.synced.append(record["body"])
            key = f"raw/30d/t/a/f/1/{len(self.synced)}.eml"
            client("s3").put_object(Bucket=os.environ["RAW_BUCKET"], Key=key, Body=b"mail")

    def match(self, event: Event, context: Any) -> None:
        self.matched += [json.loads(record["body"]) for record in event["Records"]]

    def api(self, event: Event, context: Any) -> Event:
        claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
        body = {"tenant": claims["tenant"], "time_left": context.get_remaining_time_in_millis()}
        return {"statusCode": 200, "body": json.dumps(body)}

    @property
    def matched_keys(self) -> list[str]:
        return [
            record["s3"]["object"]["key"].replace("%2F", "/")
            for body in self.matched
            for record in body.get("Records", [])
        ]


def start(functions: Functions) -> LocalStack:
    return LocalStack(
        handlers={
            "DispatchFunction": functions.dispatch,
            "SyncFunction": functions.sync,
            "MatchFunction": functions.match,
            "ApiFunction": functions.api,
        }
    )


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def stack(functions: Functions) -> Iterator[LocalStack]:
    with start(functions) as started:
        yield started


def get(stack: LocalStack, path: str, token: str) -> Event:
    request = urllib.request.Request(
        stack.base_url + path, headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_a_tick_runs_through_the_whole_house(stack: LocalStack, functions: Functions) -> None:
    stack.tick(datetime(2026, 11, 24, 2, 47, 31, tzinfo=UTC))
    stack.drain()

    assert functions.ticks == ["2026-11-24T02:47:00Z"]
    assert functions.synced == ["2026-11-24T02:47:00Z"]
    assert functions.matched_keys == ["raw/30d/t/a/f/1/1.eml"]


def test_s3s_first_message_is_its_test_event(stack: LocalStack, functions: Functions) -> None:
    stack.drain()

    assert [body.get("Event") for body in functions.matched] == ["s3:TestEvent"]


def test_the_api_is_behind_the_templates_routes_and_scopes(stack: LocalStack) -> None:
    answer = get(stack, "/v1/me", stack.token("acme", ["read"]))
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(stack, "/v1/me", stack.token("acme", ["file"]))
    refused.value.close()

    assert answer["tenant"] == "acme"
    assert 0 < answer["time_left"] <= 29_000
    assert refused.value.code == 403


def test_functions_see_the_mail_server_as_an_exempt_local_host(stack: LocalStack) -> None:
    hosts = os.environ["MAIL_LOCAL_HOSTS"]

    assert hosts == f"localhost:{stack.imap.port}"
    assert os.environ["MAIL_CA_FILE"] == str(stack.imap.ca_file)


def test_nothing_is_left_when_it_stops(functions: Functions) -> None:
    before = dict(os.environ)

    with start(functions) as stack:
        ca_file, base_url = stack.imap.ca_file, stack.base_url

    assert dict(os.environ) == before
    assert not ca_file.exists()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(base_url + "/v1/me", timeout=2)


def test_two_stacks_after_another_share_nothing(functions: Functions) -> None:
    with start(functions) as first:
        client("s3").put_object(Bucket=first.resources.ref("RawBucket"), Key="x", Body=b"x")
    with start(functions) as second:
        listed = client("s3").list_objects_v2(Bucket=second.resources.ref("RawBucket"))

    assert listed["KeyCount"] == 0


def test_running_ticks_and_pumps_by_itself(stack: LocalStack, functions: Functions) -> None:
    stack.run()

    deadline = time.monotonic() + 120
    while not functions.matched_keys and time.monotonic() < deadline:
        time.sleep(0.05)
    assert functions.matched_keys == ["raw/30d/t/a/f/1/1.eml"]


def test_handlers_are_found_by_the_names_in_the_template(stack: LocalStack) -> None:
    handlers = {name: made.handler for name, made in stack.resources.functions.items()}

    assert handlers == {
        "DispatchFunction": "sync.dispatch.lambda_handler",
        "SyncFunction": "sync.handler.lambda_handler",
        "MatchFunction": "match.handler.lambda_handler",
        "ApiFunction": "api.handler.lambda_handler",
        "DeliverFunction": "deliver.handler.lambda_handler",
        "WebhookFunction": "webhook.handler.lambda_handler",
    }
