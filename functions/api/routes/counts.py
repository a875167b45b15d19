"""How much is filed at an entity: a number for a badge, not for a bill."""

import time
from typing import Annotated

from pydantic import BaseModel, Field, StrictStr

from ablage import limits, tenancy
from ablage.errors import InvalidInput
from ablage.messages import Entity
from ablage.store.lists import archive_count, archive_page
from ablage.store.storage import storage
from api.clock import now_epoch
from api.operations import operation
from api.schemas import Body, PathId, PathType
from api.tenant import Caller, Calling, SecondsLeft
from api.threads import side_by_side
from api.visibility import seen_rows, sees_all

THREADS = 16
_ROWS_AT_ONCE = 100


class CountView(BaseModel):
    count: int
    more: bool = Field(description="There may be more than were counted.")


class EntityCountView(CountView):
    entity_type: str
    entity_id: str


class CountedEntity(Body):
    entity_type: Annotated[StrictStr, Field(max_length=32)]
    entity_id: Annotated[StrictStr, Field(max_length=128)]


class CountsBody(Body):
    items: Annotated[list[CountedEntity], Field(min_length=1, max_length=limits.ARCHIVES_COUNTED)]


class CountsView(BaseModel):
    items: list[EntityCountView] = Field(description="In the order they were asked for.")


@operation("GET", "/v1/archives/{entity_type}/{entity_id}/count", "read")
def count_archive(
    entity_type: PathType, entity_id: PathId, caller: Calling, seconds: SecondsLeft
) -> CountView:
    """How much is filed at an entity, as far as you see it; counted up to 1,000."""
    entity, ends = Entity(entity_type, entity_id), time.monotonic() + seconds
    count, more = _counted(caller, entity, limits.FILINGS_COUNTED, ends)
    return CountView(count=count, more=more)


@operation("POST", "/v1/archives/counts", "read")
def count_archives(body: CountsBody, caller: Calling, seconds: SecondsLeft) -> CountsView:
    """The same for up to 100 entities: ten are counted up to 1,000 each, a hundred up to 100."""
    entities = [_entity(number, item) for number, item in enumerate(body.items)]
    most = min(limits.FILINGS_COUNTED, limits.ROWS_COUNTED // len(entities))
    ends = time.monotonic() + seconds
    found = side_by_side(lambda one: _counted(caller, one, most, ends), entities, THREADS)
    return CountsView(
        items=[
            EntityCountView(
                entity_type=entity.kind, entity_id=entity.entity_id, count=count, more=more
            )
            for entity, (count, more) in zip(entities, found, strict=True)
        ]
    )


def _entity(number: int, item: CountedEntity) -> Entity:
    """Raises InvalidInput `invalid_entity`."""
    place = f"/items/{number}"
    try:
        return Entity(tenancy.entity_type(item.entity_type), tenancy.entity_id(item.entity_id))
    except InvalidInput as error:
        raise InvalidInput(error.code, error.detail, place) from error


def _counted(caller: Caller, entity: Entity, most: int, ends: float) -> tuple[int, bool]:
    """The database counts for those who see all; for others each row is looked at."""
    table, now = storage().table, now_epoch()
    if sees_all(caller):
        return archive_count(table, caller.tenant, entity, most=most, now=now)
    count, read, after = 0, 0, None
    while read < most and time.monotonic() < ends:
        at_once = min(_ROWS_AT_ONCE, most - read)
        rows, after = archive_page(
            table, caller.tenant, entity, after=after, limit=at_once, now=now
        )
        count, read = count + len(seen_rows(caller, rows)), read + at_once
        if after is None:
            return count, False
    return count, True
