"""What a sync worker works with, made once per process; per invocation a summary and an end."""

import functools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ablage.mailbox.connection import Bounds
from ablage.mailbox.network import Network
from ablage.observability import Summary
from ablage.settings import settings
from ablage.store.aws import LateClient
from ablage.store.secrets import Secrets
from ablage.store.storage import Storage, storage
from sync.access import Access
from sync.discovery import Resolve, resolve
from sync.hosts import Hosts
from sync.identity import IdentityProviders
from sync.memory import give_memory_back, keep_for_good
from sync.uploads import Uploads
from sync.walk import Slice

INVOCATION_SECONDS = 110.0  # of the function's 120
SLICE_BYTES = 384 * 1024 * 1024  # of mail per account and slice; mostly its seconds end it first
CLOSING_SECONDS = 10.0  # of a session, to finish what is in flight
START_SECONDS = 60.0  # later, no further account is begun: the next tick is the retry


@dataclass(frozen=True)
class Tools:
    """`now` tells the time (epoch seconds), `clock` counts it; `slice_bytes` is an account's share,
    `jitter` a number in [0, 1)."""

    storage: Storage
    access: Access
    network: Network
    summary: Summary = field(default_factory=Summary)
    hosts: Hosts = field(default_factory=Hosts)
    uploads: Uploads = field(default_factory=Uploads)
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    resolve: Resolve = resolve
    began: float = field(default_factory=time.monotonic)
    slice_bytes: int = SLICE_BYTES
    jitter: Callable[[], float] = random.random

    def can_start(self) -> bool:
        return self.clock() - self.began < START_SECONDS

    def seconds_left(self) -> float:
        """Of the invocation."""
        return self.began + INVOCATION_SECONDS - self.clock()

    def bounds(self) -> Bounds:
        """Of one session: no longer than the invocation has left."""
        return Bounds(seconds=self.seconds_left(), clock=self.clock)

    def share(self, seconds: float) -> Slice:
        """An account's share of at most `seconds`: over before the session's end."""
        least = min(seconds, self.bounds().seconds - CLOSING_SECONDS)
        return Slice(least, self.slice_bytes, self.clock)

    def epoch(self) -> int:
        return int(self.now())

    def day(self) -> str:
        """UTC, `YYYY-MM-DD`."""
        return self.time().date().isoformat()

    def time(self) -> datetime:
        return datetime.fromtimestamp(self.epoch(), UTC)


def rfc3339(at: datetime) -> str:
    """To the second; a year has four digits."""
    return at.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


@functools.cache
def access() -> Access:
    known = settings()
    table = storage().table
    secrets = Secrets(table, LateClient("kms"), key_id=known.secrets_key_id)
    return Access(table, secrets, IdentityProviders(known.mail_ca_file), known)


@functools.cache
def uploads() -> Uploads:
    give_memory_back()
    made = Uploads()
    keep_for_good()  # the last thing `tools` makes of a process
    return made


def tools() -> Tools:
    """Fresh for each invocation, over what the process keeps warm."""
    network = Network.from_settings(settings())
    return Tools(storage(), access(), network, uploads=uploads())
