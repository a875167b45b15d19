"""What a slice works with, made once per warm function; the clocks for tests to turn."""

import functools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ablage.mailbox.network import Network
from ablage.settings import settings
from ablage.store.aws import LateClient, client
from ablage.store.table import Table
from ablage.store.webhook_secrets import WebhookSecrets
from ablage.webhook_wire import HTTPS_PORT


@dataclass(frozen=True)
class Tools:
    """`now` counts epoch seconds, `clock` seconds; `jitter` is in [0, 1)."""

    table: Table
    network: Network
    secrets: WebhookSecrets
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random


@functools.cache
def tools() -> Tools:
    known = settings()
    table = Table(client("dynamodb"), known.table_name)
    network = replace(Network.from_settings(known), only_port=HTTPS_PORT, is_bounded=True)
    return Tools(table, network, WebhookSecrets(table, LateClient("kms")))
