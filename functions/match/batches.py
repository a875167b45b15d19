"""Works batches off, in slices: claim, change messages for a while, save the cursor, give it back.

    ledger of the message -> change(message), which marks it -> ... -> cursor

Killed anywhere, the next slice begins at the cursor: a message that has the mark was done, one that
has not is planned again. The next tick brings the next slice; nothing is sent from here.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ablage import batches as kinds
from ablage.batches import becomes, ledger, marked
from ablage.change import change
from ablage.errors import AblageError, Conflict
from ablage.exports import EXPORT
from ablage.imports import IMPORT
from ablage.messages import Message
from ablage.store import batches, messages
from ablage.store.batches import Batch
from ablage.store.candidates import Candidate, candidates, is_first_seen
from ablage.store.jobs import CLAIM_SECONDS
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from match.plans import Plans

SLICE_SECONDS = 40.0  # match lives 60
SAVED_EVERY = 25  # messages; what a killed slice looks at again
ATTEMPTS = 5  # claims without progress before a batch fails
_TRIES = 8  # others may write the same message meanwhile

Clock = Callable[[], float]


def run_batch(
    storage: Storage,
    tenant: TenantId,
    job_id: str,
    *,
    seconds: float = SLICE_SECONDS,
    now: Clock = time.time,
) -> Batch | None:
    """One slice; None where it is not due, finished or called back."""
    batch = batches.claim(storage.table, tenant, job_id, int(now()))
    if batch is None:
        return None
    if batch.attempts > ATTEMPTS:
        detail = "One of its messages could not be worked off; see the log of match."
        batches.fail(storage.table, batch, "internal", detail)
        return None
    ends = time.monotonic() + seconds
    if batch.kind == IMPORT:
        from match.imports import run_import  # noqa: PLC0415  its models cost 30 ms of cold start

        return run_import(storage, batch, int(now()), ends)
    if batch.kind == EXPORT:
        from match.exports import run_export  # noqa: PLC0415  zipfile, for exports alone

        return run_export(storage, batch, int(now()), ends)
    return _Slice(storage, batch, int(now()), ends).run()


@dataclass
class _Slice:
    storage: Storage
    batch: Batch
    now: int
    ends: float
    plans: Plans = field(init=False)

    def __post_init__(self) -> None:
        self.plans = Plans(self.storage, self.batch)

    def run(self) -> Batch:
        table = self.storage.table
        unsaved = 0
        for candidate in candidates(table, self.batch, self.now):
            self._count(candidate, self._outcome(candidate))
            unsaved += 1
            late = time.monotonic() > self.ends
            if late or unsaved == SAVED_EVERY:
                due_at = self.now if late else self.now + CLAIM_SECONDS
                if not batches.save(table, self.batch, due_at) or late:
                    return self.batch
                unsaved = 0
        self.batch = replace(self.batch, total=self.batch.done)
        batches.finish(table, self.batch)
        return self.batch

    def _count(self, candidate: Candidate, outcome: str | None) -> None:
        """None does not count: it counts elsewhere, or has expired."""
        self.batch = replace(self.batch, cursor=candidate.cursor)
        if outcome is None:
            return
        counts = dict(self.batch.outcome)
        counts[outcome] = counts.get(outcome, 0) + 1
        done = self.batch.done + 1
        known = ("changed", "unchanged")
        self.batch = replace(
            self.batch,
            outcome=counts,
            done=done,
            total=max(self.batch.total, done),
            failed=self.batch.failed + (outcome not in known),
        )

    def _outcome(self, candidate: Candidate) -> str | None:
        """`changed`, `unchanged`, or the code of what was in the way."""
        try:
            return self._work_off(candidate)
        except AblageError as error:
            return error.code

    def _work_off(self, candidate: Candidate) -> str | None:
        table, tenant, message_id = self.storage.table, self.batch.tenant, candidate.message_id
        for _ in range(_TRIES):
            message = messages.get(table, tenant, message_id, self.now)
            if message is None or not is_first_seen(message, candidate, self.batch):
                return None
            if not message.settled:
                change(self.storage, tenant, message_id, None)
                continue
            if self.batch.job_id in message.batches:
                return "changed"
            after = self.plans.after(message)
            if not self._changes(message, after):
                return "unchanged"
            self._change(message, after)
        raise Conflict("busy", "Others kept changing this message.")

    def _changes(self, message: Message, after: Message) -> bool:
        if after is message:
            return False
        entry = ledger(message, after)
        says = entry.added or entry.removed or entry.decided or entry.dropped or entry.way
        return bool(says) or after.tombstones != message.tombstones

    def _change(self, message: Message, after: Message) -> None:
        """The ledger first: what is not in it could not be undone."""
        entry = ledger(message, after)
        if self.batch.kind in kinds.UNDOABLE:
            batches.put_ledger(self.storage.table, self.batch, message.message_id, entry, self.now)
        intent = becomes(marked(after, self.batch.job_id), message.version)
        change(self.storage, self.batch.tenant, message.message_id, intent)
