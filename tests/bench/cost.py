"""`make bench-cost`: what a month costs, from counted calls and public prices, beside the plain
design: one invocation, one lease write and one log line a look, with and without a KMS call.

Both designs look at the same mailboxes, at the same interval, over the same round trips, with the
same CPU, and read the same items. Prices and what is assumed: `prices.toml`."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra.local.translate import TEMPLATE, translate
from tests.bench.counts import count

from ablage.accounts import slot
from ablage.store import secrets
from ablage.tenancy import TenantId
from sync.poll import THREADS
from sync.polls import polls_of

LEAST_WITH_KMS, LEAST_WITHOUT = 10, 5
PRICES = Path(__file__).with_name("prices.toml")
SQS_BATCH = 10
MINUTES = 60
GB = 1024**3

Bill = dict[str, float]  # dollars a month, by what is paid for


@dataclass(frozen=True)
class Assumed:
    """`prices.toml`, its part `assumed`."""

    accounts: int
    interval_minutes: int
    tenants: int
    mails: int
    mail_kb: int
    hours: int
    round_trip_ms: float
    server_ms: float
    round_trips: int
    cpu_ms: float
    vcpu_mb: int
    table_call_ms: float
    object_call_ms: float
    platform_log_bytes: int
    environments: int
    environment_hours: float
    pollers: int
    plain_mb: int

    @property
    def minutes(self) -> int:
        return self.hours * MINUTES

    @property
    def looks(self) -> float:
        return self.accounts * self.minutes / self.interval_minutes

    @property
    def look_seconds(self) -> float:
        """Waiting for the mail server."""
        return (self.round_trips * self.round_trip_ms + self.server_ms) / 1000

    def cpu_seconds(self, memory_mb: int) -> float:
        """Of a look, on the share of a CPU that comes with the memory."""
        return self.cpu_ms / 1000 * max(self.vcpu_mb / memory_mb, 1)


def load() -> tuple[Any, Assumed]:
    with PRICES.open("rb") as file:
        found = tomllib.load(file)
    assumed = Assumed(**found.pop("assumed"))
    return SimpleNamespace(**{name: _namespace(value) for name, value in found.items()}), assumed


def _namespace(value: Any) -> Any:
    return SimpleNamespace(**value) if isinstance(value, dict) else value


def idle_month(price: Any, at: Assumed, counted: Mapping[str, Any]) -> Bill:
    """Of this house. The function's memory and batches are the template's."""
    memory, batch = _template()
    messages = messages_a_minute(at)
    in_batch = min(max(messages / MINUTES / at.pollers, 1), batch)
    invocations = messages / in_batch * at.minutes
    looks_each = at.looks / invocations
    waiting = -(-looks_each // THREADS) * at.look_seconds
    table_calls = sum(counted["calls"].values()) * -(-looks_each // 50)  # 100 keys a call
    seconds = max(waiting, looks_each * at.cpu_seconds(memory))
    seconds += table_calls * at.table_call_ms / 1000
    notes = at.accounts * at.hours / 6
    opens = _opens(at)
    return {
        "Lambda": _lambda(price, invocations, seconds, memory) + _dispatch(price, at, messages),
        "DynamoDB reads": price.dynamodb.read_unit
        * (
            at.looks * (counted["read_units"] + counted["due_bytes"] / 8192)
            + opens * counted["cold_read_units"]
        ),
        "DynamoDB writes": price.dynamodb.write_unit
        * (notes * counted["noted_units"] + at.looks * counted["write_units"] + at.minutes),
        "SQS": price.sqs.request * (_sends(messages) * at.minutes + 2 * invocations + _empty(at)),
        "KMS": price.kms.request * opens / at.accounts * at.tenants * counted["cold_kms"],
        "CloudWatch": _logs(price, at, invocations, counted["log_bytes"])
        + _logs(price, at, at.minutes, counted["log_bytes"])
        + 2 * price.cloudwatch.metric_month
        + _alarms() * price.cloudwatch.alarm_month,
    }


def plain_month(price: Any, at: Assumed, counted: Mapping[str, Any], *, kms: bool) -> Bill:
    """One message, one invocation, one lease write, one log line a look."""
    seconds = at.look_seconds + at.cpu_seconds(at.plain_mb) + 2 * at.table_call_ms / 1000
    reads = counted["read_units"] + counted["due_bytes"] / 8192 + kms  # the secret, consistently
    return {
        "Lambda": _lambda(price, at.looks, seconds, at.plain_mb),
        "DynamoDB reads": price.dynamodb.read_unit * at.looks * reads,
        "DynamoDB writes": price.dynamodb.write_unit * at.looks,
        "SQS": price.sqs.request * at.looks * (1 / SQS_BATCH + 2),
        "KMS": price.kms.request * at.looks * kms,
        "CloudWatch": _logs(price, at, at.looks, counted["log_bytes"])
        + _alarms() * price.cloudwatch.alarm_month,
    }


def mails_month(price: Any, at: Assumed, counted: Mapping[str, Any]) -> Bill:
    """Each comes alone and is filed at a contact and a customer; stored raw and archived, a month
    of each."""
    calls = counted["calls"]
    puts = calls["s3:PutObject"] + calls.get("s3:CopyObject", 0)
    gets = calls.get("s3:GetObject", 0)
    table = sum(number for name, number in calls.items() if name.startswith("dynamodb:"))
    seconds = (table * at.table_call_ms + (puts + gets) * at.object_call_ms) / 1000
    gigabytes = 2 * at.mails * at.mail_kb * 1024 / GB
    return {
        "Lambda": _lambda(price, at.mails, seconds, _template()[0]),
        "DynamoDB reads": price.dynamodb.read_unit * at.mails * counted["read_units"],
        "DynamoDB writes": price.dynamodb.write_unit * at.mails * counted["write_units"],
        "SQS": price.sqs.request * at.mails * 3,
        "S3": at.mails * (puts * price.s3.put + gets * price.s3.get)
        + gigabytes * price.s3.gb_month,
        "CloudWatch": _logs(price, at, at.mails, counted["log_bytes"]),
    }


def messages_a_minute(at: Assumed) -> float:
    """As dispatch makes them, on average over an interval."""
    a_tenant = at.accounts // at.tenants
    known = [
        (slot(tenant, account, at.interval_minutes), (tenant, account))
        for tenant in (TenantId(f"t{number}") for number in range(at.tenants))
        for account in (f"acc-{number}" for number in range(a_tenant))
    ]

    def due(interval: int, minute: int) -> Iterable[tuple[TenantId, str]]:
        if interval != at.interval_minutes:
            return []
        return [account for its, account in known if its == minute % interval]

    sent = sum(1 for _ in polls_of(due, -1, at.interval_minutes - 1))
    return sent / at.interval_minutes


def _opens(at: Assumed) -> float:
    """Secrets opened anew: each environment opens each account's once, until it is replaced or
    forgets."""
    kept = min(at.environment_hours, secrets.CACHE_SECONDS / 3600)
    most = at.looks  # no more than one a look
    if at.accounts > secrets.CACHE_ENTRIES:
        return most
    return min(at.accounts * at.environments * at.hours / kept, most)


def _lambda(price: Any, invocations: float, seconds: float, memory_mb: int) -> float:
    gb_second = price.__dict__["lambda"].gb_second_arm
    request = price.__dict__["lambda"].request
    return float(invocations * (request + seconds * memory_mb / 1024 * gb_second))


def _dispatch(price: Any, at: Assumed, messages: float) -> float:
    """A tick: five queries, a read, a write, and its sends sixteen side by side."""
    calls = 7 + -(-_sends(messages) // 16)
    return _lambda(price, at.minutes, 0.2 + calls * at.table_call_ms / 1000, 256)


def _sends(messages: float) -> float:
    return -(-messages // SQS_BATCH)


def _empty(at: Assumed) -> float:
    """Pollers of the two queues that wait for 20 s and find nothing."""
    return 2 * at.pollers * 3 * at.minutes


def _logs(price: Any, at: Assumed, lines: float, size: int) -> float:
    return float(lines * (size + at.platform_log_bytes) / GB * price.cloudwatch.log_gb)


def _template() -> tuple[int, int]:
    """Sync's memory in MB, and messages of a batch."""
    memory = _resources()["SyncFunction"]["Properties"]["MemorySize"]
    return int(memory), int(_resources()["SyncFunctionLive"]["Properties"]["BatchSize"])


