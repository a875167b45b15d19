"""The feed: everything that happened, oldest first, for those who keep up with it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field

from ablage import limits
from ablage.errors import Gone, InvalidInput
from ablage.events import TYPES, Told, as_json, told
from ablage.messages import Message
from ablage.store import accounts, feed, messages
from ablage.store.storage import storage
from api import cursors
from api.clock import now_epoch
from api.operations import operation
from api.tenant import Caller, Calling
from api.visibility import MANAGE, seen, sees_all, viewer

ROWS_READ = 500  # of one request, where types or what is hidden leaves out events
NOW = "now"

After = Annotated[
    str | None,
    Query(description="`next` of the page before; `now` to begin here; none for all there is."),
]
Types = Annotated[
    str | None, Query(max_length=200, description=f"Some of {', '.join(TYPES)}; commas between.")
]
Limit = Annotated[int, Query(ge=1, le=limits.PAGE, description="Events a page.")]


class EventView(BaseModel):
    """What does not apply is null."""

    id: str = Field(description="The same whenever and wherever this is told.")
    type: str = Field(examples=["EmailFiled"], description=", ".join(TYPES))
    at: str = Field(description="When it came into the feed: RFC 3339 UTC, to the millisecond.")
    message: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    by: str | None = Field(None, description="Who filed it, or took it away, by hand.")
    batch: str | None = Field(None, description="The job that did it.")
    account: str | None = None
    status: str | None = Field(None, description="Of the account, from now on.")
    previous: str | None = Field(None, description="Its status before.")
    code: str | None = Field(None, description="Why: of a fault, or of a failed job.")
    job: str | None = None
    kind: str | None = Field(None, description="Of the job.")
    state: str | None = Field(None, description="Of the job: done, failed or undone.")


class ChangesPage(BaseModel):
    items: list[EventView]
    next: str = Field(description="Always there: pass it as `after`, now or later.")
    more: bool = Field(description="There is more now. If not, ask again in a while.")


@operation("GET", "/v1/changes", "read")
def read_changes(
    caller: Calling, after: After = None, types: Types = None, limit: Limit = 100
) -> ChangesPage:
    """What happened after a cursor, oldest first, from ten seconds ago back to 30 days.

    Each event once. Events of mail are those whose mail you may see now; with mailboxes:all every
    one. A cursor older than 30 days answers 410 `cursor_expired`: begin with `after=now`, read
    everything anew, then go on with the cursor."""
    now = feed.milliseconds(time.time)
    until = feed.moment(now - feed.SEEN_AFTER)
    oldest = feed.moment(now - int(feed.KEPT.total_seconds() * 1000))
    begins = until if after == NOW else cursors.CHANGES.decode(after) or oldest
    if begins < oldest:
        detail = "The feed goes back 30 days. Read everything anew, from a cursor of after=now on."
        raise Gone("cursor_expired", detail, "after")
    return _Reading(caller, _wanted(types), limit).page(begins, until)


def _wanted(types: str | None) -> frozenset[str]:
    """Raises InvalidInput `unknown_event_type`."""
    named = frozenset(types.split(",")) if types else frozenset(TYPES)
    if not named <= frozenset(TYPES):
        detail = f"Name some of {', '.join(TYPES)}, with commas between."
        raise InvalidInput("unknown_event_type", detail, "types")
    return named


@dataclass
class _Reading:
    """A cursor is a moment, or a row's sort key and how many of its events were read."""

    caller: Caller
    types: frozenset[str]
    limit: int
    _sights: dict[str, Message | None] = field(default_factory=dict)

    def page(self, begins: str, until: str) -> ChangesPage:
        items: list[EventView] = []
        row_key, _, read = begins.rpartition("#")
        start, skip = (row_key, int(read)) if row_key else (begins, 0)
        rows, more = feed.rows_after(
            storage().table, self.caller.tenant, start, until, self._rows_at_once()
        )
        stands = begins
        for row in rows:
            done = skip if row["sk"] == start else 0
            for number, event in enumerate(told(row), 1):
                if number <= done or not self._is_for_caller(event):
                    continue
                if len(items) == self.limit:
                    return _page(items, stands, more=True)
                items.append(EventView(**as_json(event)))
                stands = f"{row['sk']}#{number}"
        if more:
            last = rows[-1]
            return _page(items, f"{last['sk']}#{sum(1 for _ in told(last))}", more=True)
        return _page(items, max(begins, until), more=False)

    def _rows_at_once(self) -> int:
        is_filtered = len(self.types) < len(TYPES) or not sees_all(self.caller)
        return ROWS_READ if is_filtered else self.limit + 1  # one may be read already

    def _is_for_caller(self, event: Told) -> bool:
        if event.type not in self.types:
            return False
        if sees_all(self.caller):
            return True
        hears: Callable[[Told], bool] = self._of_mail if event.message else self._of_account
        return hears(event)

    def _of_mail(self, event: Told) -> bool:
        """As the mail is now: what was filed openly may be private since. Not of a filing that the
        caller may not know of."""
        message = self._seen(event.message or "")
        known = {*message.filings, *message.tombstones} if message else set()
        return message is not None and (event.entity is None or event.entity in known)

    def _seen(self, message_id: str) -> Message | None:
        if message_id not in self._sights:
            found = messages.get(storage().table, self.caller.tenant, message_id, now_epoch())
            sight = seen(self.caller, found) if found else None
            self._sights[message_id] = sight.message if sight else None
        return self._sights[message_id]

    def _of_account(self, event: Told) -> bool:
        """As `GET /v1/jobs/{job}`: who manages mailboxes hears of all of them."""
        account_id = (event.facts or {}).get("account")
        if account_id is None or MANAGE in self.caller.scopes:
            return True
        known = accounts.get_account(storage().table, self.caller.tenant, account_id)
        return viewer(self.caller).views(known)


def _page(items: list[EventView], position: str, *, more: bool) -> ChangesPage:
    return ChangesPage(items=items, next=cursors.CHANGES.encode(position) or "", more=more)
