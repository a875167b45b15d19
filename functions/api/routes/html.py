"""A mail as a page that is safe to show."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field

from ablage.errors import Gone
from ablage.limits import BODY_BYTES
from ablage.mail import read_mail
from ablage.store.contents import read_content, require_body
from ablage.store.storage import storage
from api.operations import operation
from api.rendering import SANDBOX, render
from api.schemas import OpaqueId
from api.tenant import Calling
from api.visibility import find_content


class HtmlView(BaseModel):
    html: str = Field(
        description="A whole document, without scripts, forms or anything that loads by itself. "
        "Show it as srcdoc of an iframe with the sandbox attribute named here."
    )
    sandbox: str = Field(description="For the iframe: no scripts, no origin.", examples=[SANDBOX])
    content_security_policy: str = Field(description="The document holds it, too.")
    remote_images: int = Field(
        description="Images that lie outside the mail. They are left out unless images=remote: "
        "loading them tells the sender that the mail was read, when and where."
    )
    problems: list[str] = Field(
        [], description="html_truncated, html_too_complex (its text is shown), images_omitted."
    )


@operation("GET", "/v1/messages/{message}/html", "read")
def get_message_html(
    message: OpaqueId,
    caller: Calling,
    images: Annotated[
        Literal["blocked", "remote"], Query(description="remote: once a person asked for them.")
    ] = "blocked",
) -> HtmlView:
    """The mail as a page that is safe to show; its text where it has no HTML.

    Images within the mail are shown, those outside it only when asked for."""
    found = find_content(caller, message).message
    if found.facts.size > BODY_BYTES:
        raise Gone("body_too_large", "The mail is too large to be taken apart; see /raw.")
    require_body(found)
    raw = read_content(storage(), found)
    page = render(read_mail(raw), raw, remote=images == "remote")
    return HtmlView(
        html=page.html,
        sandbox=SANDBOX,
        content_security_policy=page.csp,
        remote_images=page.remote_images,
        problems=list(page.problems),
    )
