"""The two lists: an entity's archive and an account's overview, newest first."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from ablage.messages import Entity
from ablage.store.archive_filters import Filter, FilteredArchive
from ablage.store.lists import Found, ReadOn, archive_page, overview_page
from ablage.store.storage import storage
from ablage.store.table import Item
from api import cursors
from api.archive_filters import (
    HasAttachment,
    OneDirection,
    OneKind,
    OneOrigin,
    Party,
    Since,
    Subject,
    Until,
    filter_of,
)
from api.clock import now_epoch
from api.entity_labels import name_entities
from api.message_schemas import (
    ArchiveRow,
    OverviewRow,
    archive_row,
    entity_view,
    overview_row,
)
from api.operations import operation
from api.schemas import Cursor, Limit, Page, PathId, PathType
from api.tenant import Caller, Calling
from api.visibility import find_viewed_account, seen_page

Labels = Annotated[
    bool, Query(description="false: without label and url of entities, which cost a read a page.")
]


@operation("GET", "/v1/archives/{entity_type}/{entity_id}", "read")
def read_archive(
    entity_type: PathType,
    entity_id: PathId,
    caller: Calling,
    *,
    limit: Limit = 25,
    cursor: Cursor = None,
    labels: Labels = True,
    since: Since = None,
    until: Until = None,
    direction: OneDirection = None,
    party: Party = None,
    kind: OneKind = None,
    attachment: HasAttachment = None,
    subject: Subject = None,
    origin: OneOrigin = None,
) -> Page[ArchiveRow]:
    """What is filed at an entity, as far as its mailboxes show it to you.

    Empty where nothing is: entities are yours, not known to us. A request looks at 2,000 rows at
    most, so that with filters a page may be short, even empty, and still have a `next`."""
    entity = Entity(entity_type, entity_id)
    after = cursors.ARCHIVE.decode(cursor)
    asked = filter_of(
        since=since,
        until=until,
        direction=direction,
        party=party,
        kind=kind,
        attachment=attachment,
        subject=subject,
        origin=origin,
    )
    rows, more = seen_page(caller, _reader(caller, entity, asked), after, limit)
    shown = entity_view(entity)
    if labels and rows:
        name_entities(caller.tenant, [shown])
    return Page(items=[archive_row(row, shown) for row in rows], next=cursors.ARCHIVE.encode(more))


def _reader(caller: Caller, entity: Entity, asked: Filter | None) -> ReadOn:
    table, now = storage().table, now_epoch()
    if asked is not None:
        return FilteredArchive(table, caller.tenant, entity, asked, now).page

    def read(after: str | None, limit: int) -> Found:
        return archive_page(table, caller.tenant, entity, after=after, limit=limit, now=now)

    return read


@operation("GET", "/v1/accounts/{account}/messages", "read")
def read_overview(
    account: PathId,
    caller: Calling,
    *,
    limit: Limit = 25,
    cursor: Cursor = None,
    folder: Annotated[str | None, Query(description="Id of a folder.")] = None,
    filed: Annotated[bool | None, Query(description="Only filed, or only unfiled mail.")] = None,
    labels: Labels = True,
) -> Page[OverviewRow]:
    """Every mail of the account, with where it was filed and why, or why not.

    For its owner, its viewers, and tokens with the scope mailboxes:all."""
    table, after = storage().table, cursors.OVERVIEW.decode(cursor)
    find_viewed_account(caller, account)

    def wanted(row: Item) -> bool:
        return (folder is None or folder in row["fo"]) and filed in (None, row["n"] > 0)

    filtered = folder is not None or filed is not None
    rows, more = overview_page(
        table,
        caller.tenant,
        account,
        after=after,
        limit=limit,
        now=now_epoch(),
        wanted=wanted if filtered else None,
    )
    shown = [overview_row(row) for row in rows]
    if labels:
        name_entities(caller.tenant, (filing for row in shown for filing in row.filings))
    return Page(items=shown, next=cursors.OVERVIEW.encode(more))
