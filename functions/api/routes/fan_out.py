"""A message filed at very many entities: one call keeps only some."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from pydantic import Field, StrictStr

from ablage import limits, tenancy
from ablage.errors import InvalidInput
from ablage.filings import keep_only
from ablage.messages import Entity
from api.changes import changed
from api.entity_labels import name_entities
from api.message_schemas import FilingsView, entity_view, filing_views
from api.operations import operation
from api.problems import about
from api.schemas import Body, OpaqueId, answer
from api.tenant import Calling, SecondsLeft
from api.visibility import check_may_change, find_sight, shown


class KeptEntity(Body):
    entity_type: Annotated[StrictStr, Field(max_length=32)]
    entity_id: Annotated[StrictStr, Field(max_length=128)]


class KeepBody(Body):
    keep: Annotated[list[KeptEntity], Field(max_length=limits.FILINGS_PER_MESSAGE)] = Field(
        description="Where it stays filed; it is unfiled everywhere else. Empty: everywhere."
    )


@operation("PUT", "/v1/messages/{message}/filings", "file")
def keep_filings(
    message: OpaqueId, body: KeepBody, caller: Calling, seconds: SecondsLeft
) -> Response[FilingsView]:
    """Keep a message filed at some entities only. Nothing files it at the others again by itself.

    202: decided, and listed within minutes."""
    sight = find_sight(caller, message)
    check_may_change(sight)
    found = sight.message
    keep = [_entity(kept, f"/keep/{number}") for number, kept in enumerate(body.keep)]
    for number, entity in enumerate(keep):
        if entity not in found.filings:
            detail = "The message is not filed there; file it first, or leave it out."
            raise InvalidInput("not_filed", detail, f"/keep/{number}")
    intent = keep_only([*keep, *sight.hidden], caller.subject)
    after = shown(caller, changed(caller, found, intent, seconds))
    view = FilingsView(
        items=filing_views(after),
        unfiled=[entity_view(entity) for entity in sorted(after.tombstones)],
    )
    name_entities(caller.tenant, (*view.items, *view.unfiled))
    return answer(view, status=200 if after.settled else 202)


def _entity(kept: KeptEntity, pointer: str) -> Entity:
    with about(f"{pointer}/entity_type"):
        kind = tenancy.entity_type(kept.entity_type)
    with about(f"{pointer}/entity_id"):
        return Entity(kind, tenancy.entity_id(kept.entity_id))
