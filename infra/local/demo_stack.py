"""What both demos do with the local stack: accounts, ticks, and a look behind the scenes."""

import logging
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.aws import client
from infra.local.demo_client import Client, Json
from infra.local.demo_console import Console
from infra.local.stack import LocalStack

RAW_PREFIX = "raw/"
SLICES = 1000  # of leftover work, far more than any demo needs
_DEAD_LETTERS = "DeadLetterQueue"


@contextmanager
def quiet_stack(console: Console, **options: Any) -> Iterator[LocalStack]:
    """The stack, without the functions' log lines below a warning, and those on stderr."""
    logging.disable(logging.INFO)
    try:
        with ExitStack() as running:
            running.enter_context(redirect_stdout(sys.stderr))
            with console.step("AWS, IMAP and HTTP started in this process"):
                stack = running.enter_context(LocalStack(**options))
            yield stack
    finally:
        logging.disable(logging.NOTSET)


def connect(stack: LocalStack, api: Client, account: str, address: str, **more: Any) -> Json:
    """A mailbox at the embedded server, and the account that reads it."""
    password = secrets.token_urlsafe(12)
    stack.imap.add_user(address, password)
    mailbox = {
        "id": account,
        "address": address,
        "host": stack.imap.host,
        "port": stack.imap.port,
        "username": address,
        "password": password,
    }
    return api.post("/v1/accounts", mailbox | more)


def poll_all(stack: LocalStack) -> None:
    """Every five-minute slot once, without waiting for it: two minutes back to two ahead."""
    now = datetime.now(UTC)
    for minute in (now - timedelta(minutes=2), now + timedelta(minutes=2)):
        stack.tick(minute)
        stack.drain(delays=True)


def poll_until(stack: LocalStack, is_done: Callable[[], int]) -> None:
    """`poll_all`, then leftover work, slice by slice, until `is_done` counts nothing missing or
    nothing moves any more."""
    poll_all(stack)
    ahead, missing = datetime.now(UTC) + timedelta(minutes=3), is_done()
    for number in range(SLICES):
        if not missing:
            return
        stack.tick(ahead + timedelta(minutes=number))
        stack.drain(delays=True)
        before, missing = missing, is_done()
        if missing >= before:
            return


def raw_keys(stack: LocalStack) -> list[str]:
    """What is stored as it was received."""
    bucket, s3 = stack.resources.ref("RawBucket"), client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=RAW_PREFIX)
    return [found["Key"] for page in pages for found in page.get("Contents", ())]


def raw_bytes(stack: LocalStack, key: str) -> bytes:
    answer = client("s3").get_object(Bucket=stack.resources.ref("RawBucket"), Key=key)
    body: bytes = answer["Body"].read()
    return body


def dead_letters(stack: LocalStack) -> int:
    """Messages nobody could work off."""
    made = stack.resources.resolver.made
    return sum(_depth(url) for name, url in made.items() if name.endswith(_DEAD_LETTERS))


def to_match(stack: LocalStack) -> int:
    """How many events wait for match, or are with it."""
    return _depth(stack.resources.ref("MatchQueue"))


def _depth(url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(number) for number in answer["Attributes"].values())
