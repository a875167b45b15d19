"""Messages: what is known of one, where it is filed, filing and unfiling by hand."""

from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from ablage.filings import file_by_hand, mark_private, unfile, unmark_private
from ablage.messages import Entity, Message
from ablage.store import uploads
from ablage.store.archive import LINK_SECONDS
from ablage.store.aws import client
from ablage.store.links import raw_link
from ablage.store.storage import storage
from ablage.visibility import Sight
from api.changes import change_by_hand
from api.clock import now, now_text, utc_text
from api.content_views import ContentView, content_view
from api.entity_labels import name_entities
from api.message_schemas import (
    FilingsView,
    FilingView,
    LinkView,
    entity_view,
    filing_views,
)
from api.message_views import MessageView, message_view
from api.operations import operation
from api.schemas import OpaqueId, PathId, PathType, answer, no_content
from api.tenant import Calling, SecondsLeft
from api.visibility import find_content, find_sight, shown

FILING = "/v1/messages/{message}/filings/{entity_type}/{entity_id}"
PRIVATE = "/v1/messages/{message}/private"


@operation("GET", "/v1/messages/{message}", "read")
def get_message(
    message: OpaqueId,
    caller: Calling,
    *,
    content: Annotated[bool, Query(description="false: without reading the mail itself.")] = True,
) -> Response[MessageView]:
    """One message: facts, text, attachments, where it lies, where it is filed, and why."""
    sight = find_sight(caller, message)
    read = _content(sight) if content else ContentView()
    posted = uploads.external_ids(storage().table, caller.tenant, sight.message.copies)
    view = message_view(sight, read, posted)
    name_entities(caller.tenant, view.filings)
    return answer(view, version=sight.message.version)


def _content(sight: Sight) -> ContentView:
    if sight.access != "full":
        return ContentView(problems=["content_hidden"])
    return content_view(storage(), sight.message)


@operation("GET", "/v1/messages/{message}/raw", "read")
def get_raw_message(message: OpaqueId, caller: Calling) -> LinkView:
    """A link to the mail as it was received, valid for a minute.

    To its header where it is flagged `body_not_stored`. Of a mail in other people's mailboxes
    alone, without the header fields that name these."""
    url = raw_link(storage(), client("s3"), find_content(caller, message))
    return LinkView(url=url, expires_at=utc_text(now() + timedelta(seconds=LINK_SECONDS)))


@operation("GET", "/v1/messages/{message}/filings", "read")
def list_filings(message: OpaqueId, caller: Calling) -> FilingsView:
    """Every entity the message is filed at."""
    found = find_sight(caller, message).message
    unfiled = [entity_view(entity) for entity in sorted(found.tombstones)]
    filings = filing_views(found)
    name_entities(caller.tenant, (*filings, *unfiled))
    return FilingsView(items=filings, unfiled=unfiled)


@operation("PUT", FILING, "file")
def file_message(
    message: OpaqueId,
    entity_type: PathType,
    entity_id: PathId,
    caller: Calling,
    seconds: SecondsLeft,
) -> Response[FilingView]:
    """File by hand; lifts an earlier unfiling. Also where the blocklist stops automatic filing.

    202: filed, and listed within minutes."""
    entity = Entity(entity_type, entity_id)
    intent = file_by_hand(entity, caller.subject, now_text())
    changed = change_by_hand(caller, message, intent, seconds, archive_first=True)
    filing = next(f for f in filing_views(shown(caller, changed)) if _is(f, entity))
    name_entities(caller.tenant, [filing])
    return answer(filing, status=200 if changed.settled else 202)


@operation("DELETE", FILING, "file", status=204)
def unfile_message(
    message: OpaqueId,
    entity_type: PathType,
    entity_id: PathId,
    caller: Calling,
    seconds: SecondsLeft,
) -> Response[None]:
    """Take the message away from an entity. Nothing files it there again by itself."""
    intent = unfile(Entity(entity_type, entity_id), caller.subject)
    return _done(change_by_hand(caller, message, intent, seconds))


@operation("PUT", PRIVATE, "file", status=204)
def mark_message_private(
    message: OpaqueId, caller: Calling, seconds: SecondsLeft
) -> Response[None]:
    """No automatic filing of this message ever; existing automatic filings go."""
    return _done(change_by_hand(caller, message, mark_private(caller.subject), seconds))


@operation("DELETE", PRIVATE, "file", status=204)
def unmark_message_private(
    message: OpaqueId, caller: Calling, seconds: SecondsLeft
) -> Response[None]:
    """Lift the private mark. Files nothing by itself."""
    return _done(change_by_hand(caller, message, unmark_private, seconds))


def _done(message: Message) -> Response[None]:
    return no_content(204 if message.settled else 202)


def _is(filing: FilingView, entity: Entity) -> bool:
    return (filing.entity_type, filing.entity_id) == (entity.kind, entity.entity_id)
