"""KMS, an identity provider, DynamoDB or S3 away for six hours: the cursor stays, mail that came
meanwhile is stored once afterwards, and whoever looks sees that it is not read [R28]."""

import functools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from infra.local.aws import lock_moto
from tests.support.aws import fresh_aws
from tests.support.events import sqs_event
from tests.support.faulty_aws import Attempt, Fault, FaultyAws, meeting, refuse
from tests.support.http_events import Answer, Client
from tests.support.mailboxes import TENANT, connect_mailbox, put_account, tools_for
from tests.support.oauth import PERSON, an_account, register, sealed
from tests.support.scripted_imap import Clock, Mail, ScriptedFolder, ScriptedImap, ScriptedSocket
from tests.support.sync_oracle import Oracle

from ablage.accounts import Account
from ablage.faults import fault
from ablage.observability import Summary, service_logger
from ablage.queue_records import answer_for
from ablage.settings import settings
from ablage.store import cursors, keys
from ablage.store.aws import client
from ablage.store.queues import TenantBody
from ablage.store.secrets import Secrets
from ablage.store.storage import Storage, storage
from sync.access import Access
from sync.dispatch import dispatch
from sync.handler import Batch
from sync.identity import Tokens
from sync.tools import Tools

HOUR, TICK = 3600, 300
IN_MEMORY = 1.1  # hours that opened secrets and access tokens are kept
CAUGHT_UP = {"kms": 0.25, "s3": 0.25, "dynamodb": 0.25, "provider": 2.1}  # hours, of full backoff
logger = service_logger("sync")
BEGIN = datetime(2026, 11, 27, 3, 0, tzinfo=UTC).timestamp()
REFUSALS = {
    "kms": refuse(500, "KMSInternalException"),
    "dynamodb": refuse(500, "InternalServerError"),
    "s3": refuse(503, "ServiceUnavailable"),
}


class Sent:
    """What dispatch sends: SQS would rest it until its second."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def sync_batch(self, batch: list[TenantBody]) -> None:
        self.bodies += [each.body for each in batch]

    def backfill_batch(self, batch: list[TenantBody]) -> None:
        self.bodies += [each.body for each in batch]

    def match_batch(self, _bodies: list[dict[str, Any]]) -> None:
        return

    webhooks = match_batch


class GmailSocket(ScriptedSocket):
    """Takes a token at once."""

    def __init__(self, server: ScriptedImap) -> None:
        super().__init__(server)
        self._out[:] = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready\r\n"


class Provider:
    """Gives tokens of an hour, as long as it is there."""

    is_down = False

    def tokens(self, _url: str, _form: Any) -> Tokens:
        if self.is_down:
            raise fault("provider_unavailable")
        return Tokens("access", HOUR)


@dataclass
class World:
    """A mailbox that is looked at every five minutes by cold workers, the way dispatch has it."""

    where: Storage
    away: str

    def __post_init__(self) -> None:
        self.is_away = False
        self.clock = Clock()
        self.folder = ScriptedFolder(b"INBOX", b"", 7)
        self.server = ScriptedImap([self.folder], self.clock, Random(1), socket=GmailSocket)
        self.provider = Provider()
        self.account = self._account()
        self.oracle = Oracle(self.where, self.account, [self.folder])
        self.aws = FaultyAws(at=self._at, saw=self.oracle.saw)
        self.failed = 0
        self.tools = self._tools()

    def _account(self) -> Account:
        if self.away != "provider":
            return connect_mailbox(self.where, self.server, "u@own.example")
        account = an_account(own=PERSON)
        register(self.where)
        grant = sealed("box", "refresh_token", "refresh-1") | {"v": 1}
        put_account(self.where, account)
        self.where.table.put(keys.secret(TENANT, "box"), grant)
        return account

    def _at(self, _number: int, attempt: Attempt) -> Fault | None:
        is_met = self.is_away and attempt.name.startswith(self.away)
        return REFUSALS.get(self.away) if is_met else None

    def _tools(self) -> Tools:
        made = tools_for(self.where, self.server, network=self.server.network(), now=self.now)
        secrets = Secrets(self.where.table, client("kms"), self.clock, settings().secrets_key_id)
        access = Access(self.where.table, secrets, self.provider, settings(), self.now)  # type: ignore[arg-type]
        return replace(made, access=access, clock=self.clock)

    def now(self) -> float:
        return BEGIN + self.clock.seconds

    def deliver(self) -> None:
        raw = b"Subject: %d\r\n\r\nx\r\n" % self.folder.next_uid
        self.folder.deliver(Mail(raw, len(raw)))

    def tick(self) -> None:
        """Dispatch of five minutes, and what it sent."""
        sent = Sent()
        with meeting(self.aws):
            self._dispatch(replace(self.where, queues=sent))  # type: ignore[arg-type]
            records = sqs_event(*sent.bodies)["Records"]
            batch = Batch(replace(self.tools, summary=Summary(), began=self.clock.seconds))
            batch.poll_all(records)
            answer = answer_for(records, batch.handle, logger)
            self.failed += len(answer["batchItemFailures"])
        self.clock.seconds += TICK

    def _dispatch(self, where: Storage) -> None:
        """As Lambda has it: what fails is logged, and the next minute's tick comes."""
        try:
            dispatch(where, datetime.fromtimestamp(self.now(), UTC), Summary(), threads=1)
        except ClientError:
            self.failed += 1

    def run(self, hours: float) -> None:
        """With a new mail every half an hour, none towards the end."""
        ticks = round(hours * HOUR / TICK)
        for number in range(ticks):
            if number % 6 == 0 and number < ticks - 2:
                self.deliver()
            self.tick()

    def cursor(self) -> cursors.Cursor | None:
        return cursors.get_cursor(self.where.table, TENANT, "box", self.folder.folder_id)

    def shown(self) -> Any:
        with meeting(self.aws):
            return Client(TENANT)("GET", "/v1/accounts/box")


