"""One seeded run of sync over a scripted mailbox and moto, with faults at both.

faults armed    invocations as dispatch sends them: polls twice or late, leftover work; killed,
                raced by a second worker, refused by AWS or the mail server
disarmed        the following ticks, until nothing is left to do
judged          by `sync_oracle`
"""

import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any
from unittest import mock

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError, ClientError
from infra.local.aws import lock_moto
from tests.support.aws import fresh_aws
from tests.support.events import sqs_event
from tests.support.faulty_aws import (
    Attempt,
    Fault,
    FaultyAws,
    LostError,
    Send,
    lose_answer,
    lose_request,
    meeting,
    refuse,
)
from tests.support.imap_troubles import a_mail, fitting
from tests.support.interleaving import Killed
from tests.support.mailboxes import connect_mailbox, tools_for
from tests.support.scripted_imap import (
    Asked,
    Clock,
    Mail,
    ScriptedFolder,
    ScriptedImap,
    ScriptedSocket,
    Trouble,
)
from tests.support.sync_oracle import Oracle

from ablage.observability import Summary
from ablage.store import keys
from ablage.store.storage import Storage, storage
from ablage.tenancy import TenantId
from sync.handler import Batch
from sync.tools import Tools

FAULTS, CHUNKS = 1000, 40
S3_REFUSALS = {"SlowDown": 503, "InternalError": 500, "ConditionalRequestConflict": 409}
TABLE_REFUSALS = {"ThrottlingException": 400, "InternalServerError": 500}
GAPS = (0, 0, 0, 2, 300_000_000)  # of UIDs
TROUBLED_TURNS = 4
BASE = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()  # the clock's zero
INTERVAL = 5  # minutes
QUIET_HOURS, QUIET_TURNS = 5, 16
"""Longer than any backoff; turns until all that was put off is done."""

Disguise = Callable[[Tools], Tools]  # a worker with a defect, to show that the oracle finds it


