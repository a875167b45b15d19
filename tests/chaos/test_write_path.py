"""300 seeded runs of the write path on moto: copies arrive twice and at once, people unfile and
file
meanwhile, any writer dies before or after any AWS call. Nothing is lost, doubled or left
pending."""

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import pytest
from tests.support.aws import fresh_aws
from tests.support.events import context, s3_created, sqs_event
from tests.support.feed import whole_feed
from tests.support.interleaving import Scheduler, Writer
from tests.support.tenants import connect_account, index_contact

from ablage.change import ask_repair, change
from ablage.events import FILED
from ablage.filings import Intent, file_by_hand, mark_private, unfile
from ablage.messages import Entity, Message
from ablage.store import keys, messages
from ablage.store.aws import client
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.rows import wanted_rows
from ablage.store.storage import Storage, storage
from ablage.tenancy import TenantId
from match.handler import lambda_handler
from match.read_copy import read_copy

SEEDS = 300
CHUNKS = 60
C1, C2 = Entity("contact", "C1"), Entity("contact", "C2")
K1, K2 = Entity("customer", "K1"), Entity("customer", "K2")
Q7 = Entity("quote", "Q7")
AUTOMATIC = {C1, C2, K1, K2}
MAIL = (
    b"From: me@own.de\r\nTo: x@kunde.de\r\n%sSubject: Hello\r\nMessage-ID: <m@own.de>\r\n"
    b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nText\r\n"
)
OPERATIONS: list[tuple[str, Intent]] = [
    ("unfile K1", unfile(K1, "eva")),
    ("unfile C1", unfile(C1, "eva")),
    ("file Q7", file_by_hand(Q7, "anna", "2026-11-20T12:00:00Z")),
    ("file K1", file_by_hand(K1, "anna", "2026-11-20T12:00:00Z")),
    ("private", mark_private("anna")),
]