@dataclass(frozen=True)
class Told:
    """Of two good hours, six of outage and what came after: cursors when memory was over and when
    the outage was, what the API said at its end and in the end, failed messages, and what was
    broken."""

    before: cursors.Cursor | None
    after: cursors.Cursor | None
    was_open: bool
    is_open: bool
    during: Answer
    finally_: Answer
    failed: int
    broken: Counter[str]


@contextmanager
def quiet() -> Iterator[None]:
    lock_moto()
    with fresh_aws(), mock.patch.object(time, "sleep"):
        yield


@functools.cache
def outage(away: str) -> Told:
    with quiet():
        world = World(storage(), away)
        world.run(2)
        assert (world.oracle.is_open(), world.failed) == (False, 0)
        world.is_away = world.provider.is_down = True
        world.run(IN_MEMORY)
        before = world.cursor()
        world.run(6 - IN_MEMORY)
        after, was_open, during = world.cursor(), world.oracle.is_open(), world.shown()
        failed = world.failed
        world.is_away = world.provider.is_down = False
        world.run(CAUGHT_UP[away])
        is_open = world.oracle.is_open()
        world.oracle.judge(world.aws.created)
        finally_ = world.shown()
        return Told(before, after, was_open, is_open, during, finally_, failed, world.oracle.broken)


@pytest.mark.parametrize("away", CAUGHT_UP)
def test_the_cursor_stays_while_it_lasts(away: str) -> None:
    told = outage(away)

    assert told.was_open
    assert told.after == told.before


@pytest.mark.parametrize("away", CAUGHT_UP)
def test_afterwards_all_is_read_once(away: str) -> None:
    told = outage(away)

    assert not told.is_open
    assert told.broken == {}
    assert told.finally_.json["status"] == "ok"


@pytest.mark.parametrize(
    ("away", "code"),
    [("kms", "our_outage"), ("s3", "our_outage"), ("provider", "provider_unavailable")],
)
def test_who_looks_sees_since_when_it_is_not_read(away: str, code: str) -> None:
    shown = outage(away).during.json

    assert (shown["status"], shown["status_code"]) == ("degraded", code)
    since = datetime.fromisoformat(shown["status_since"]).timestamp() - BEGIN
    assert 2 * HOUR <= since <= (2 + IN_MEMORY) * HOUR
    assert shown["status_action"]


def test_without_its_table_the_api_says_when_to_come_again() -> None:
    refused = outage("dynamodb").during

    assert (refused.status, refused.code) == (503, "unavailable")
    assert refused.headers["Retry-After"]


@pytest.mark.parametrize("away", ["kms", "s3", "dynamodb"])
def test_an_outage_of_ours_is_an_alarm_too(away: str) -> None:
    assert outage(away).failed > 20


def test_without_kms_the_api_takes_no_password_and_says_when_to_come_again() -> None:
    body = {"address": "b@own.example", "host": "imap.own.example", "password": "p"}
    with quiet():
        world = World(storage(), "kms")
        world.is_away = True
        with meeting(world.aws):
            refused = Client(TENANT)("POST", "/v1/accounts", body)

    assert (refused.status, refused.code) == (503, "unavailable")
