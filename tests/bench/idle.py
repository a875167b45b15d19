"""What it costs to see that nothing is new: a hundred accounts side by side, Inbox and Sent."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from infra.local import dovecot
from infra.local.aws import environment
from tests.bench.lab import NO_DOVECOT, PASSWORD, Lab, at_most, client, lab
from tests.bench.meter import Meter
from tests.bench.whole import cloud, connected
from tests.support.aws import ENVIRONMENT, fresh_aws
from tests.support.mailboxes import connect_mailbox, state_of, tools_for
from tests.support.scripted_imap import Clock, ScriptedFolder, ScriptedImap

from ablage.store.aws import client as aws_client
from ablage.store.storage import storage
from sync.poll import poll

ACCOUNTS = 100
ROUND_TRIP_MS = 40
ROUND_TRIPS, CPU_MS, WRITES = 5, 4.0, 0.02
DAYS = 4
_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")


def idle() -> dict[str, Any]:
    return {"idle_check": _side_by_side(), "idle_for_days": _writes()}


def _side_by_side() -> dict[str, Any]:
    if dovecot.executable() is None:
        return NO_DOVECOT
    with lab(iter([])) as where, where.proxy(ROUND_TRIP_MS) as (proxy, reached), cloud(0) as at:
        users = [_user(where, number) for number in range(ACCOUNTS)]
        jobs = [connected(reached, f"box-{user}", user) for user in users]
        job = {"tenant": jobs[0]["tenant"], "accounts": [each["account"] for each in jobs]}
        run = client("idle", job, at.environment | reached.environment)
        polls = proxy.told(3 * ACCOUNTS)[-ACCOUNTS:]
    assert run["counts"] == {"polled": ACCOUNTS}
    turns = [poll["round_trips"] + 1 for poll in polls]  # and the connection's own
    return {
        "accounts_side_by_side": ACCOUNTS,
        "folders": ["INBOX", "Sent"],
        "round_trips_with_tcp_and_tls": at_most(max(turns), ROUND_TRIPS),
        "client_cpu_ms_per_account": at_most(run["cpu"] * 1000 / ACCOUNTS, CPU_MS),
        "bytes_down": max(poll["down"] for poll in polls),
        "bytes_up": max(poll["up"] for poll in polls),
    }


def _writes() -> dict[str, Any]:
    """Four days of an account that gets no mail, polled whenever its state says so; the look that
    connected it is not counted."""
    folders = [ScriptedFolder(b"INBOX", b"\\Inbox", 1), ScriptedFolder(b"Sent", b"\\Sent", 2)]
    clock = Clock()
    begin = datetime.now(UTC).timestamp()
    with environment(ENVIRONMENT), fresh_aws():
        server = ScriptedImap(folders, clock, Random(1))
        account = connect_mailbox(storage(), server, "idle@own.example")
        worker = tools_for(storage(), server, network=server.network(), clock=clock)
        polls = 0
        with Meter(aws_client("dynamodb")).measured() as meter:
            while clock.seconds < DAYS * 86_400:
                now = begin + clock.seconds
                tools = replace(worker, now=lambda now=now: now, began=clock.seconds)
                poll(tools, [(account.tenant, account.account_id)])
                polls += 1
                if polls == 1:
                    meter.calls.clear()
                clock.seconds += state_of(storage(), account).interval * 60
            writes = sum(meter.calls[f"dynamodb:{name}"] for name in _WRITES)
    return {"polls": polls, "table_writes_per_idle_poll": at_most(writes / (polls - 1), WRITES)}


def _user(where: Lab, number: int) -> str:
    user = f"idle{number}"
    where.server.add_user(user, PASSWORD)
    return user
