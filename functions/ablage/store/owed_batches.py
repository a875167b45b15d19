"""A batch that a version of a record asks for, kept in its item until it is started.

    item {..., batch: {job, kind, by, at, ...}}, pending -> rows -> the job's item -> settled

Whoever settles the item starts the batch, under the id that was fixed with the version: a killed
writer's batch is started by the repair, and none twice.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from ablage.batches import BACKFILL_CONTACT
from ablage.limits import MESSAGES_COUNTED
from ablage.messages import utc_text
from ablage.store import batches, keys
from ablage.store.batches import Batch
from ablage.store.candidates import candidates
from ablage.store.keys import Key
from ablage.store.policies import get_policy
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId


def owed(kind: str, by: str, **arguments: Any) -> Item:
    """What goes into the item."""
    at = utc_text(datetime.now(UTC))
    batch = {"job": batches.new_id(), "kind": kind, "by": by, "at": at, "args": arguments}
    return {"batch": batch}


def kept(before: Item | None) -> Item:
    """What a version that was never settled still asks for."""
    known = before or {}
    return {"batch": known["batch"]} if known.get("pending") and "batch" in known else {}


def new_addresses(
    before: Item | None,
    carried: Iterable[str],
    wanted: Iterable[str],
    by: str,
    where: Mapping[str, str],
) -> Item:
    """The back-filling a version with the keys `wanted` asks for after one that `carried` others,
    with what that one still owes."""
    unsettled = kept(before).get("batch", {}).get("args", {}).get("keys", [])
    fresh = sorted((set(wanted) - set(carried)) | (set(wanted) & set(unsettled)))
    return owed(BACKFILL_CONTACT, by, keys=fresh, **where) if fresh else {}


def start(table: Table, tenant: TenantId, item: Item) -> None:
    """Nothing to do where back-filling is off, or would find no mail."""
    wanted = _wanted(table, tenant, item)
    if wanted is not None:
        batches.create(table, wanted, int(time.time()))


def late(table: Table, tenant: TenantId, key: Key) -> Batch | None:
    """The back-filling a settled version asked for, for mail that was being matched meanwhile:
    under the id it was asked for, or, where that one has ended, as a second one."""
    item = table.get(key, consistent=True) or {}
    if item.get("pending") or item.get("batch", {}).get("kind") != BACKFILL_CONTACT:
        return None
    wanted = _wanted(table, tenant, item)
    if wanted is None:
        return None
    first = table.get(keys.job(tenant, wanted.job_id), consistent=True)
    if first is None:
        return wanted
    return replace(wanted, job_id=f"{wanted.job_id}-2") if first["state"] == "done" else None


def _wanted(table: Table, tenant: TenantId, item: Item) -> Batch | None:
    if "batch" not in item:
        return None
    asked, now = item["batch"], int(time.time())
    at = datetime.fromisoformat(asked["at"])
    batch = batches.new_batch(
        tenant, asked["kind"], asked["args"], at=at, by=asked["by"], job_id=asked["job"]
    )
    return _bounded(table, batch, at, now) if batch.kind == BACKFILL_CONTACT else batch


def _bounded(table: Table, batch: Batch, at: datetime, now: int) -> Batch | None:
    """As far back as the policy says; None where that is nothing."""
    days = get_policy(table, batch.tenant).backfill_days
    since = utc_text(at - timedelta(days=days))
    bounded = replace(batch, arguments={**batch.arguments, "since": since})
    preview = counted(table, bounded, now)
    if not days or not preview["messages"]:
        return None
    return replace(bounded, preview=preview, total=preview["messages"])


def counted(table: Table, batch: Batch, now: int) -> dict[str, Any]:
    """How many messages it will look at; counted up to a limit."""
    found = sum(1 for _ in islice(candidates(table, batch, now), MESSAGES_COUNTED + 1))
    return {"messages": min(found, MESSAGES_COUNTED), "more": found > MESSAGES_COUNTED}


def started(table: Table, tenant: TenantId, item: Item | None) -> str | None:
    """The id of the batch the version started, None where it asked for none or found no mail."""
    if item is None or "batch" not in item:
        return None
    job_id = str(item["batch"]["job"])
    return job_id if table.get(keys.job(tenant, job_id), consistent=True) else None