def _alarms() -> int:
    return sum(each["Type"] == "AWS::CloudWatch::Alarm" for each in _resources().values())


@cache
def _resources() -> dict[str, Any]:
    found: dict[str, Any] = translate(TEMPLATE)["Resources"]
    return found


def report(counted: Mapping[str, Any]) -> dict[str, Any]:
    price, at = load()
    idle, filed = counted["idle"], counted["filed"]
    bills = {
        "this": idle_month(price, at, idle),
        "plain, KMS": plain_month(price, at, idle, kms=True),
        "plain": plain_month(price, at, idle, kms=False),
        "mails": mails_month(price, at, filed),
    }
    sums = {name: sum(bill.values()) for name, bill in bills.items()}
    return {
        "prices_as_of": price.as_of,
        "region": price.region,
        "counted": counted,
        "dollars_a_month": bills | {"sum": sums},
        "plain_with_kms_to_this": {
            "ratio": sums["plain, KMS"] / sums["this"],
            "limit": LEAST_WITH_KMS,
        },
        "plain_to_this": {"ratio": sums["plain"] / sums["this"], "limit": LEAST_WITHOUT},
    }


def table(made: Mapping[str, Any]) -> str:
    """Markdown, in whole dollars: what `docs/operations.md` shows."""
    bills = made["dollars_a_month"]
    columns = ("this", "plain, KMS", "plain", "mails")
    names = list(dict.fromkeys(name for column in columns for name in bills[column]))
    lines = [
        "| dollars a month | this | plain, KMS each look | plain, no KMS | a million filed mails |",
        "|---|---|---|---|---|",
        *(_line(name, [bills[column].get(name, 0.0) for column in columns]) for name in names),
        _line("**sum**", [bills["sum"][column] for column in columns]),
    ]
    with_kms = made["plain_with_kms_to_this"]["ratio"]
    without = made["plain_to_this"]["ratio"]
    lines.append(f"| times this | 1 | {with_kms:.1f} | {without:.1f} | |")
    return "\n".join(lines)


def _line(name: str, dollars: list[float]) -> str:
    return f"| {name} | " + " | ".join(f"{each:,.0f}" for each in dollars) + " |"


def main() -> None:
    with redirect_stdout(StringIO()):  # the functions' own lines
        counted = count()
    made = report(counted)
    print(json.dumps(made, indent=2))
    print(f"\n{table(made)}")


if __name__ == "__main__":
    main()
