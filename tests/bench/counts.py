"""What the real code asks of AWS: counted on moto and an embedded mail server."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.local.aws import environment, lock_moto
from infra.local.certificates import Certificates
from infra.local.imap_server import EmbeddedImap
from tests.bench.meter import Meter, item_bytes
from tests.support.aws import ENVIRONMENT, fresh_aws
from tests.support.events import context, s3_created, sqs_event
from tests.support.mailboxes import PASSWORD, TENANT, connect_mailbox, raw_keys
from tests.support.tenants import index_contact

from ablage.accounts import Account
from ablage.store import address_index, keys
from ablage.store.aws import client
from ablage.store.storage import Storage, storage
from ablage.store.table import DUE_INDEX

ACCOUNTS = 10
HOUR = 3600
MAIL = (
    b"From: Max Kunde <max@kunde.example>\r\nTo: anna@own.example\r\nSubject: Angebot 4711\r\n"
    b"Message-ID: <4711@kunde.example>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\n"
    b"Guten Tag,\r\nanbei das Angebot.\r\n"
)


@dataclass(frozen=True)
class Idle:
    """Of an idle look: `calls` of its invocation by operation; units of the table for each account.
    `noted_units` are written where a look is noted; `cold_read_units` are read besides by a process
    that has opened no secret yet, which asks KMS `cold_kms` times for the whole tenant. `due_bytes`
    of an account in the due index, `log_bytes` of the invocation's line."""

    calls: dict[str, int]
    read_units: float
    write_units: float
    noted_units: float
    cold_read_units: float
    cold_kms: int
    due_bytes: float
    log_bytes: int


@dataclass(frozen=True)
class Filed:
    """Of one new mail that comes alone and is filed at a contact and a customer."""

    read_units: float
    write_units: float
    calls: dict[str, int]
    log_bytes: int


def count() -> dict[str, Any]:
    with _house() as (where, imap):
        idle, filed = _count_idle(where, imap), _count_filed(where, imap)
    return {"idle": asdict(idle), "filed": asdict(filed)}


@contextmanager
def _house() -> Iterator[tuple[Storage, EmbeddedImap]]:
    lock_moto()
    with TemporaryDirectory() as folder:
        imap = EmbeddedImap(Certificates(Path(folder)))
        try:
            local = {
                "MAIL_CA_FILE": str(imap.ca_file),
                "MAIL_LOCAL_HOSTS": f"{imap.host}:{imap.port}",
                "STACK_NAME": "ablage",
            }
            with environment(ENVIRONMENT | local), fresh_aws():
                yield storage(), imap
        finally:
            imap.stop()


def _poll(accounts: list[Account]) -> dict[str, Any]:
    now = datetime.now(UTC)
    ids = [account.account_id for account in accounts]
    minute = now.strftime("%Y-%m-%dT%H:%M:00Z")
    poll = {"kind": "poll", "minute": minute, "second": now.second, "interval": 5}
    return sqs_event(poll | {"tenant": TENANT, "accounts": ids})


def _count_idle(where: Storage, imap: EmbeddedImap) -> Idle:
    from sync.handler import lambda_handler, logger  # noqa: PLC0415  reads the environment

    meter = _meter()
    accounts = [_mailbox(where, imap, number) for number in range(ACCOUNTS)]
    lambda_handler(_poll(accounts), context())  # folders are listed, all is new
    _age(where, accounts, hours=1)
    lambda_handler(_poll(accounts), context())  # they leave the first hour's tier
    with meter.measured(), _lines(logger) as lines:
        lambda_handler(_poll(accounts), context())
        calls, reads, writes = dict(meter.calls), meter.reads, meter.writes
    _age(where, accounts, hours=6)
    with meter.measured():
        lambda_handler(_poll(accounts), context())
        noted = meter.writes
    _forget_opened()
    with meter.measured():
        lambda_handler(_poll(accounts), context())
        cold_reads, cold_kms = meter.reads - reads, meter.calls["kms:Decrypt"]
    items = [
        item
        for slot in range(5)
        for item in where.table.query(keys.due_slot(5, slot), index=DUE_INDEX)
    ]
    wire = [{name: {"S": value} for name, value in item.items()} for item in items]
    return Idle(
        calls=calls,
        read_units=reads / ACCOUNTS,
        write_units=writes / ACCOUNTS,
        noted_units=noted / ACCOUNTS,
        cold_read_units=cold_reads / ACCOUNTS,
        cold_kms=cold_kms,
        due_bytes=sum(map(item_bytes, wire)) / len(wire),
        log_bytes=sum(map(len, lines)),
    )


