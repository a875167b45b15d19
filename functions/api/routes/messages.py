"""Messages: what is known of one, where it is filed, filing and unfiling by hand."""

from datetime import timedelta

from aws_lambda_powertools.event_handler import Response

from ablage.change import ask_repair, change
from ablage.errors import NotFound
from ablage.filings import Intent, file_by_hand, mark_private, unfile, unmark_private
from ablage.messages import Entity, Message
from ablage.store import accounts, messages
from ablage.store.archive import LINK_SECONDS
from ablage.store.aws import client
from ablage.store.links import raw_link
from ablage.store.storage import storage
from api.clock import now, now_epoch, now_text, utc_text
from api.message_schemas import (
    FilingsView,
    FilingView,
    LinkView,
    MessageView,
    entity_view,
    filing_views,
    message_view,
)
from api.operations import operation
from api.schemas import OpaqueId, PathId, PathType, answer, no_content
from api.tenant import Caller, Calling

FILING = "/v1/messages/{message}/filings/{entity_type}/{entity_id}"
PRIVATE = "/v1/messages/{message}/private"


@operation("GET", "/v1/messages/{message}", "read")
def get_message(message: OpaqueId, caller: Calling) -> Response[MessageView]:
    """One message: facts, where it lies, where it is filed, and why."""
    found = _find(caller, message)
    shown = message_view(found, with_bcc=_may_see_bcc(caller, found))
    return answer(shown, version=found.version)


@operation("GET", "/v1/messages/{message}/raw", "read")
def get_raw_message(message: OpaqueId, caller: Calling) -> LinkView:
    """A link to the mail as it was received, valid for five minutes."""
    url = raw_link(storage(), client("s3"), _find(caller, message))
    return LinkView(url=url, expires_at=utc_text(now() + timedelta(seconds=LINK_SECONDS)))


@operation("GET", "/v1/messages/{message}/filings", "read")
def list_filings(message: OpaqueId, caller: Calling) -> FilingsView:
    """Every entity the message is filed at."""
    found = _find(caller, message)
    unfiled = [entity_view(entity) for entity in sorted(found.tombstones)]
    return FilingsView(items=filing_views(found), unfiled=unfiled)


@operation("PUT", FILING, "file")
def file_message(
    message: OpaqueId, entity_type: PathType, entity_id: PathId, caller: Calling
) -> FilingView:
    """File by hand; lifts an earlier unfiling. Also where the blocklist stops automatic filing."""
    entity = Entity(entity_type, entity_id)
    changed = _change(caller, message, file_by_hand(entity, caller.subject, now_text()))
    return next(f for f in filing_views(changed) if _is(f, entity))


@operation("DELETE", FILING, "file", status=204)
def unfile_message(
    message: OpaqueId, entity_type: PathType, entity_id: PathId, caller: Calling
) -> Response[None]:
    """Take the message away from an entity. Nothing files it there again by itself."""
    _change(caller, message, unfile(Entity(entity_type, entity_id)))
    return no_content()


@operation("PUT", PRIVATE, "file", status=204)
def mark_message_private(message: OpaqueId, caller: Calling) -> Response[None]:
    """No automatic filing of this message ever; existing automatic filings go."""
    _change(caller, message, mark_private(caller.subject))
    return no_content()


@operation("DELETE", PRIVATE, "file", status=204)
def unmark_message_private(message: OpaqueId, caller: Calling) -> Response[None]:
    """Lift the private mark. Files nothing by itself."""
    _change(caller, message, unmark_private)
    return no_content()


def _find(caller: Caller, message_id: str) -> Message:
    """Raises NotFound `not_found`, also for one that has expired."""
    found = messages.get(storage().table, caller.tenant, message_id, now_epoch())
    if found is None:
        raise NotFound("not_found", "There is no such message; unfiled mail expires.")
    return found


def _change(caller: Caller, message_id: str, intent: Intent) -> Message:
    """The message after `intent`. What changes nothing sends nothing."""
    found = _find(caller, message_id)
    if found.settled and intent(found) is None:
        return found
    ask_repair(storage(), caller.tenant, message_id)
    changed = change(storage(), caller.tenant, message_id, intent, archive_first=True)
    if changed is None:
        raise NotFound("not_found", "There is no such message; unfiled mail expires.")
    return changed


def _is(filing: FilingView, entity: Entity) -> bool:
    return (filing.entity_type, filing.entity_id) == (entity.kind, entity.entity_id)


def _may_see_bcc(caller: Caller, message: Message) -> bool:
    """Bcc is known to the Sent copy alone, and shown to those who see its mailbox."""
    if not any(d.where == "bcc" for d in message.decisions) and not message.facts.bcc:
        return False
    senders = {copy.account_id for copy in message.copies if copy.role == "sent"}
    found = (accounts.get_account(storage().table, caller.tenant, sender) for sender in senders)
    return any(a is not None and caller.subject in (a.owner, *a.viewers) for a in found)
