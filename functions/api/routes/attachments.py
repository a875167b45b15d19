"""Attachments: a link to one, made when it is asked for."""

from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path

from ablage.errors import Gone, NotFound
from ablage.limits import BODY_BYTES, PARTS
from ablage.mail import attachment_content, read_mail
from ablage.store.archive import LINK_SECONDS
from ablage.store.aws import client
from ablage.store.contents import part_link, read_content, require_body
from ablage.store.storage import storage
from api.clock import now, utc_text
from api.message_schemas import LinkView
from api.operations import operation
from api.schemas import OpaqueId
from api.tenant import Calling
from api.visibility import find_content


@operation("GET", "/v1/messages/{message}/attachments/{number}", "read")
def get_attachment(
    message: OpaqueId,
    number: Annotated[int, Path(ge=1, le=PARTS, description="As in the message.")],
    caller: Calling,
) -> LinkView:
    """A link to one attachment, to be saved as a file, valid for a minute."""
    found = find_content(caller, message).message
    if found.facts.size > BODY_BYTES:
        raise Gone("body_too_large", "The mail is too large to be taken apart; see /raw.")
    require_body(found)
    raw = read_content(storage(), found)
    attached = {a.number: a for a in read_mail(raw).attachments}.get(number)
    content = attachment_content(raw, number)
    if attached is None or content is None:
        raise NotFound("not_found", "The mail has no attachment of this number.")
    url = part_link(storage(), client("s3"), found, attached, content)
    return LinkView(url=url, expires_at=utc_text(now() + timedelta(seconds=LINK_SECONDS)))