def _count_filed(where: Storage, imap: EmbeddedImap) -> Filed:
    from match.handler import lambda_handler as match  # noqa: PLC0415
    from match.handler import logger as match_logger  # noqa: PLC0415
    from sync.handler import lambda_handler as sync  # noqa: PLC0415

    meter = _meter()
    account = _mailbox(where, imap, ACCOUNTS)
    index_contact(where, TENANT, "max@kunde.example", "c1", ["k1"])
    sync(_poll([account]), context())
    _age(where, [account], hours=1)
    sync(_poll([account]), context())
    with meter.measured(), _lines(match_logger) as lines:
        sync(_poll([account]), context())
        idle_reads, idle_calls = meter.reads, dict(meter.calls)
        before = set(raw_keys(where))
        imap.append(account.username, "INBOX", MAIL)
        sync(_poll([account]), context())
        (new,) = set(raw_keys(where)) - before
        match(sqs_event(s3_created(where.raw.bucket, new)), context())
        calls = {name: n - 2 * idle_calls.get(name, 0) for name, n in meter.calls.items()}
        for ours in ("s3:ListObjectsV2", "s3:HeadBucket"):  # counting; never sent
            calls.pop(ours, None)
        calls["s3:PutObject"] = calls.get("s3:PutObject", 0) + 1  # the raw mail: a fast PUT
        return Filed(
            read_units=meter.reads - 2 * idle_reads,
            write_units=meter.writes,
            calls={name: number for name, number in sorted(calls.items()) if number},
            log_bytes=sum(map(len, lines)),
        )


def _meter() -> Meter:
    return Meter(*(client(service) for service in ("dynamodb", "s3", "sqs", "kms")))


def _mailbox(where: Storage, imap: EmbeddedImap, number: int) -> Account:
    user = f"box{number}@own.example"
    imap.add_user(user, PASSWORD)
    account = connect_mailbox(
        where,
        imap,
        user,
        account_id=f"acc-{number:016x}",
        filing_enabled=True,
        filing_since="2026-01-01T00:00:00Z",
        created_at="2026-01-01T00:00:00Z",
    )
    entry = {"v": 1}
    address_index.write(
        where.table, TENANT, user, group="own", entity=account.account_id, entry=entry
    )
    return account


def _age(where: Storage, accounts: list[Account], hours: int) -> None:
    """As if what the state remembers were older."""
    from ablage.store.accounts import get_state, write_state  # noqa: PLC0415

    for account in accounts:
        place = where.table, account.tenant, account.account_id
        state = get_state(*place)
        assert state
        assert state.checked_at
        checked = datetime.fromisoformat(state.checked_at).timestamp() - hours * HOUR
        text = datetime.fromtimestamp(checked, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        habit = replace(state.habit, awake=state.habit.awake - hours * HOUR)
        write_state(*place, replace(state, checked_at=text, habit=habit), state)


def _forget_opened() -> None:
    from sync import tools  # noqa: PLC0415

    for cached in vars(tools).values():
        if hasattr(cached, "cache_clear") and cached.__module__ == "sync.tools":
            cached.cache_clear()


@contextmanager
def _lines(logger: Any) -> Iterator[list[str]]:
    """What the function writes to its log, as it writes it."""
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logger.registered_formatter.format(record) + "\n")

    handler = Keeping()
    kept = logging.getLogger(logger.name)
    kept.addHandler(handler)
    try:
        yield lines
    finally:
        kept.removeHandler(handler)
