"""Botocore told less: the same calls go to the same places, signed for the same scope."""

import ast
import functools
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import UnknownServiceError

from ablage.store import aws
from ablage.store.aws import LateClient, client
from ablage.store.descriptions import SERVICES, Descriptions

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("list_tables", {}),
    "events": ("list_rules", {}),
    "kms": ("list_keys", {}),
    "s3": ("head_object", {"Bucket": "a-bucket", "Key": "k"}),
    "sqs": ("list_queues", {}),
    "ssm": ("get_parameter", {"Name": "n"}),
    "sts": ("get_caller_identity", {}),
}
FUNCTIONS = Path(__file__).parents[2] / "functions"


class Sent(Exception):
    pass


@functools.cache
def session(*, told_less: bool) -> boto3.session.Session:
    core = botocore.session.get_session()
    if told_less:
        core.register_component("data_loader", Descriptions())
    return boto3.session.Session("key", "secret", botocore_session=core)


def sent(service: str, region: str, *, told_less: bool) -> tuple[str, ...]:
    """Where a call goes, what it is signed for, and the client's partition and protocol."""

    def stop(request: AWSPreparedRequest, **_: Any) -> None:
        scope = request.headers["Authorization"].decode().split("/", 1)[1].split(",")[0]
        raise Sent(request.method, request.url, scope.split("/", 1)[1])

    made = session(told_less=told_less).client(service, region_name=region)
    made.meta.events.register_first("before-send", stop)
    method, request = CALLS[service]
    with pytest.raises(Sent) as found:
        getattr(made, method)(**request)
    return (*found.value.args, made.meta.partition, made.meta.endpoint_url)


@pytest.mark.parametrize(
    "region", ["eu-central-1", "us-east-1", "cn-north-1", "us-gov-west-1", "eu-nowhere-9"]
)
@pytest.mark.parametrize("service", SERVICES)
def test_calls_go_where_botocore_sends_them(service: str, region: str) -> None:
    assert sent(service, region, told_less=True) == sent(service, region, told_less=False)


@pytest.mark.parametrize("variable", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
@pytest.mark.parametrize("service", ["dynamodb", "s3"])
def test_variants_of_endpoints_are_known(
    service: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "true")
    session.cache_clear()

    ours, theirs = (sent(service, "us-east-1", told_less=less)[:3] for less in (True, False))

    session.cache_clear()
    assert ours == theirs


def test_every_service_that_is_asked_for_is_known_and_no_other() -> None:
    asked = {
        node.args[0].value
        for path in FUNCTIONS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("client", "LateClient")
        and isinstance(node.args[0], ast.Constant)
    }

    assert asked == set(SERVICES)
    with pytest.raises(UnknownServiceError):
        session(told_less=True).client("ec2", region_name="eu-central-1")


def test_clients_are_made_in_any_order() -> None:
    for made_once in (aws._client, aws._own_session, aws._boto3):
        made_once.cache_clear()

    for service in (*SERVICES[::-1], *SERVICES):
        assert client(service).meta.service_model.service_name == service


def test_threads_that_come_at_once_get_one_client() -> None:
    aws._client.cache_clear()
    late, start, found = LateClient("ssm"), Barrier(8), []

    def ask() -> None:
        start.wait()
        found.append(late.meta)

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(each) for each in found}) == 1
    assert found[0] is client("ssm").meta
