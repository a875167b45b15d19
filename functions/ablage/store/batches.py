"""Batches in the table: a job that match works off in slices, and its ledger.

The job's item is that of `store.jobs`, with `args` and `cursor`; its due key says `batch:`,
so that dispatch sends it to MatchQueue. The ledger lies beside it, an item a message.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ablage.batches import UNDO_DAYS, UNDOABLE, Ledger
from ablage.errors import Conflict, NotFound
from ablage.messages import AddressDecision, Entity, Filing, utc_text
from ablage.store import keys
from ablage.store.jobs import CLAIM_SECONDS, JOB_DAYS, SCHEMA, end_with
from ablage.store.table import ConditionFailed, Item, Table, put_action, update_action
from ablage.tenancy import TenantId

_LEDGER = "MSG#"
_IS_OPEN = "attribute_exists(due)"
_ROUNDS = 5


@dataclass(frozen=True)
class Batch:
    """`arguments` say what it works on, `cursor` how far it is. `outcome` counts: `changed`, and
    failures by code. `done` messages are worked off, `failed` of them in vain; `total` is known
    exactly at the end. `undo_until` is RFC 3339 UTC, empty where there is no undo."""

    tenant: TenantId
    job_id: str
    kind: str
    arguments: Mapping[str, Any]
    state: str = "queued"
    cursor: str | None = None
    done: int = 0
    total: int = 0
    failed: int = 0
    outcome: Mapping[str, int] = field(default_factory=dict)
    preview: Mapping[str, Any] | None = None
    created_at: str = ""
    by: str = ""
    undo_until: str = ""
    undone_by: str = ""
    attempts: int = 0
    due_at: int = 0

    @property
    def account_id(self) -> str:
        """Empty where it works on all."""
        return str(self.arguments.get("account", ""))


def new_id() -> str:
    return f"job-{secrets.token_hex(10)}"


def new_batch(
    tenant: TenantId,
    kind: str,
    arguments: Mapping[str, Any],
    *,
    at: datetime,
    by: str = "",
    job_id: str = "",
    preview: Mapping[str, Any] | None = None,
) -> Batch:
    undo_until = utc_text(at + timedelta(days=UNDO_DAYS)) if kind in UNDOABLE else ""
    return Batch(
        tenant,
        job_id or new_id(),
        kind,
        arguments,
        total=int((preview or {}).get("messages", 0)),
        preview=preview,
        created_at=utc_text(at),
        by=by,
        undo_until=undo_until,
    )


def create(table: Table, batch: Batch, now: int) -> None:
    """Due at once. One that is there already stays as it is."""
    try:
        table.put(
            keys.job(batch.tenant, batch.job_id),
            _item(batch, now, now),
            condition="attribute_not_exists(pk)",
        )
    except ConditionFailed:
        return


def create_waiting(table: Table, batch: Batch, now: int) -> None:
    """One that is due only once `start_waiting` says so."""
    item = _item(batch, now, now)
    kept = {name: value for name, value in item.items() if name not in ("due", "due_sk")}
    table.put(
        keys.job(batch.tenant, batch.job_id),
        kept | {"state": batch.state},
        condition="attribute_not_exists(pk)",
    )


def start_waiting(table: Table, batch: Batch, arguments: Mapping[str, Any], now: int) -> bool:
    """Due at once, with these arguments; False where it was started before."""
    try:
        table.update(
            keys.job(batch.tenant, batch.job_id),
            "SET args = :args, #state = :queued, due = :due, due_sk = :due_sk",
            condition="#state = :waiting",
            names={"#state": "state"},
            values={
                ":args": dict(arguments),
                ":queued": "queued",
                ":waiting": batch.state,
                ":due": keys.DUE_MORE,
                ":due_sk": _due_sk(batch.tenant, batch.job_id, now),
            },
        )
    except ConditionFailed:
        return False
    return True


def get(table: Table, tenant: TenantId, job_id: str) -> Batch:
    """Raises NotFound `job_not_found`, also for a job that is no batch."""
    item = table.get(keys.job(tenant, job_id), consistent=True)
    if item is None or "args" not in item:
        raise NotFound("job_not_found", "There is no such batch; batches are kept for 30 days.")
    return _batch(tenant, job_id, item)


def claim(table: Table, tenant: TenantId, job_id: str, now: int) -> Batch | None:
    """Take it for CLAIM_SECONDS, longer than match lives; None when it is finished, gone or taken.

    As `store.jobs.claim`: the due key moves ahead, and dispatch sends it again after that."""
    is_due = f"{_IS_OPEN} AND due_sk <= :latest"
    try:
        item = table.update(
            keys.job(tenant, job_id),
            "SET due_sk = :ahead, #state = :running ADD attempts :one",
            condition=is_due,
            names={"#state": "state"},
            values={
                ":latest": _due_sk(tenant, job_id, now),
                ":ahead": _due_sk(tenant, job_id, now + CLAIM_SECONDS),
                ":running": "running",
                ":one": 1,
            },
        )
    except ConditionFailed:
        return None
    return _batch(tenant, job_id, item)


def save(table: Table, batch: Batch, due_at: int) -> bool:
    """How far it is, and when it goes on. False when it was finished or called back meanwhile."""
    key = keys.job(batch.tenant, batch.job_id)
    due = {"due_sk": _due_sk(batch.tenant, batch.job_id, due_at)}
    expression, values, condition, names = _sets(batch, due)
    try:
        table.update(key, expression, condition=condition, names=names, values=values)
    except ConditionFailed:
        return False
    return True


def finish(table: Table, batch: Batch) -> bool:
    return _end(table, batch, {"state": "done"})


def fail(table: Table, batch: Batch, code: str, detail: str) -> bool:
    return _end(table, batch, {"state": "failed", "code": code, "detail": detail})


def _end(table: Table, batch: Batch, outcome: dict[str, Any]) -> bool:
    action = update_action(
        keys.job(batch.tenant, batch.job_id),
        *_sets(batch, outcome, " REMOVE due, due_sk"),
    )
    try:
        end_with(table, batch, outcome["state"], [action], outcome.get("code"))
    except ConditionFailed:
        return False
    return True


def _sets(
    batch: Batch, more: dict[str, Any], removes: str = ""
) -> tuple[str, dict[str, Any], str, dict[str, str]]:
    """Expression, values, condition and names of an update of an open batch."""
    values = _progress(batch) | more
    sets = ", ".join(f"#{name} = :{name}" for name in values)
    named = {f"#{name}": name for name in values}
    return f"SET {sets}{removes}", {f":{n}": v for n, v in values.items()}, _IS_OPEN, named


def start_undo(table: Table, batch: Batch, undo: Batch, now: int) -> Batch:
    """The batch that undoes `batch`: `undo`, or the one somebody started before. What still runs is
    called back; its undoing begins when no worker can be at it any more."""
    for _ in range(_ROUNDS):
        standing = get(table, batch.tenant, batch.job_id)
        if standing.undone_by:
            return get(table, batch.tenant, standing.undone_by)
        begins = max(now, standing.due_at)
        item = _item(undo, begins, now)
        try:
            actions = [
                _call_back(standing, undo),
                put_action(keys.job(undo.tenant, undo.job_id), item),
            ]
            if standing.due_at:
                end_with(table, standing, "undone", actions)
            else:
                table.transact(actions)
        except ConditionFailed:
            continue
        return replace(undo, due_at=begins)
    raise Conflict("busy", "The batch is moving; try again.")


def _call_back(batch: Batch, undo: Batch) -> dict[str, Any]:
    """Nobody has claimed, finished or undone it since it was read."""
    nobody_else = "attribute_not_exists(undone_by)"
    unclaimed = "due_sk = :seen" if batch.due_at else "attribute_not_exists(due)"
    seen = {":seen": _due_sk(batch.tenant, batch.job_id, batch.due_at)} if batch.due_at else {}
    return update_action(
        keys.job(batch.tenant, batch.job_id),
        "SET undone_by = :undo, #state = :undone REMOVE due, due_sk",
        {":undo": undo.job_id, ":undone": "undone", **seen},
        condition=f"attribute_exists(pk) AND {nobody_else} AND {unclaimed}",
        names={"#state": "state"},
    )


def put_ledger(table: Table, batch: Batch, message_id: str, entry: Ledger, now: int) -> None:
    table.put(
        keys.job_message(batch.tenant, batch.job_id, message_id),
        _ledger_item(entry) | {"expires": now + JOB_DAYS * 86400},
    )


def get_ledger(table: Table, tenant: TenantId, job_id: str, message_id: str) -> Ledger | None:
    item = table.get(keys.job_message(tenant, job_id, message_id), consistent=True)
    return _ledger(item) if item else None


def ledger_page(
    table: Table, tenant: TenantId, job_id: str, after: str | None, limit: int
) -> list[str]:
    """Ids of messages in the ledger, after the message id `after`."""
    pk, _ = keys.job(tenant, job_id)
    start = f"{_LEDGER}{after}" if after else None
    rows = table.query(pk, prefix=_LEDGER, after=start, limit=limit, consistent=True)
    return [row["sk"].removeprefix(_LEDGER) for row in rows]


def _due_sk(tenant: TenantId, job_id: str, at: int) -> str:
    """As `store.jobs.due_sk`; the word tells dispatch whose work it is."""
    return f"{at:010d}#{tenant}#batch:{job_id}"


def _progress(batch: Batch) -> dict[str, Any]:
    known = {
        "done": batch.done,
        "total": batch.total,
        "failed": batch.failed,
        "result": dict(batch.outcome),
        "cursor": batch.cursor,
        "attempts": 0,
    }
    return {name: value for name, value in known.items() if value is not None}


def _item(batch: Batch, due_at: int, now: int) -> Item:
    return _progress(batch) | {
        "schema": SCHEMA,
        "kind": batch.kind,
        "account": batch.account_id,
        "args": dict(batch.arguments),
        "state": "queued",
        "synced": False,
        "preview": dict(batch.preview) if batch.preview is not None else None,
        "created_at": batch.created_at,
        "by": batch.by,
        "undo_until": batch.undo_until,
        "expires": now + JOB_DAYS * 86400,
        "due": keys.DUE_MORE,
        "due_sk": _due_sk(batch.tenant, batch.job_id, due_at),
    }


def _batch(tenant: TenantId, job_id: str, item: Item) -> Batch:
    return Batch(
        tenant=tenant,
        job_id=job_id,
        kind=item["kind"],
        arguments=item["args"],
        state=item["state"],
        cursor=item.get("cursor"),
        done=item["done"],
        total=item["total"],
        failed=item["failed"],
        outcome=item["result"],
        preview=item.get("preview"),
        created_at=item["created_at"],
        by=item["by"],
        undo_until=item["undo_until"],
        undone_by=item.get("undone_by", ""),
        attempts=item["attempts"],
        due_at=int(item["due_sk"][:10]) if "due_sk" in item else 0,
    )


def _ledger_item(entry: Ledger) -> Item:
    return {
        "v": entry.version,
        "added": [_link(entity, filing) for entity, filing in entry.added.items()],
        "removed": [_link(entity, filing) for entity, filing in entry.removed.items()],
        "decided": [_decision(decision) for decision in entry.decided],
        "dropped": [_decision(decision) for decision in entry.dropped],
        "way": list(entry.way) if entry.way else None,
    }


def _link(entity: Entity, filing: Filing) -> list[Any]:
    return [str(entity), sorted(filing.origins), list(filing.paths), filing.by, filing.at]


def _decision(decision: AddressDecision) -> list[Any]:
    return [decision.address, decision.where, decision.reason, list(decision.hits)]


def _ledger(item: Item) -> Ledger:
    return Ledger(
        version=item["v"],
        added=_links(item["added"]),
        removed=_links(item["removed"]),
        decided=_decisions(item["decided"]),
        dropped=_decisions(item["dropped"]),
        way=(item["way"][0], item["way"][1]) if "way" in item else None,
    )


def _links(values: list[list[Any]]) -> dict[Entity, Filing]:
    return {
        Entity.parse(entity): Filing(frozenset(origins), tuple(paths), by, at)
        for entity, origins, paths, by, at in values
    }


def _decisions(values: list[list[Any]]) -> tuple[AddressDecision, ...]:
    return tuple(
        AddressDecision(a, where, reason, tuple(hits)) for a, where, reason, hits in values
    )
