"""change(message): the one writer of messages, archive copies, rows and events.

    1 write    the item, version n -> n+1, under `version = n`: pending, owing gone rows and events,
               then the events into the feed, at the moment that the item names
    2 archive  the bytes of a filed message, one object per distinct content
    3 project  rows from the item alone, each under `no newer version there`
    4 settle   nothing owed any more, under `version = n+1`; else read again, project that

A writer may die between any two calls, or be overtaken: whoever reads a pending item goes on from
there. An intent is applied once, by the first step 1 that succeeds. Events that come too late for
their moment get another one by a step 1 of their own (`store.feed`). Simulated with kills and
concurrent users in tests/chaos.
"""

import math
import time
from dataclasses import replace

from ablage.errors import Gone
from ablage.filings import Intent
from ablage.limits import FILINGS_PER_MESSAGE
from ablage.messages import CONTENT_DIGITS, Message, next_version
from ablage.store import feed, messages
from ablage.store.feed import Clock
from ablage.store.raw_mail import RawKey
from ablage.store.rows import wanted_rows
from ablage.store.storage import Storage
from ablage.store.table import ConditionFailed
from ablage.tenancy import TenantId

REPAIR_DELAY = 60  # seconds: longer than the API lives, so that the repair finds what it left


def change(
    storage: Storage,
    tenant: TenantId,
    message_id: str,
    intent: Intent | None,
    *,
    archive_first: bool = False,
    seconds: float = math.inf,
    now: Clock = time.time,
) -> Message | None:
    """The settled message after `intent`, None if there is none. Without an intent: a repair.

    `archive_first`: bytes before step 1, so that filing by hand writes nothing when they are gone
    (raises Gone `raw_expired`). After `seconds` it comes back as soon as step 1 is done, with the
    message not settled: the repair that was asked for before does the rest.
    """
    ends = time.monotonic() + seconds
    while True:
        current = messages.read(storage.table, tenant, message_id)
        wanted = intent(current) if intent else None
        if wanted is None and (current is None or current.settled):
            return current
        if wanted and archive_first and wanted.filings:
            wanted = _archive(storage, wanted)
        placed = feed.placed_anew(storage.table, current, now) if current else None
        if placed and wanted is None and placed is current:
            settled = _finish(storage, placed, None, ends, now)
        elif to_write := wanted or placed:
            new = next_version(placed, within_limits(to_write), feed.milliseconds(now))
            try:
                messages.write(storage.table, new)
            except ConditionFailed:
                continue
            settled = _finish(storage, new, current, ends, now)
        if settled:
            return settled
        intent = None


def ask_repair(storage: Storage, tenant: TenantId, message_id: str) -> None:
    """Sent before a person's change: if the caller dies half way, match finishes it."""
    storage.queues.match({"repair": {"tenant": tenant, "message": message_id}}, REPAIR_DELAY)


def _finish(
    storage: Storage, message: Message, before: Message | None, ends: float, now: Clock
) -> Message | None:
    """Events and steps 2 to 4. None when a newer version has come, or is needed: what it says is
    still to be projected."""
    if not feed.put_events(storage.table, message, now):
        return None
    if message.filings:
        message = _archive_what_is_left(storage, message)
    if not _project(storage, message, before, ends):
        return message
    try:
        return messages.settle(storage.table, message)
    except ConditionFailed:
        return None


def _archive_what_is_left(storage: Storage, message: Message) -> Message:
    """A filing whose bytes have expired is still a filing: its rows are projected all the same."""
    try:
        return _archive(storage, message)
    except Gone:
        return message


def _archive(storage: Storage, message: Message) -> Message:
    """One object per distinct content not yet archived, from the first copy whose raw is there.

    Raises Gone when not one content could be kept; a variant that has expired is left out.
    """
    archived = dict(message.archived)
    lost: Gone | None = None
    for copy in message.copies:
        if copy.digest[:CONTENT_DIGITS] in archived:
            continue
        try:
            _keep(storage, message, copy.copy_id)
        except Gone as error:
            lost = error
        else:
            archived[copy.digest[:CONTENT_DIGITS]] = copy.sha256
    if lost and not archived:
        raise lost
    return replace(message, archived=archived)


def _keep(storage: Storage, message: Message, copy_id: str) -> None:
    copy = next(copy for copy in message.copies if copy.copy_id == copy_id)
    raw = RawKey(
        copy.retention,
        message.tenant,
        copy.account_id,
        copy.folder_id,
        copy.uidvalidity,
        copy.uid,
    )
    storage.archive.keep(storage.raw, raw.text, message.tenant, message.message_id, copy.sha256)


def _project(storage: Storage, message: Message, before: Message | None, ends: float) -> bool:
    """Step 3; False when the time was up. Rows the settled version `before` left as they are to be
    are not written again: every version since has wanted the same row, so no late writer can
    change it."""
    rows = wanted_rows(message)
    if before and before.settled:
        known = wanted_rows(before)
        rows = {key: row for key, row in rows.items() if known.get(key) != row}
    for key, row in rows.items():
        if time.monotonic() > ends:
            return False
        messages.put_row(storage.table, key, message, row)
    messages.put_tombstones(storage.table, message, message.gone)
    return True


def within_limits(message: Message) -> Message:
    """At most FILINGS_PER_MESSAGE filings; what is over is flagged, never dropped in silence."""
    if len(message.filings) <= FILINGS_PER_MESSAGE:
        return message
    by_hand_first = sorted(message.filings.items(), key=lambda kv: "manual" not in kv[1].origins)
    kept = dict(by_hand_first[:FILINGS_PER_MESSAGE])
    return replace(message, filings=kept, flags=message.flags | {"fan_out_limited"})
