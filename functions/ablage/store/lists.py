"""Pages of archives and overviews, newest first: rows as written, without tombstones and expired.

A page may be short, even empty; only the sort key to go on after says whether there is more.
"""

from collections.abc import Callable

from ablage.messages import ID_LENGTH, Entity
from ablage.store import keys
from ablage.store.projection import is_live
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId

ROWS_READ = 500  # of one request whose filter leaves out rows
_ROWS_AT_ONCE = 100
_OVERVIEW = "MAIL#"
ARCHIVE_PREFIX = "FILED#"
_REVIEW = "HELD#"

_LAST_ID = "z" * ID_LENGTH  # sorts behind every message id

Found = tuple[list[Item], str | None]
ReadOn = Callable[[str | None, int], Found]  # after a sort key, so many rows
Seen = Callable[[list[Item]], list[Item]]


def archive_page(
    table: Table, tenant: TenantId, entity: Entity, *, after: str | None, limit: int, now: int
) -> Found:
    """One Query. Rows as `store.rows` writes them."""
    rows = table.query(
        keys.archive(tenant, entity.kind, entity.entity_id),
        prefix=ARCHIVE_PREFIX,
        after=after,
        newest_first=True,
        limit=limit,
    )
    return [row for row in rows if is_live(row, now)], _more(rows, limit)


def archive_count(
    table: Table, tenant: TenantId, entity: Entity, *, most: int, now: int
) -> tuple[int, bool]:
    """One COUNT Query of at most `most` rows and one: how many `archive_page` would show, and
    whether there may be more."""
    is_filed, is_kept = "attribute_not_exists(gone)", "attribute_not_exists(expires)"
    counted, more = table.count(
        keys.archive(tenant, entity.kind, entity.entity_id),
        prefix=ARCHIVE_PREFIX,
        limit=most + 1,
        wanted=f"{is_filed} AND ({is_kept} OR expires > :now)",
        values={":now": now},
    )
    return min(counted, most), more


def page_of_seen(read: ReadOn, seen: Seen, after: str | None, limit: int) -> Found:
    """A page of what one may see of a list. Reads on where rows were left out, ROWS_READ of them at
    most. A cursor names no hidden row: it is a shown one's, or stands before a whole second."""
    found: list[Item] = []
    looked_at, more = 0, after
    while looked_at < ROWS_READ:
        at_once = _ROWS_AT_ONCE if looked_at else limit
        rows, more = read(more, at_once)
        found += seen(rows)
        looked_at += at_once
        if len(found) > limit or (len(found) == limit and more):
            return found[:limit], found[limit - 1]["sk"]
        if more is None:
            return found, None
    return _blurred(found, after, str(more))


def _blurred(found: list[Item], after: str | None, more: str) -> Found:
    """What was shown of the last second is shown again by the next page alone."""
    second = _second(more)
    if after and _second(after) <= second:
        return found, more  # hundreds of mails of one second
    return [row for row in found if _second(row["sk"]) > second], f"{second}#{_LAST_ID}"


def _second(sk: str) -> str:
    return sk.rpartition("#")[0]


def review_page(
    table: Table, tenant: TenantId, *, after: str | None, limit: int, now: int
) -> Found:
    """One Query over what waits for a person's verdict."""
    rows = table.query(
        keys.review(tenant), prefix=_REVIEW, after=after, newest_first=True, limit=limit
    )
    return [row for row in rows if is_live(row, now)], _more(rows, limit)


def overview_page(
    table: Table,
    tenant: TenantId,
    account_id: str,
    *,
    after: str | None,
    limit: int,
    now: int,
    wanted: Callable[[Item], bool] | None = None,
) -> Found:
    """One Query, with a filter several: at most ROWS_READ rows are looked at."""
    pk = keys.account_partition(tenant, account_id)
    at_once = _ROWS_AT_ONCE if wanted else limit
    found: list[Item] = []
    for _ in range(ROWS_READ // _ROWS_AT_ONCE if wanted else 1):
        rows = table.query(pk, prefix=_OVERVIEW, after=after, newest_first=True, limit=at_once)
        for row in rows:
            after = row["sk"]
            if is_live(row, now) and (wanted is None or wanted(row)):
                found.append(row)
            if len(found) == limit:
                return found, after
        if len(rows) < at_once:
            return found, None
    return found, after


def _more(rows: list[Item], limit: int) -> str | None:
    return rows[-1]["sk"] if len(rows) == limit else None
