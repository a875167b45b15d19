"""Secrets of whoever runs the stack: SSM parameters (SecureString), read by sync alone, kept for an
hour."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from ablage.store.aws import client

CACHE_SECONDS = 3600


@dataclass(frozen=True)
class StackSecret:
    """`version` is counted by SSM from 1."""

    text: str = field(repr=False)
    version: int


class StackSecrets:
    """`path` is what stands before the names; `clock` counts seconds."""

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._read: dict[str, tuple[float, StackSecret]] = {}

    def get(self, name: str) -> StackSecret | None:
        """None when there is none."""
        cached = self._read.get(name)
        if cached and self._clock() < cached[0]:
            return cached[1]
        try:
            answer = client("ssm").get_parameter(Name=f"{self._path}/{name}", WithDecryption=True)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return None
            raise
        found = StackSecret(answer["Parameter"]["Value"], answer["Parameter"]["Version"])
        self._read[name] = self._clock() + CACHE_SECONDS, found
        return found