@dataclass
class Run:
    """`injected` counts the faults by name; `broken` what the oracle found. `eager`: more faults,
    more often."""

    where: Storage
    seed: int
    disguise: Disguise = lambda tools: tools
    socket: type[ScriptedSocket] = ScriptedSocket
    eager: bool = False
    clock: Clock = field(default_factory=Clock)
    injected: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.likely = 0.12 if self.eager else self.random.choice((0.03, 0.06, 0.12))
        self.left = 9 if self.eager else self.random.choice((3, 4, 6))  # faults still to come
        self._burst: tuple[str, Fault, int] | None = None
        self._racing = False
        self._late: list[dict[str, Any]] = []
        self.aws = FaultyAws(at=self._at_aws)
        self.folders = [self._folder(b"INBOX", b"\\Inbox"), self._folder(b"Sent", b"\\Sent")]
        self.server = ScriptedImap(
            self.folders,
            self.clock,
            self.random,
            at=self._at_imap,
            interrupt=self._at_socket,
            socket=self.socket,
        )
        self.account = connect_mailbox(
            self.where, self.server, "u@own.example", TenantId(f"t{self.seed}")
        )
        self.oracle = Oracle(self.where, self.account, self.folders)
        self.aws.saw = self.oracle.saw
        self.worker = self._process()

    @property
    def broken(self) -> Counter[str]:
        return self.oracle.broken

    def _folder(self, name: bytes, flags: bytes) -> ScriptedFolder:
        folder = ScriptedFolder(name, flags, self.random.randrange(1, 40))
        for _ in range(self.random.choice((0, 1, 3, 6))):
            folder.deliver(a_mail(self.random), self.random.choice(GAPS))
        return folder

    # ---- what happens ----------------------------------------------------------------------------

    def to_the_end(self) -> None:
        for _ in range(TROUBLED_TURNS):
            self._turn()
            self.clock.seconds += self.random.choice((INTERVAL * 60, 7 * 60, 3600))
            if not self.left:
                break
        self.left = 0
        for number in range(QUIET_TURNS):
            for folder in self.folders:  # what was passed over is tried again with the next mail
                folder.deliver(Mail(b"Subject: late %d\r\n\r\nx\r\n" % number, 27))
            self._turn(is_quiet=True)
            self.clock.seconds += QUIET_HOURS * 3600
            if not self.oracle.is_open():
                break
        self.oracle.judge(self.aws.created)

    def _turn(self, *, is_quiet: bool = False) -> None:
        """A tick, and the leftover work dispatch would send with it."""
        self._invoke([self._poll(), *self._again(is_quiet)])
        if self.where.table.get(keys.more(self.account.tenant, "box")):
            more = {"kind": "more", "tenant": self.account.tenant, "account": "box"}
            sent = more | {"sent": int(BASE + self.clock.seconds)}
            late = sent | {"sent": sent["sent"] - 100}
            self._invoke([late, sent, *([] if is_quiet else [sent])])

    def _poll(self) -> dict[str, Any]:
        minute = datetime.fromtimestamp(BASE + self.clock.seconds, UTC)
        poll = {
            "kind": "poll",
            "minute": minute.strftime("%Y-%m-%dT%H:%MZ"),
            "interval": INTERVAL,
            "tenant": self.account.tenant,
            "accounts": ["box"],
        }
        self._late.append(poll)
        return poll

    def _again(self, is_quiet: bool) -> list[dict[str, Any]]:
        """Messages that come twice, or long after their time."""
        if is_quiet or self.random.random() < 0.7:
            return []
        return [self.random.choice(self._late)]

    def _invoke(self, bodies: list[dict[str, Any]], ahead: float = 0.0) -> None:
        """A worker of its own over these messages; dead when it was killed. An error that AWS
        caused leaves its message in the queue; there is no other."""
        batch = Batch(self.disguise(self._tools(ahead)))
        records = sqs_event(*bodies)["Records"]
        try:
            with meeting(self.aws) if not self._racing else nullcontext():
                batch.poll_all(records)
                for record in records:
                    with suppress(ClientError, BotoCoreError, LostError):
                        batch.handle(SQSRecord(record))
        except Killed:
            self.aws.dead = False
        except Exception as error:  # the oracle's own boundary
            last = traceback.extract_tb(error.__traceback__)[-1]
            self.broken[f"raised {type(error).__name__} at {last.name}:{last.lineno}"] += 1

    def _process(self) -> Tools:
        """What a process keeps warm."""
        return tools_for(self.where, self.server, network=self.server.network())

    def _tools(self, ahead: float) -> Tools:
        return replace(
            self._process() if self._racing else self.worker,
            summary=Summary(),
            now=lambda: BASE + self.clock.seconds + ahead,
            clock=self.clock,
            began=self.clock.seconds,
        )

    # ---- faults ----------------------------------------------------------------------------------

    def _is_time(self, share: float = 1.0) -> bool:
        if not self.left or self._racing or self.random.random() > self.likely * share:
            return False
        self.left -= 1
        return True

    def _at_imap(self, asked: Asked) -> Trouble | None:
        is_body = asked.is_body and bool(asked.uids)
        if not self._is_time(8.0 if is_body else 0.5):
            return None
        found = fitting(self.random, asked)
        if found is None:
            self.left += 1
            return None
        self.injected[found[0]] += 1
        return found[1]

    def _at_socket(self) -> None:
        if self.aws.dead:
            raise Killed
        if self._is_time(0.05):
            self.injected["killed at the socket"] += 1
            self.aws.dead = True
            raise Killed

    def _at_aws(self, _number: int, attempt: Attempt) -> Fault | None:
        if self._burst and self._burst[0] == attempt.name:
            name, fault, left = self._burst
            self._burst = (name, fault, left - 1) if left > 1 else None
            return fault
        if not self._is_time(3.0 if attempt.name.startswith("s3:") else 0.5):
            return None
        name, fault = self._aws_fault(attempt)
        self.injected[name] += 1
        return fault

    def _aws_fault(self, attempt: Attempt) -> tuple[str, Fault]:
        kinds: dict[str, Fault] = {
            "killed before a call": self.aws.kill_before,
            "killed after a call": self.aws.kill_after,
            "answer lost": lose_answer,
            "request lost": lose_request,
            "second worker, before": self._race(before=True),
            "second worker, after": self._race(before=False),
        }
        refusals = S3_REFUSALS if attempt.name.startswith("s3:") else TABLE_REFUSALS
        kinds |= {code: refuse(status, code) for code, status in refusals.items()}
        name = self.random.choice(list(kinds))
        if name in refusals:
            more = self.random.choice((0, 0, 1, 6))  # six: more than are tried
            self._burst = (attempt.name, kinds[name], more) if more else None
        return f"{name} ({attempt.name.split(':')[0]})", kinds[name]

    def _race(self, *, before: bool) -> Fault:
        """Another worker does all there is to do, while the lease holds or, the first one frozen
        meanwhile, after it."""
        ahead = self.random.choice((0.0, 200.0))

        def fault(_attempt: Attempt, send: Send) -> AWSResponse:
            answer = None if before else send()
            self._racing = True
            self._invoke([self._poll()], ahead)
            self._racing = False
            return answer or send()

        return fault


def chunk_of_faults(chunk: int) -> tuple[Counter[str], Counter[str]]:
    """Faults injected by name, at least FAULTS / CHUNKS, and what broke, with the seeds. A fresh
    moto per chunk: it slows with its own state. Clients' pauses between attempts take no time."""
    injected: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    seeds = count(chunk * 1000)
    lock_moto()
    with fresh_aws(), mock.patch.object(time, "sleep"):
        while injected.total() < FAULTS // CHUNKS:
            run = Run(storage(), next(seeds))
            run.to_the_end()
            injected += run.injected
            broken.update({f"{what} (seed {run.seed})": 1 for what in run.broken})
    return injected, broken
