"""A client in a process of its own, so that CPU and memory are its alone: `python -m
tests.bench.client MODE JOB` does the job and prints what it cost as JSON.

CPU and seconds count from the first connection on: what a warm function has behind it, the imports
and clients, is told by itself (`start_cpu`).
"""

import json
import re
import resource
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

PASSWORD = "correct horse"
STEP, DEPTH = 50, 4  # the socket-level limit: messages a command, commands in flight
LEASE_STEP = 151  # seconds a lease is older than, at the next turn


def pull(job: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Our reader alone, each mail into a file."""
    from ablage.accounts import Account, Folder  # noqa: PLC0415  imports are part of what is measured
    from ablage.mailbox.connection import Bounds  # noqa: PLC0415
    from ablage.mailbox.network import Network, tls_context  # noqa: PLC0415
    from ablage.mailbox.opening import Search  # noqa: PLC0415
    from ablage.mailbox.pull import Fetched  # noqa: PLC0415
    from ablage.mailbox.session import open_session  # noqa: PLC0415
    from ablage.tenancy import TenantId  # noqa: PLC0415
    from sync.memory import give_memory_back, keep_for_good  # noqa: PLC0415

    user, out = job["user"], Path(job["out"])
    network = Network(job["ca_file"], frozenset({f"{job['host']}:{job['port']}"}))
    tls_context(job["ca_file"])  # what a warm worker has behind it
    give_memory_back()
    keep_for_good()
    account = Account(TenantId("t"), "a", user, user, job["host"], job["port"], user, 1)

    def work() -> dict[str, Any]:
        count = 0
        with open_session(network, account, PASSWORD, Bounds()) as session:
            session.examine(Folder("", "INBOX", raw="INBOX"), Search(0))
            uids = session.new_uids(0)
            for result in session.fetch(uids, lambda _uids, listed: listed, lambda: False):
                assert isinstance(result, Fetched)
                assert isinstance(result.body, bytes)
                (out / str(result.uid)).write_bytes(result.body)
                count += 1
        return {"messages": count}

    return work


def limit(job: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """The socket-level limit of one pipelined connection: no parsing, no check, by sequence
    numbers."""
    context = ssl.create_default_context(cafile=job["ca_file"])
    out, literal = Path(job["out"]), re.compile(rb"UID (\d+).*\{(\d+)\}\r\n$")

    def work() -> dict[str, Any]:
        plain = socket.create_connection((job["host"], job["port"]))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(plain, server_hostname=job["host"]) as tls:
            lines = tls.makefile("rb", buffering=256 * 1024)
            lines.readline()
            tls.sendall(b'a LOGIN %b "%b"\r\n' % (job["user"].encode(), PASSWORD.encode()))
            while not lines.readline().startswith(b"a OK"):
                pass
            tls.sendall(b"b EXAMINE INBOX\r\n")
            count = exists = 0
            while not (line := lines.readline()).startswith(b"b OK"):
                exists = int(line.split()[1]) if line.endswith(b"EXISTS\r\n") else exists
            commands = [
                b"c UID FETCH %d:%d (UID BODY.PEEK[])\r\n" % (low, min(low + STEP - 1, exists))
                for low in range(1, exists + 1, STEP)  # in a fresh Maildir UIDs count from 1
            ]
            tls.sendall(b"".join(commands[:DEPTH]))
            ahead, left = iter(commands[DEPTH:]), len(commands)
            while left:
                line = lines.readline()
                if found := literal.search(line):
                    (out / found[1].decode()).write_bytes(lines.read(int(found[2])))
                    lines.readline()
                    count += 1
                elif line.startswith(b"c "):
                    left -= 1
                    tls.sendall(next(ahead, b""))
        return {"messages": count}

    return work


def work(job: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """A whole sync worker over one account: a poll, then leftover work until nothing is left. Each
    turn comes when the last one's lease is over."""
    from ablage.store import keys  # noqa: PLC0415  as above
    from ablage.store.aws import client  # noqa: PLC0415
    from ablage.tenancy import TenantId  # noqa: PLC0415
    from sync.poll import more, poll  # noqa: PLC0415
    from sync.tools import tools  # noqa: PLC0415

    tenant, account = TenantId(job["tenant"]), job["account"]
    working = tools()
    for service in ("dynamodb", "kms", "s3"):
        client(service)  # what a warm worker has behind it

    def turn(number: int) -> Any:
        at = job.get("later", 0) + number * LEASE_STEP
        return replace(working, now=lambda: time.time() + at, began=time.monotonic())

    def whole() -> dict[str, Any]:
        poll(turn(0), [(tenant, account)])
        turns = 1
        while working.storage.table.get(keys.more(tenant, account)) and turns < 50:
            more(turn(turns), tenant, account)
            turns += 1
        return {"turns": turns, "counts": working.summary.counts()}

    return whole


def idle(job: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """A poll of accounts that have nothing new, by a worker that has seen them before."""
    from ablage.tenancy import TenantId  # noqa: PLC0415  as above
    from sync.poll import poll  # noqa: PLC0415
    from sync.tools import tools  # noqa: PLC0415

    accounts = [(TenantId(job["tenant"]), account) for account in job["accounts"]]
    poll(tools(), accounts)
    poll(tools(), accounts)

    def once() -> dict[str, Any]:
        working = tools()
        poll(working, accounts)
        return {"counts": working.summary.counts()}

    return once


def bare(_job: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    return dict


def peak_mb() -> float:
    """On Linux `ru_maxrss` begins with the peak of the process that forked this one."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)  # macOS: bytes


def main(mode: str, job: dict[str, Any]) -> None:
    modes = {"pull": pull, "limit": limit, "work": work, "idle": idle, "bare": bare}
    ready = modes[mode](job)
    start_cpu, start_mb = time.process_time(), peak_mb()
    began = time.monotonic()
    told = ready()
    costs = {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - start_cpu,
        "start_cpu": start_cpu,
        "start_mb": start_mb,
        "peak_mb": peak_mb(),
    }
    print(json.dumps(told | costs))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
