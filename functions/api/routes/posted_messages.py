"""Mail the tenant's own system sent or holds: announced, uploaded by a signed link, filed like any
other; and messages by the ids other systems know them by."""

from datetime import timedelta
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field, StrictInt, StrictStr

from ablage import limits, tenancy
from ablage.accounts import API_ACCOUNT
from ablage.errors import InvalidInput
from ablage.messages import Entity
from ablage.store import messages, trace, uploads
from ablage.store.aws import client
from ablage.store.storage import storage
from ablage.store.uploads import Upload
from ablage.visibility import Sight
from api.clock import moment, now, now_epoch, now_text, utc_text
from api.content_views import ContentView
from api.mail_search import Sender, When, kept_mail_id, search_mail
from api.message_views import MessageView, message_view
from api.operations import operation
from api.routes.imports import UploadView
from api.schemas import Body, Moment, answer
from api.tenant import Caller, Calling
from api.visibility import seen, views

EARLIEST_YEAR = 1980

ExternalId = Annotated[StrictStr, Field(min_length=1, max_length=255)]
MailId = Annotated[
    str | None,
    Query(min_length=1, max_length=998, description="Message-ID, with or without its <>."),
]


class PostedFiling(Body):
    entity_type: Annotated[StrictStr, Field(max_length=32)]
    entity_id: Annotated[StrictStr, Field(max_length=128)]


class PostBody(Body):
    external_id: ExternalId = Field(description="Yours: the same id is the same mail.")
    size: Annotated[StrictInt, Field(ge=1, le=limits.MESSAGE_BYTES)] = Field(
        description="Bytes of the mail (RFC 5322, an .eml file); the link takes exactly as many."
    )
    direction: Literal["outbound", "inbound"] | None = Field(
        None, description="outbound: your own system sent it. Without: as its From says."
    )
    occurred_at: Moment | None = Field(
        None, description="When it was sent or came; counts where the mail itself does not say."
    )
    provider_message_id: Annotated[StrictStr, Field(max_length=250)] | None = Field(
        None, description="Under which the sending service (as SES) sent it, if not its own."
    )
    filings: Annotated[list[PostedFiling], Field(max_length=limits.LIST_ELEMENTS)] = Field(
        [], description="Where it is filed as by hand, beside what is filed automatically."
    )


class PostedView(BaseModel):
    id: str
    external_id: str
    message: str | None = Field(description="What it became; null until it was uploaded and read.")
    upload: UploadView | None = Field(description="Null where the message is there.")


class FoundMessages(BaseModel):
    items: list[MessageView] = Field(description="Without their text and attachments.")
    next: None = None
    more: bool = Field(
        description="Older mails were not looked at: say `from` and `date`, or see /v1/trace."
    )


@operation("POST", "/v1/messages", "file", is_replayed=False)
def post_message(body: PostBody, caller: Calling) -> Response[PostedView]:
    """Announce a mail your own system sent or holds, and get a link to upload it to.

    Once uploaded it is read, matched and filed like mail from a mailbox; gates of mailboxes do not
    apply, policy and blocklist do. The link takes one PUT, with the headers named. Sent again, the
    same external_id gives a new link, or the message it became (200)."""
    announced = Upload(
        tenant=caller.tenant,
        external_id=body.external_id,
        size=body.size,
        direction=body.direction or "",
        occurred_at=_occurred(body),
        provider_message_id=kept_mail_id(body.provider_message_id or ""),
        filings=tuple(dict.fromkeys(map(_entity, range(len(body.filings)), body.filings))),
        by=caller.subject,
        created_at=now_text(),
    )
    standing, is_new = uploads.announce(storage().table, announced, now_epoch())
    view = PostedView(
        id=standing.upload_id,
        external_id=standing.external_id,
        message=_message(standing),
        upload=None,
    )
    if view.message is None:
        view.upload = _upload(standing)
    return answer(view, status=201 if is_new else 200)


@operation("GET", "/v1/messages", "read")
def find_messages(
    caller: Calling,
    *,
    external_id: Annotated[
        str | None, Query(min_length=1, max_length=255, description="As it was posted with.")
    ] = None,
    message_id: MailId = None,
    sender: Sender = None,
    date: When = None,
) -> FoundMessages:
    """Messages by external_id, or by Message-ID (with `from` and `date` found at once).

    Without these the newest 500 mails of your mailboxes are searched."""
    if (external_id is None) == (message_id is None):
        detail = "Name either an external_id or a message_id."
        raise InvalidInput("one_id_needed", detail, "external_id")
    if external_id is not None:
        return FoundMessages(items=_of_external_id(caller, external_id), more=False)
    table = storage().table
    known, left_out = trace.accounts_of(table, caller.tenant, None)
    found, searched = search_mail(
        caller,
        kept_mail_id(str(message_id)),
        [*(each.account_id for each in known if views(caller, each)), API_ACCOUNT],
        sender=sender,
        date=moment(date, "date", of_mail=True),
        rows=limits.LOOKED_UP_ROWS,
    )
    sights = (seen(caller, message) for message in found)
    items = [_shown(sight) for sight in sights if sight]
    return FoundMessages(items=items, more=searched.more or (left_out and not found))


def _of_external_id(caller: Caller, external_id: str) -> list[MessageView]:
    posted = uploads.of_external_id(storage().table, caller.tenant, external_id)
    if posted is None or not posted.message_id:
        return []
    found = messages.get(storage().table, caller.tenant, posted.message_id, now_epoch())
    sight = seen(caller, found) if found else None
    return [_shown(sight)] if sight else []


def _shown(sight: Sight) -> MessageView:
    message = sight.message
    known = uploads.external_ids(storage().table, message.tenant, message.copies)
    return message_view(sight, ContentView(), known)


def _message(posted: Upload) -> str | None:
    """None once it has expired: it may be uploaded anew."""
    if not posted.message_id:
        return None
    found = messages.get(storage().table, posted.tenant, posted.message_id, now_epoch())
    return posted.message_id if found else None


def _upload(posted: Upload) -> UploadView:
    url, headers = uploads.link(client("s3"), storage().raw, posted)
    expires = now() + timedelta(seconds=uploads.LINK_SECONDS)
    return UploadView(url=url, headers=headers, expires_at=utc_text(expires))


def _occurred(body: PostBody) -> str:
    """Raises InvalidInput `invalid_date`."""
    at = body.occurred_at
    if at is None:
        return ""
    if at.year < EARLIEST_YEAR or at > now() + timedelta(days=1):
        detail = "A mail was sent between 1980 and now."
        raise InvalidInput("invalid_date", detail, "/occurred_at")
    return utc_text(at)


def _entity(number: int, named: PostedFiling) -> Entity:
    """Raises InvalidInput `invalid_entity`."""
    for name, check in (("entity_type", tenancy.entity_type), ("entity_id", tenancy.entity_id)):
        try:
            check(getattr(named, name))
        except InvalidInput as error:
            raise InvalidInput(error.code, error.detail, f"/filings/{number}/{name}") from error
    return Entity(named.entity_type, named.entity_id)
