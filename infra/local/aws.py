"""AWS in this process: moto under one lock, with credentials that open nothing."""

import functools
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from infra.local.moto_speed import speed_up
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.sqs.models import sqs_backends

REGION = "eu-central-1"
ACCOUNT = "123456789012"  # moto's account
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # moto does not know the account's own endpoints
    "AWS_EC2_METADATA_DISABLED": "true",
}
OUR_ROOMS = ("ablage", "sync", "match", "api", "deliver", "webhook")

_LOCK = threading.RLock()


def lock_moto() -> None:
    """One call at a time: otherwise moto loses updates and lets two conditional puts win."""
    if getattr(BotocoreStubber, "_one_at_a_time", False):
        return
    answer = BotocoreStubber.__call__

    def locked(self: BotocoreStubber, *args: Any, **kwargs: Any) -> Any:
        with _LOCK:
            return answer(self, *args, **kwargs)

    setattr(BotocoreStubber, "__call__", locked)  # noqa: B010  mypy forbids the plain form
    setattr(BotocoreStubber, "_one_at_a_time", True)  # noqa: B010  same


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """`os.environ` with these values, and as before afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def local_aws() -> Iterator[None]:
    lock_moto()
    speed_up()
    settings: Any = {"core": {"reset_boto3_session": False}}  # `client` keeps what it made
    with environment(CREDENTIALS), mock_aws(config=settings):
        forget_cached()
        yield
    forget_cached()


@functools.cache
def client(service: str) -> Any:
    """Made once, as making it costs more than most of what it is asked: nobody hooks into it."""
    return boto3.client(service, region_name=REGION)


def let_time_pass(queue_name: str, *, delays: bool) -> int:
    """Messages in flight become visible again, and with `delays` delayed ones due, as if their time
    were over; how many. moto has no clock of its own to move."""
    with _LOCK:
        queue = sqs_backends[ACCOUNT][REGION].queues[queue_name]
        waiting = 0
        for message in list(queue._messages):
            if not message.visible:
                message.visible_at = 0.0
                waiting += 1
            elif delays and message.delayed:
                message.delayed_until = 0.0
                waiting += 1
        return waiting


def forget_cached() -> None:
    """Functions keep clients and settings per process; a new stack is a new world."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in OUR_ROOMS:
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
