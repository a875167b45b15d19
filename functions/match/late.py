"""A contact's new address, and mail that was being matched while it was written.

    match reads the index -> contact written, back-filling finds nothing -> match files nothing

The repair message of the contact's version comes when no such match lives any more: what it would
still file then is filed by one more batch.
"""

import time
from collections.abc import Mapping
from itertools import islice

from ablage.limits import MESSAGES_COUNTED
from ablage.messages import Entity
from ablage.store import batches, owed_batches
from ablage.store.batches import Batch
from ablage.store.candidates import candidates
from ablage.store.messages import read_messages
from ablage.store.records import record_key
from ablage.store.storage import Storage
from ablage.store.table import BATCH_GET_LIMIT
from ablage.tenancy import TenantId
from match.plans import Plans


def start_late(storage: Storage, tenant: TenantId, repair: Mapping[str, str]) -> None:
    """Where mail was missed; dispatch finds the batch within the minute."""
    if "record" not in repair:
        return
    key = record_key(tenant, Entity.parse(repair["record"]))
    batch = owed_batches.late(storage.table, tenant, key)
    now = int(time.time())
    if batch is not None and _finds_mail(storage, batch, now):
        batches.create(storage.table, batch, now)


def _finds_mail(storage: Storage, batch: Batch, now: int) -> bool:
    plans = Plans(storage, batch)
    found = [c.message_id for c in islice(candidates(storage.table, batch, now), MESSAGES_COUNTED)]
    return any(
        plans.after(message) is not message
        for start in range(0, len(found), BATCH_GET_LIMIT)
        for message in read_messages(
            storage.table, batch.tenant, found[start : start + BATCH_GET_LIMIT], now
        )
    )
