"""A worker is killed at a random moment: what the next one fetches again."""

import time
from random import Random
from typing import Any

from infra.local import dovecot
from tests.bench.lab import (
    NO_DOVECOT,
    USER,
    Lab,
    Process,
    Reached,
    at_most,
    client,
    lab,
    started,
)
from tests.bench.whole import Cloud, cloud, connected

AGAIN_MIB = 8
KILLS = 8
ROUND_TRIPS_MS = (0, 40)
LATER = 600  # seconds: the dead worker's lease is over
SEED = 20261126


def interrupted() -> dict[str, Any]:
    """Bytes the server sent beyond those of a run that nothing interrupts, as the proxy counted
    them: in flight, or read and not yet sent to S3."""
    if dovecot.executable() is None:
        return {"fetched_again_after_a_kill": NO_DOVECOT}
    with lab() as where:
        return {
            "fetched_again_after_a_kill": {
                f"round_trip_{delay}_ms": _report(where, delay) for delay in ROUND_TRIPS_MS
            }
        }


def _report(where: Lab, delay: int) -> dict[str, Any]:
    random = Random(SEED)
    with where.proxy(delay) as (proxy, reached), cloud() as at:
        size = where.mailboxes[USER][1]
        calm = client("work", connected(reached, "calm"), at.environment | reached.environment)
        whole = sum(each["down"] for each in proxy.told(calm["turns"]))
        kills = []
        for number in range(KILLS):
            share = random.uniform(0.1, 0.9)
            down = _killed(at, proxy, reached, f"box{number}", int(size * (number + 1 + share)))
            kills.append({"killed_at": round(share, 2), "mib": (down - whole) / 2**20})
    return {"kills": kills, "mib": at_most(max(kill["mib"] for kill in kills), AGAIN_MIB)}


def _killed(at: Cloud, proxy: Process, reached: Reached, account: str, stored: int) -> int:
    """Bytes down in all, of a worker killed when S3 holds `stored` bytes and of its followers."""
    job, environment = connected(reached, account), at.environment | reached.environment
    with started("work", job, environment) as worker:
        while worker.poll() is None and at.figures()["bytes"] < stored:
            time.sleep(0.005)
        worker.kill()
    (dead,) = proxy.told()
    rest = client("work", job | {"later": LATER}, environment)
    return int(dead["down"]) + sum(each["down"] for each in proxy.told(rest["turns"]))
