"""What it costs to see that nothing is new: a hundred accounts side by side, Inbox and Sent; and
how many round trips a new mail adds."""

from typing import Any

from infra.local import dovecot
from tests.bench.lab import NO_DOVECOT, PASSWORD, Lab, at_most, client, lab
from tests.bench.whole import cloud, connected

ACCOUNTS = 100
ROUND_TRIP_MS = 40
ROUND_TRIPS, WITH_NEW_MAIL, CPU_MS = 5, 8, 4.0


def idle() -> dict[str, Any]:
    if dovecot.executable() is None:
        return {"idle_check": NO_DOVECOT}
    with lab(iter([])) as where, where.proxy(ROUND_TRIP_MS) as (proxy, reached), cloud(0) as at:
        users = [_user(where, number) for number in range(ACCOUNTS)]
        jobs = [connected(reached, f"box-{user}", user) for user in users]
        job = {"tenant": jobs[0]["tenant"], "accounts": [each["account"] for each in jobs]}
        run = client("idle", job, at.environment | reached.environment)
        polls = proxy.told(3 * ACCOUNTS)[-ACCOUNTS:]
        where.server.append(users[0], "INBOX", b"Subject: new\r\n\r\nx\r\n")
        fetch = client("work", jobs[0], at.environment | reached.environment)
        (fetched,) = proxy.told()
    assert run["counts"] == {"polled": ACCOUNTS}
    assert fetch["counts"]["stored"] == 1
    turns = [poll["round_trips"] + 1 for poll in polls]  # and the connection's own
    figures = {
        "accounts_side_by_side": ACCOUNTS,
        "folders": ["INBOX", "Sent"],
        "round_trips_with_tcp_and_tls": at_most(max(turns), ROUND_TRIPS),
        "round_trips_with_one_new_mail": at_most(fetched["round_trips"] + 1, WITH_NEW_MAIL),
        "client_cpu_ms_per_account": at_most(run["cpu"] * 1000 / ACCOUNTS, CPU_MS),
        "bytes_down": max(poll["down"] for poll in polls),
        "bytes_up": max(poll["up"] for poll in polls),
    }
    return {"idle_check": figures}


def _user(where: Lab, number: int) -> str:
    user = f"idle{number}"
    where.server.add_user(user, PASSWORD)
    return user
