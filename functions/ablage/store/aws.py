"""AWS clients, made once per process and service: a second session costs 20 to 120 ms of cold
start."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5},
    max_pool_connections=64,
    connect_timeout=5,
    read_timeout=20,
)
# Links of version 2, still the default of some regions, sign neither length nor type of an upload.
_S3_CONFIG = _CONFIG.merge(Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))


@functools.cache
def client(service: str) -> Any:
    return boto3.client(service, config=_S3_CONFIG if service == "s3" else _CONFIG)


@contextmanager
def unavailable() -> Iterator[list[str]]:
    """For work that may fail with AWS and do no harm: the error's type, where there was one."""
    failed: list[str] = []
    try:
        yield failed
    except (BotoCoreError, ClientError) as error:
        failed.append(type(error).__name__)
