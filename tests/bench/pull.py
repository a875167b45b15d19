"""Pulling 5,000 mails, no S3: against mbsync and against a bare socket, in paired rounds."""

import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from infra.local import dovecot
from tests.bench.lab import (
    NO_DOVECOT,
    PASSWORD,
    ROUNDS,
    USER,
    Lab,
    Reached,
    at_least,
    at_most,
    client,
    lab,
    measured,
)

MBSYNC = shutil.which("mbsync")
NO_MBSYNC = {"skipped": "mbsync is not installed (Debian: isync)"}
TO_MBSYNC = {0: 1.05, 40: 0.98}  # by milliseconds of a round trip
TO_SOCKET = {0: 0.95, 40: 0.93}
CPU_TO_MBSYNC = 1.0
_MBSYNCRC = """
IMAPAccount b
Host {host}
Port {port}
User {user}
Pass "{password}"
SSLType IMAPS
CertificateFile {ca_file}

IMAPStore far
Account b

MaildirStore near
Path {out}/
Inbox {out}/INBOX

Channel c
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
"""

Run = dict[str, Any]


def pull() -> dict[str, Any]:
    if dovecot.executable() is None:
        return {"pull": NO_DOVECOT}
    with lab() as where:
        rounds = {0: [_round(where, where.direct, number) for number in range(ROUNDS)]}
        with where.proxy(40) as (_, reached):
            rounds[40] = [_round(where, reached, number) for number in range(ROUNDS)]
        return {"pull": {"mailbox": where.mailboxes[USER]} | _report(rounds)}


def _round(where: Lab, reached: Reached, number: int) -> dict[str, Run]:
    """Each round begins with another one: who is first finds memory that was just given back."""
    clients: dict[str, Callable[[Lab, Reached, Path], Run]] = {
        "ours": lambda *at: _ours("pull", *at),
        "socket": lambda *at: _ours("limit", *at),
    }
    if MBSYNC:
        clients["mbsync"] = _mbsync
    runs: dict[str, Run] = {}
    order = [*clients][number % len(clients) :] + [*clients][: number % len(clients)]
    for name in order:
        run = clients[name]
        with where.out() as out:
            runs[name] = run(where, reached, out)
            arrived = sum(1 for path in out.rglob("*") if path.is_file() and path.stat().st_size)
            if arrived < where.mailboxes[USER][0]:
                raise RuntimeError(f"{name} brought {arrived} mails")
    return runs


def pull_alone(where: Lab, reached: Reached) -> Run:
    with where.out() as out:
        return _ours("pull", where, reached, out)


def _ours(mode: str, _where: Lab, reached: Reached, out: Path) -> Run:
    job = {
        "host": reached.host,
        "port": reached.port,
        "ca_file": str(reached.ca_file),
        "user": USER,
        "out": str(out),
    }
    return client(mode, job, reached.environment)


def _mbsync(where: Lab, reached: Reached, out: Path) -> Run:
    assert MBSYNC
    config = where.folder / "mbsyncrc"
    config.write_text(
        _MBSYNCRC.format(
            host=reached.host,
            port=reached.port,
            ca_file=reached.ca_file,
            user=USER,
            password=PASSWORD,
            out=out,
        )
    )
    return dict(measured([MBSYNC, "-q", "-c", str(config), "-a"]))


def _report(rounds: dict[int, list[dict[str, Run]]]) -> dict[str, Any]:
    return {
        f"round_trip_{delay}_ms": {
            "seconds": _of(runs, "seconds"),
            "client_cpu_seconds": _of(runs, "cpu"),
            "to_socket": at_least(_faster(runs, "socket"), TO_SOCKET[delay]),
            "to_mbsync": at_least(_faster(runs, "mbsync"), TO_MBSYNC[delay])
            if MBSYNC
            else NO_MBSYNC,
            "cpu_to_mbsync": at_most(_cpu(runs), CPU_TO_MBSYNC) if MBSYNC else NO_MBSYNC,
        }
        for delay, runs in rounds.items()
    }


def _faster(runs: list[dict[str, Run]], peer: str) -> float:
    """Median over paired rounds; above 1 we are faster."""
    return median(run[peer]["seconds"] / run["ours"]["seconds"] for run in runs)


def _cpu(runs: list[dict[str, Run]]) -> float:
    return median(run["ours"]["cpu"] / run["mbsync"]["cpu"] for run in runs)


def _of(runs: list[dict[str, Run]], figure: str) -> dict[str, list[float]]:
    return {name: [round(run[name][figure], 3) for run in runs] for name in runs[0]}
