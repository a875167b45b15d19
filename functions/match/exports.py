"""Works exports off in slices, as `match.batches` does: claim, add messages for a while, keep how
far the zip is, give it back.

    rows newest first -> the bytes the requester may have -> zip parts -> ... -> manifest, directory

The cursor names the last slice that counts and the row after which to go on. Killed anywhere, the
next slice begins there; parts it left are put again under their numbers.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256

from ablage.accounts import Account
from ablage.errors import AblageError, Gone
from ablage.exports import (
    MANIFEST,
    SUMS,
    ExportPlan,
    Written,
    file_name,
    line_bytes,
    manifest_line,
    sums_line,
)
from ablage.messages import Message
from ablage.store import accounts, batches
from ablage.store.archive_filters import Filter, FilteredArchive
from ablage.store.batches import Batch
from ablage.store.export_files import Added, ExportFiles, Line
from ablage.store.jobs import CLAIM_SECONDS
from ablage.store.links import seen_bytes
from ablage.store.messages import read_messages
from ablage.store.parted_zip import Entry, PartedZip
from ablage.store.storage import Storage
from ablage.store.table import Item
from ablage.visibility import see

PAGE = 25
FINISH_SECONDS = 15.0  # manifest and directory of a great many messages
_END = ""  # after the last row


def run_export(storage: Storage, batch: Batch, now: int, ends: float) -> Batch:
    """One slice, until `ends` of the monotonic clock."""
    work = _Slice(storage, batch, now, ends)
    try:
        return work.run()
    except AblageError as error:  # too large: a message's own faults are told in its line
        batches.fail(storage.table, batch, error.code, error.detail)
        return batch


@dataclass
class _Slice:
    storage: Storage
    batch: Batch
    now: int
    ends: float
    plan: ExportPlan = field(init=False)
    files: ExportFiles = field(init=False)
    zip_: PartedZip = field(init=False)
    number: int = 0
    after: str | None = None
    news: list[Added] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.plan = ExportPlan(**self.batch.arguments)
        self.files = ExportFiles(self.storage.archive, self.batch.tenant, self.batch.job_id)

    def run(self) -> Batch:
        if self.batch.cursor is None:
            self.zip_ = self.files.begin()
        else:
            self.number, self.after = json.loads(self.batch.cursor)
            if self.after == _END and self.files.is_there():  # killed after the last step but one
                return self._done()
            self.zip_ = self.files.resume(self.number)
        if self.after != _END:
            for row in self._rows():
                self._add(row)
                if time.monotonic() > self.ends:
                    return self._give_back()
            self.after = _END
            self._keep()
            if time.monotonic() > self.ends - FINISH_SECONDS:
                batches.save(self.storage.table, self.batch, self.now)
                return self.batch
            batches.save(self.storage.table, self.batch, self.now + CLAIM_SECONDS)
        return self._finish()

    def _rows(self) -> Iterator[tuple[Item, Message | None]]:
        """Each row, and its message as it is now; `after` moves on with them."""
        asked = Filter(since=self.plan.since, until=self.plan.until)
        table, tenant = self.storage.table, self.batch.tenant
        more = self.after
        while True:
            archive = FilteredArchive(table, tenant, self.plan.entity, asked, self.now)
            rows, more = archive.page(more, PAGE)
            found = read_messages(table, tenant, (row["m"] for row in rows), self.now)
            known = {message.message_id: message for message in found}
            for row in rows:
                yield row, known.get(row["m"])
            if more is None:
                return
            self.after = more

    def _add(self, found: tuple[Item, Message | None]) -> None:
        row, message = found
        self.after = row["sk"]
        if message is None or self.plan.entity not in message.filings:
            return
        sight = see(self.plan.viewer, message, self._accounts_of(message))
        if sight is None or self.plan.entity not in sight.message.filings:
            return
        entry, written = None, Written(missing="content_hidden")
        if sight.access == "full":
            try:
                data, redacted = seen_bytes(self.storage, sight)
            except Gone as error:
                written = Written(missing=error.code)
            else:
                name = file_name(message.sort_time, message.message_id)
                entry = self.zip_.add(name, data, message.sort_time)
                written = Written(name, sha256(data).hexdigest(), len(data), redacted)
        line = manifest_line(self.plan.entity, sight, written, message.events)
        self.news.append(Added(line, entry))
        self._count(failed=bool(written.missing))

    def _accounts_of(self, message: Message) -> dict[str, Account]:
        """Each read once a slice; a viewer of all mailboxes needs none."""
        if self.plan.all_mailboxes:
            return {}
        news = [account for account in message.accounts if account not in self.asked]
        self.accounts |= accounts.by_id(self.storage.table, self.batch.tenant, news)
        self.asked.update(news)
        return self.accounts

    def _count(self, *, failed: bool) -> None:
        done = self.batch.done + 1
        self.batch = replace(
            self.batch,
            done=done,
            total=max(self.batch.total, done),
            failed=self.batch.failed + failed,
        )

    def _keep(self) -> None:
        self.number += 1
        self.files.keep(self.number, self.zip_, self.news)
        self.batch = replace(self.batch, cursor=json.dumps([self.number, self.after]))

    def _give_back(self) -> Batch:
        self._keep()
        batches.save(self.storage.table, self.batch, self.now)
        return self.batch

    def _finish(self) -> Batch:
        extra = [
            self.zip_.add_lines(name, partial(self._lines, text), self.batch.created_at)
            for name, text in ((MANIFEST, line_bytes), (SUMS, sums_line))
        ]
        with_bytes = sum(added.entry is not None for added in self._added())

        def entries() -> Iterator[Entry]:
            yield from (added.entry for added in self._added() if added.entry)
            yield from extra

        self.zip_.finish(entries, with_bytes + len(extra))
        self.files.complete(self.zip_)
        return self._done()

    def _added(self) -> Iterator[Added]:
        return self.files.added(self.number)

    def _lines(self, text: Callable[[Line], bytes]) -> Iterator[bytes]:
        return (text(added.line) for added in self._added())

    def _done(self) -> Batch:
        self.batch = replace(self.batch, total=self.batch.done)
        batches.finish(self.storage.table, self.batch)
        return self.batch