class Run:
    """One seed: a tenant of its own, two copies (the second knows Bcc) and a duplicate event."""

    def __init__(self, where: Storage, scheduler: Scheduler, seed: int) -> None:
        self.random = Random(seed)
        self.where = where
        self.scheduler = scheduler
        self.tenant = TenantId(f"t{seed}")
        self.kills = self.random.randrange(5)
        self.deadly = self.random.choice((0.02, 0.05, 0.1))
        self.acknowledged: list[str] = []
        self.live: list[tuple[str, Callable[[], object] | None, Writer]] = []
        self.queue = self._arrivals()
        self.repairs: list[Callable[[], object]] = []
        self.wanted = self.random.sample(OPERATIONS, 2)

    def _arrivals(self) -> list[Callable[[], object]]:
        for account in ("A", "B"):
            connect_account(self.where, self.tenant, account, "me@own.de", filing=True)
        index_contact(self.where, self.tenant, "x@kunde.de", "C1", ["K1", "K2"])
        index_contact(self.where, self.tenant, "y@kunde.de", "C2", ["K1"])
        keys_ = []
        for account, bcc in (("A", b""), ("B", b"Bcc: y@kunde.de\r\n")):
            key = RawKey("30d", self.tenant, account, "0" * 16, 1, 7)
            metadata = RawMetadata("2026-11-20T10:00:05Z", role="sent")
            self.where.raw.put(key, MAIL % bcc, metadata)
            keys_.append(key.text)
            self.message_id = read_copy(self.where, key, None).message_id
        keys_.append(self.random.choice(keys_))
        return [self._match(key) for key in keys_]

    def _match(self, key: str) -> Callable[[], object]:
        event = sqs_event(s3_created(self.where.raw.bucket, key))
        return lambda: lambda_handler(event, context())

    def _repair(self, message_id: str) -> Callable[[], object]:
        body = {"repair": {"tenant": self.tenant, "message": message_id}}
        return lambda: lambda_handler(sqs_event(body), context())

    def _operation(self, message_id: str, name: str, intent: Intent) -> Callable[[], object]:
        def work() -> None:
            ask_repair(self.where, self.tenant, message_id)
            change(
                self.where, self.tenant, message_id, intent, archive_first=name.startswith("file")
            )
            self.acknowledged.append(name)

        return work

    def message(self) -> Message | None:
        return messages.read(self.where.table, self.tenant, self.message_id)

    def to_the_end(self) -> None:
        while self.queue or self.live or self.repairs or self.wanted:
            self._start_something()
            if self.live:
                self._step(self.random.randrange(len(self.live)))

    def _start_something(self) -> None:
        api_is_live = any(kind == "api" for kind, _, _ in self.live)
        if self.queue and (not self.live or self.random.random() < 0.2):
            work = self.queue.pop(self.random.randrange(len(self.queue)))
            self.live.append(("queue", work, self.scheduler.start(work)))
        elif self.wanted and (not self.live or self.random.random() < 0.2):
            self._start_operation()
        elif self.repairs and not api_is_live:
            # DelaySeconds 60 outlives the API function: a repair never overtakes its operation
            self.queue.append(self.repairs.pop(0))

    def _start_operation(self) -> None:
        message = self.message()
        if message is None:
            return
        name, intent = self.wanted.pop()
        self.repairs.append(self._repair(message.message_id))
        work = self._operation(message.message_id, name, intent)
        self.live.append(("api", None, self.scheduler.start(work)))

    def _step(self, chosen: int) -> None:
        _, work, writer = self.live[chosen]
        kill = self.kills > 0 and self.random.random() < self.deadly
        self.kills -= kill
        writer.step(kill=kill)
        if writer.ended:
            self.live.pop(chosen)
            if writer.killed and work:
                self.queue.append(work)  # the visibility timeout ends: delivered again

    def broken(self) -> Iterator[str]:
        message = self.message()
        if message is None:
            yield "lost: the message"
            return
        if not message.settled or message.gone or message.outbox:
            yield "pending"
        yield from self._filings(message)
        yield from self._rows(message)
        yield from self._events(message)
        for sha in message.archived.values():
            self.where.archive.read(self.tenant, message.message_id, sha)
        if message.filings and not message.archived:
            yield "lost: archive copy"

    def _filings(self, message: Message) -> Iterator[str]:
        if {copy.account_id for copy in message.copies} != {"A", "B"}:
            yield "lost: a copy"
        if len(message.copies) != 2:
            yield "doubled: a copy"
        excused = message.tombstones | (AUTOMATIC if message.private else set())
        if AUTOMATIC - set(message.filings) - excused:
            yield "lost: a filing"
        if "file Q7" in self.acknowledged and Q7 not in message.filings:
            yield "lost: a filing by hand"
        if "unfile C1" in self.acknowledged and C1 in message.filings:
            yield "doubled: an unfiled one came back"

    def _rows(self, message: Message) -> Iterator[str]:
        wanted = wanted_rows(message)
        for entity in AUTOMATIC | {Q7}:
            archive = keys.archive(self.tenant, entity.kind, entity.entity_id)
            live = [row for row in self.where.table.query(archive) if not row.get("gone")]
            if len(live) > 1:
                yield "doubled: an archive row"
            if bool(live) != (entity in message.filings):
                yield f"archive row of {entity}: {bool(live)}"
        for key, row in wanted.items():
            standing = self.where.table.get(key) or {}
            expected = {name: value for name, value in row.items() if value is not None}
            if {name: standing.get(name) for name in expected} != expected:
                yield f"stale row {key[1]}"

    def _events(self, message: Message) -> Iterator[str]:
        found = whole_feed(self.where, self.tenant)
        net: Counter[Entity] = Counter()
        for event in found:
            if event.entity:
                net[event.entity] += 1 if event.type == FILED else -1
        if len({event.event_id for event in found}) < len(found):
            yield "doubled: an event"
        if len(found) != len(message.history):
            yield "the history tells other events than the feed"
        if {entity: n for entity, n in net.items() if n} != dict.fromkeys(message.filings, 1):
            yield "events do not add up"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_kills_duplicates_and_people_lose_nothing_and_double_nothing(chunk: int) -> None:
    """A fresh moto per chunk: it slows with its own state."""
    broken: Counter[str] = Counter()
    calls = 0
    with fresh_aws():
        scheduler = Scheduler(client("dynamodb"), client("s3"), client("sqs"))
        for seed in range(chunk * SEEDS // CHUNKS, (chunk + 1) * SEEDS // CHUNKS):
            run = Run(storage(), scheduler, seed)
            run.to_the_end()
            broken.update({f"{fault} (seed {seed})" for fault in run.broken()})
        calls = scheduler.calls

    assert calls > 0
    assert broken == Counter()
