"""Works imports off in slices, as `match.batches` does: claim, apply lines for a while, save the
cursor, give it back.

    uploaded -> checked, what is absent written down -> lines -> absent ones deleted -> results

The cursor counts lines, then deletions. Killed anywhere, the next slice begins at it: a line that
was applied already says `unchanged` then, or `stale`.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from ablage import limits
from ablage.errors import AblageError, InvalidInput
from ablage.imports import ImportPlan, ImportRefused, check_deletions
from ablage.messages import Entity
from ablage.record_bodies import entity_of, object_of
from ablage.records import CONTACT, CUSTOMER
from ablage.store import batches, keys
from ablage.store.accounts import account_from_item
from ablage.store.batches import Batch
from ablage.store.import_files import ImportFiles
from ablage.store.jobs import CLAIM_SECONDS
from ablage.store.projection import is_live
from ablage.store.record_items import Outcome, apply_item
from ablage.store.record_writes import delete_record
from ablage.store.storage import Storage
from ablage.strict_json import read_json

CHUNK = 100  # lines between two savings
THREADS = 8
_KINDS = {"contacts": CONTACT, "customers": CUSTOMER}

Step = bytes | tuple[str, int]  # a line, or a record to delete with the version that was seen


def run_import(storage: Storage, batch: Batch, now: int, ends: float) -> Batch:
    """One slice, until `ends` of the monotonic clock."""
    return _Slice(storage, batch, now, ends).run()


@dataclass
class _Slice:
    storage: Storage
    batch: Batch
    now: int
    ends: float
    plan: ImportPlan = field(init=False)
    files: ImportFiles = field(init=False)
    own: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.plan = ImportPlan(**self.batch.arguments)
        self.files = ImportFiles(self.storage.archive, self.batch.tenant, self.batch.job_id)

    def run(self) -> Batch:
        lines = self.files.lines(self.plan.etag)
        if lines is None:
            detail = "The upload is gone, or was replaced after the start. Begin a new import."
            batches.fail(self.storage.table, self.batch, "upload_changed", detail)
            return self.batch
        if self.batch.cursor is None:
            try:
                self._check(lines)
            except ImportRefused as refused:
                batches.fail(self.storage.table, self.batch, refused.code, refused.detail)
                return self.batch
        return self._apply([*lines, *self.files.absent()])

    def _check(self, lines: Sequence[bytes]) -> None:
        """Before anything is applied. Raises ImportRefused."""
        if len(lines) > limits.IMPORT_LINES:
            detail = f"An import has at most {limits.IMPORT_LINES} lines; send several."
            raise ImportRefused("too_many_lines", detail)
        absent = self._absent(lines) if self.plan.mode == "snapshot" else []
        self.files.keep_absent(absent)
        self.batch = replace(self.batch, cursor="0", total=len(lines) + len(absent))
        batches.save(self.storage.table, self.batch, self.now + CLAIM_SECONDS)

    def _absent(self, lines: Sequence[bytes]) -> list[tuple[str, int]]:
        """What stands and is in no line. Raises ImportRefused, also where a line names nobody: it
        may be anyone's."""
        table, tenant = self.storage.table, self.batch.tenant
        named = {self._named(number, line) for number, line in enumerate(lines, 1)}
        kind = _KINDS.get(self.plan.of, self.plan.kind)
        rows = table.query_all(keys.records(tenant, kind))
        known = [
            (Entity(kind, row["sk"].partition("#")[2]), int(row["version"]))
            for row in rows
            if is_live(row, self.now)
        ]
        absent = [(str(entity), version) for entity, version in known if entity not in named]
        check_deletions(len(absent), len(known), confirm=self.plan.confirm)
        return absent

    def _named(self, number: int, line: bytes) -> Entity:
        entity = self._entity(line)
        if entity is None:
            detail = (
                f"Line {number} names no record. A snapshot has to name all: nothing was changed."
            )
            raise ImportRefused("unreadable_line", detail)
        return entity

    def _apply(self, steps: Sequence[Step]) -> Batch:
        table = self.storage.table
        self.own = self._own_addresses()
        start = int(self.batch.cursor or 0)
        with ThreadPoolExecutor(THREADS) as pool:
            for chunk in _chunks(steps, start, self._whose):
                results = list(pool.map(self._result, range(start, start + len(chunk)), chunk))
                self.files.put_results(start, results)
                start += len(chunk)
                self._count(results, start)
                late = time.monotonic() > self.ends
                due_at = self.now if late else self.now + CLAIM_SECONDS
                if not batches.save(table, self.batch, due_at) or (late and start < len(steps)):
                    return self.batch
        self.files.join_results()
        batches.finish(table, self.batch)
        return self.batch

    def _count(self, results: Sequence[dict[str, Any]], cursor: int) -> None:
        counts = dict(self.batch.outcome)
        for result in results:
            said = result.get("code") or result["outcome"]
            counts[said] = counts.get(said, 0) + 1
            if "warnings" in result:
                counts["warned"] = counts.get("warned", 0) + 1
        failed = sum(result["status"] >= 400 for result in results)
        self.batch = replace(
            self.batch,
            cursor=str(cursor),
            done=cursor,
            failed=self.batch.failed + failed,
            outcome=counts,
        )

    def _result(self, number: int, step: Step) -> dict[str, Any]:
        """A line of the results; `line` counts the lines that are not empty, from 1."""
        if isinstance(step, bytes):
            return {"line": number + 1} | self._shown(self._line(step))
        return {"absent": True} | self._shown(self._delete(*step))

    def _line(self, line: bytes) -> Outcome:
        if len(line) > limits.IMPORT_LINE_BYTES:
            detail = f"A line has at most {limits.IMPORT_LINE_BYTES} bytes."
            return Outcome(413, code="line_too_long", detail=detail)
        try:
            raw = read_json(line.decode())
        except ValueError:
            return Outcome(400, code="malformed_json", detail="The line is not valid JSON.")
        return apply_item(
            self.storage,
            self.batch.tenant,
            self.plan.of,
            raw,
            self.now,
            by=self.batch.by,
            kind=self.plan.kind,
            backfill=False,
        )

    def _delete(self, text: str, version: int) -> Outcome:
        """Stale where somebody wrote it since it was found absent."""
        entity = Entity.parse(text)
        try:
            done = delete_record(
                self.storage, self.batch.tenant, entity, self.now, only_version=version
            )
        except AblageError as error:
            return Outcome(error.status, entity, code=error.code, detail=error.detail)
        return Outcome(200 if done.stale else 204, entity, stale=done.stale, changed=not done.stale)

    def _shown(self, outcome: Outcome) -> dict[str, Any]:
        entity, record = outcome.entity, outcome.record
        addresses = record.active_keys if record and not outcome.stale else ()
        warnings = [
            {"code": "own_address", "account": self.own[key], "address": key}
            for key in addresses
            if key in self.own
        ]
        shown = {
            "type": entity.kind if entity else None,
            "id": entity.entity_id if entity else None,
            "status": outcome.status,
            "outcome": None if outcome.code else outcome.word,
            "job": outcome.job,
            "code": outcome.code,
            "detail": outcome.detail,
            "pointer": outcome.pointer,
            "warnings": warnings or None,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _whose(self, step: Step) -> object:
        """Steps of one record are not applied side by side."""
        return self._entity(step) if isinstance(step, bytes) else Entity.parse(step[0])

    def _entity(self, line: bytes) -> Entity | None:
        try:
            raw = read_json(line[: limits.IMPORT_LINE_BYTES].decode())
            return entity_of(self.plan.of, object_of(raw), self.plan.kind)
        except (ValueError, InvalidInput):
            return None

    def _own_addresses(self) -> dict[str, str]:
        tenant = self.batch.tenant
        rows = self.storage.table.query_all(keys.accounts(tenant), prefix="ACCOUNT#")
        found = (account_from_item(tenant, row["sk"].partition("#")[2], row) for row in rows)
        return {account.own: account.account_id for account in found if not account.deleted}


def _chunks(steps: Sequence[Step], start: int, whose: Any) -> Iterator[Sequence[Step]]:
    """At most CHUNK steps, none of the same record twice."""
    while start < len(steps):
        seen: set[object] = set()
        end = start
        while end < min(len(steps), start + CHUNK):
            entity = whose(steps[end])
            if entity is not None and entity in seen:
                break
            seen.add(entity)
            end += 1
        yield steps[start:end]
        start = end
