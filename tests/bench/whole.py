"""The whole path: pull, SHA-256, PUT to an S3 that answers after 30 ms, cursor; and its memory."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Any

from infra.local import dovecot
from tests.bench.aws_front import aws_front
from tests.bench.lab import (
    NO_DOVECOT,
    ROUNDS,
    USER,
    Lab,
    Process,
    Reached,
    at_least,
    at_most,
    client,
    lab,
)
from tests.bench.mails import HUGE_BYTES, with_huge
from tests.bench.pull import pull_alone
from tests.support.mailboxes import TENANT, connect_mailbox

from ablage.store.storage import storage

PUT_MS, ROUND_TRIP_MS = 30, 40
TO_PULL, CPU_MS, MEMORY_MB = 0.85, 0.7, 96
HUGE_MAILS = 5


@dataclass
class Cloud:
    """AWS as a client process reaches it: moto, and the sink as its S3."""

    environment: dict[str, str]
    sink: Process

    def figures(self) -> dict[str, int]:
        url = f"http://127.0.0.1:{self.sink.port}/figures"
        with urllib.request.urlopen(url, timeout=10) as answer:
            told: dict[str, int] = json.load(answer)
        return told


@contextmanager
def cloud(put_ms: int = PUT_MS) -> Iterator[Cloud]:
    sink = Process("tests.bench.sink", put_ms)
    try:
        with aws_front() as url:
            s3 = f"http://127.0.0.1:{sink.port}"
            reached = {"AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_S3": s3}
            yield Cloud(reached, sink)
    finally:
        sink.stop()


def connected(reached: Reached, account: str, user: str = USER) -> dict[str, str]:
    """An account that was never polled, as a client's job."""
    connect_mailbox(storage(), reached, user, account_id=account)  # type: ignore[arg-type]  has what it reads
    return {"tenant": TENANT, "account": account}


def whole() -> dict[str, Any]:
    if dovecot.executable() is None:
        return {"whole_path": NO_DOVECOT}
    with lab() as where, where.proxy(ROUND_TRIP_MS) as (_, reached), cloud() as at:
        numbers = count(1)
        rounds = [
            (pull_alone(where, reached), _worker(at, reached, f"box{next(numbers)}"))
            for _ in range(ROUNDS)
        ]
        mails, size = where.mailboxes[USER]
        _check(at, mails * ROUNDS, size * ROUNDS)
    return {
        "whole_path": {
            "put_ms": PUT_MS,
            "round_trip_ms": ROUND_TRIP_MS,
            "seconds": [round(run["seconds"], 3) for _, run in rounds],
            "pull_alone_seconds": [round(run["seconds"], 3) for run, _ in rounds],
            "turns": [run["turns"] for _, run in rounds],
            "to_pull_alone": at_least(
                median(alone["seconds"] / run["seconds"] for alone, run in rounds), TO_PULL
            ),
            "client_cpu_ms_per_message": at_most(
                median(run["cpu"] for _, run in rounds) * 1000 / mails, CPU_MS
            ),
        }
    }


def _worker(at: Cloud, reached: Reached, account: str) -> dict[str, Any]:
    return client("work", connected(reached, account), at.environment | reached.environment)


def _check(at: Cloud, objects: int, size: int) -> None:
    """Sizes are wrong where the server has turned a line end: Maildir is served as it lies."""
    told = at.figures()
    if told["objects"] != objects or told["bytes"] != size:
        raise RuntimeError(f"{objects} mails of {size} bytes were to be stored: {told}")


def peak_memory() -> dict[str, Any]:
    """Of a worker over the usual mix with mails of 41 MB in it, its uploads as slow as usual."""
    if dovecot.executable() is None:
        return {"peak_memory": NO_DOVECOT}
    with lab(with_huge(1000, HUGE_MAILS)) as where, cloud() as at:
        run = _worker(at, where.direct, "box")
        _check(at, *_stored(where))
        bare = client("bare", {}, {})["peak_mb"]
    return {
        "peak_memory": {
            "huge_mails": HUGE_MAILS,
            "huge_bytes": HUGE_BYTES,
            "bare_interpreter_mb": bare,
            "above_imports_and_clients_mb": round(run["peak_mb"] - run["start_mb"], 1),
            "above_bare_interpreter_mb": at_most(run["peak_mb"] - bare, MEMORY_MB),
        }
    }


def _stored(where: Lab) -> tuple[int, int]:
    return where.mailboxes[USER]
