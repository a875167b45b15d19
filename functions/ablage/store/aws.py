"""AWS clients, made once per process and service: a second session costs 20 to 120 ms of cold
start."""

import functools
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5},
    max_pool_connections=64,
    connect_timeout=5,
    read_timeout=20,
)


@functools.cache
def client(service: str) -> Any:
    return boto3.client(service, config=_CONFIG)
