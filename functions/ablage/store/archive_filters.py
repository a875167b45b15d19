"""An archive by date, party, kind and the like: rows are looked at, a bounded number a request.

Dates are bounds of the key and cost nothing. The rest is told by the rows, but for a mail of many
parties, whose row has no room for all: then the message itself is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ablage.limits import ROWS_FILTERED
from ablage.messages import Entity
from ablage.store import keys
from ablage.store.lists import ARCHIVE_PREFIX, Found
from ablage.store.messages import read_messages
from ablage.store.projection import is_live
from ablage.store.rows import has_party, parties_of
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId

_ROWS_AT_ONCE = 500  # of at most 640 bytes: under the 1 MB of a Query


@dataclass(frozen=True)
class Filter:
    """Empty: everything. `since` (included) and `until` (not) as stored; `party` is the exact key
    of an address, `subject` a part, in any case; `has_attachment` None for both."""

    since: str = ""
    until: str = ""
    direction: str = ""
    party: str = ""
    kind: str = ""
    has_attachment: bool | None = None
    subject: str = ""
    origin: str = ""

    @property
    def leaves_out(self) -> bool:
        """More than dates do: rows are read that are not shown."""
        said = (self.direction, self.party, self.kind, self.subject, self.origin)
        return any(said) or self.has_attachment is not None

    def fits(self, row: Item) -> bool:
        """But for its party."""
        return (
            self.direction in ("", row["w"])
            and self.kind in ("", row["k"])
            and self.has_attachment in (None, bool(row.get("at")))
            and (not self.origin or self.origin in row["o"])
            and self.subject.casefold() in row["s"].casefold()
        )

    def has_party(self, row: Item) -> bool | None:
        """None: the row cannot tell."""
        return True if not self.party else has_party(row.get("pd"), self.party)


@dataclass
class FilteredArchive:
    """`left`: how many rows may still be read in this request."""

    table: Table
    tenant: TenantId
    entity: Entity
    wanted: Filter
    now: int
    left: int = field(default=ROWS_FILTERED)

    def page(self, after: str | None, limit: int) -> Found:
        """At most `limit` rows that fit, and where to go on: a page may be short, even empty. One
        Query where dates alone are asked for."""
        found: list[Item] = []
        at_once = limit
        after = self._start(after)
        while self.left > 0:
            asked = min(at_once, self.left)
            rows = self._query(after, asked)
            self.left -= asked
            found += self._kept([row for row in rows if is_live(row, self.now)])
            ended = len(rows) < asked
            if len(found) > limit or (len(found) == limit and not ended):
                return found[:limit], found[limit - 1]["sk"]
            if ended:
                return found, None
            after = rows[-1]["sk"]
            if not self.wanted.leaves_out:
                break
            at_once = min(4 * at_once, _ROWS_AT_ONCE)
        return found, after

    def _start(self, after: str | None) -> str | None:
        """Newest first: what comes first lies before `until`, and before the cursor."""
        bounds = [bound for bound in (after, self._bound(self.wanted.until)) if bound]
        return min(bounds, default=None)

    def _query(self, after: str | None, limit: int) -> list[Item]:
        return self.table.query(
            keys.archive(self.tenant, self.entity.kind, self.entity.entity_id),
            prefix=ARCHIVE_PREFIX,
            start=self._bound(self.wanted.since),
            after=after,
            newest_first=True,
            limit=limit,
        )

    def _bound(self, moment: str) -> str | None:
        return f"{ARCHIVE_PREFIX}{moment}" if moment else None

    def _kept(self, rows: Sequence[Item]) -> list[Item]:
        fitting = [row for row in rows if self.wanted.fits(row)]
        said = {row["m"]: self.wanted.has_party(row) for row in fitting}
        asked = [message_id for message_id, says in said.items() if says is None]
        for message in read_messages(self.table, self.tenant, asked, self.now) if asked else ():
            filing = message.filings.get(self.entity)
            said[message.message_id] = self.wanted.party in parties_of(message, filing)
        return [row for row in fitting if said[row["m"]]]
