"""One seeded run of sync over a scripted mailbox and moto, with faults at both, and an oracle that
knows from the script alone what must be stored.

faults armed    invocations as dispatch sends them: polls twice or late, leftover work; killed,
                raced by a second worker, refused by AWS or the mail server
disarmed        the following ticks, until nothing is left to do
judged          every mail that is in the mailbox: stored once, under its own key, byte for byte;
                nothing else; no cursor was ever written past a mail that S3 had not
"""

import hashlib
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from boto3.dynamodb.types import TypeDeserializer
from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError, ClientError
from tests.support.events import sqs_event
from tests.support.faulty_aws import (
    Attempt,
    Fault,
    FaultyAws,
    LostError,
    Send,
    has_stored,
    lose_answer,
    lose_request,
    meeting,
    refuse,
    stored_in,
)
from tests.support.imap_troubles import a_mail, fitting
from tests.support.interleaving import Killed
from tests.support.mailboxes import connect_mailbox, state_of, tools_for
from tests.support.scripted_imap import (
    Asked,
    Clock,
    Mail,
    ScriptedFolder,
    ScriptedImap,
    ScriptedSocket,
    Trouble,
)

from ablage.observability import Summary
from ablage.store import keys
from ablage.store.cursors import Cursor, cursor_from_item, get_cursor
from ablage.store.raw_mail import RawKey, parse_key
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from sync.handler import Batch
from sync.tools import Tools

S3_REFUSALS = {"SlowDown": 503, "InternalError": 500, "ConditionalRequestConflict": 409}
TABLE_REFUSALS = {"ThrottlingException": 400, "InternalServerError": 500}
GAPS = (0, 0, 0, 2, 300_000_000)  # of UIDs
TROUBLED_TURNS = 4
BASE = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()  # the clock's zero
INTERVAL = 5  # minutes
QUIET_HOURS, QUIET_TURNS = 5, 16
"""Longer than any backoff; turns until all that was put off is done."""

Disguise = Callable[[Tools], Tools]  # a worker with a defect, to show that the oracle finds it
_deserialise = TypeDeserializer().deserialize


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
    broken: Counter[str] = field(default_factory=Counter)
    cursors_seen: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.likely = 0.12 if self.eager else self.random.choice((0.03, 0.06, 0.12))
        self.left = 9 if self.eager else self.random.choice((3, 4, 6))  # faults still to come
        self._burst: tuple[str, Fault, int] | None = None
        self._racing = False
        self._late: list[dict[str, Any]] = []
        self.aws = FaultyAws(at=self._at_aws, saw=self._saw)
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
        self.worker = tools_for(self.where, self.server, network=self.server.network())

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
            if not self._is_open():
                break
        self._judge()

    def _turn(self, *, is_quiet: bool = False) -> None:
        """A tick, and the leftover work dispatch would send with it."""
        self._invoke([self._poll(), *self._again(is_quiet)])
        if self.where.table.get(keys.more(*self._place)):
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

    def _tools(self, ahead: float) -> Tools:
        return replace(
            self.worker,
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

    # ---- the oracle ------------------------------------------------------------------------------

    @property
    def _place(self) -> tuple[TenantId, str]:
        return self.account.tenant, self.account.account_id

    def _saw(self, attempt: Attempt) -> None:
        """A cursor was written: everything it covers is in S3, or known as a problem."""
        if attempt.name != "dynamodb:PutItem":
            return
        item = {name: _plain(value) for name, value in attempt.body["Item"].items()}
        for folder in self.folders:
            if item["sk"] == keys.folder(*self._place, folder.folder_id)[1]:
                self.cursors_seen += 1
                self._check_cursor(folder, cursor_from_item(folder.folder_id, item))

    def _check_cursor(self, folder: ScriptedFolder, cursor: Cursor) -> None:
        if cursor.uidvalidity != folder.uidvalidity:
            return
        passed_over = {problem.uid for problem in cursor.problems}
        for uid in folder.mails.keys() - passed_over:
            key = self._key(folder, uid).text
            if covers(cursor, uid) and not has_stored(self.where.raw.bucket, key):
                self.broken["cursor ahead of S3"] += 1

    def _key(self, folder: ScriptedFolder, uid: int) -> RawKey:
        account = self.account
        return RawKey(
            account.retention, account.tenant, "box", folder.folder_id, folder.uidvalidity, uid
        )

    def _stored(self) -> dict[str, bytes]:
        prefix = f"raw/{self.account.retention}/{self.account.tenant}/"
        found = stored_in(self.where.raw.bucket)
        return {key: body for key, body in found.items() if key.startswith(prefix)}

    def _is_open(self) -> bool:
        is_more = self.where.table.get(keys.more(*self._place)) is not None
        return is_more or bool(list(self._missing()))

    def _missing(self) -> Iterator[tuple[ScriptedFolder, int]]:
        stored = self._stored()
        for folder in self.folders:
            for uid, mail in folder.mails.items():
                if self._key(folder, uid).text not in stored and not mail.poisoned:
                    yield folder, uid

    def _judge(self) -> None:
        self.broken["lost"] += len(list(self._missing()))
        ever = {(f.folder_id, *place): raw for f in self.folders for place, raw in f.ever.items()}
        for text, body in self._stored().items():
            key = parse_key(text)
            assert key
            raw = ever.get((key.folder_id, key.uidvalidity, key.uid))
            if raw is None or digest(raw) != digest(body):
                self.broken["mis-keyed"] += 1
            if self.aws.created[text] != 1:
                self.broken["doubled"] += 1
        for folder in self.folders:
            self._judge_poisoned(folder)
        if state_of(self.where, self.account).code:
            self.broken["a fault stayed"] += 1
        if not self.cursors_seen:
            self.broken["no cursor was seen"] += 1
        self.broken = +self.broken

    def _judge_poisoned(self, folder: ScriptedFolder) -> None:
        """What the server never hands out is passed over, and seen to be."""
        cursor = get_cursor(self.where.table, *self._place, folder.folder_id)
        known = {problem.uid for problem in cursor.problems} if cursor else set()
        poisoned = {uid for uid, mail in folder.mails.items() if mail.poisoned}
        self.broken["poisoned mail unknown"] += len(poisoned - known)


def covers(cursor: Cursor, uid: int) -> bool:
    return uid <= cursor.high or (cursor.since is not None and cursor.low <= uid <= cursor.ceiling)


def digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _plain(wire: dict[str, Any]) -> Any:
    return _ints(_deserialise(wire))


def _ints(value: Any) -> Any:
    if isinstance(value, list):
        return [_ints(each) for each in value]
    if isinstance(value, dict):
        return {name: _ints(each) for name, each in value.items()}
    return int(value) if hasattr(value, "as_tuple") else value
