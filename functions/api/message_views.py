"""A message in full."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ablage.accounts import API_ACCOUNT
from ablage.messages import Copy
from ablage.visibility import Access, Sight
from api.clock import epoch_text
from api.content_views import ContentView
from api.decision_views import (
    DecisionView,
    DeliveryFailureView,
    decision_view,
    failure_views,
)
from api.message_schemas import ACCESS, FLAGS, Authentication, FilingView, filing_views

SHOWN_FILINGS = 100  # of a message; the rest at .../filings


class CopyView(BaseModel):
    source: Literal["mailbox", "api"]
    external_id: str | None = Field(None, description="As POST /v1/messages named it.")
    account: str | None = Field(description="Null for one that lies in no mailbox.")
    folder: str | None
    received_at: str
    role: str


class MessageView(ContentView):
    id: str
    version: int
    sort_time: str
    subject: str
    sender: str
    to: list[str]
    cc: list[str]
    bcc: list[str] = Field(
        description="Only for owner and viewers of the mailbox it was sent from."
    )
    date: str
    message_id: str = Field(description="RFC 5322 Message-ID, without its angle brackets.")
    kind: str
    direction: str
    via: str
    snippet: str
    size: int
    attachments_count: int
    flags: Annotated[list[str], FLAGS]
    authentication: Authentication = Field(
        description="What the mailbox's own provider says of the sender; none: nothing certain."
    )
    private: bool
    review: Literal["held", "accepted", "rejected"] | None = Field(
        description="held: at /v1/review for somebody's verdict."
    )
    delivery: Literal["failed"] | None = Field(
        description="failed: a delivery report says that not everybody got it."
    )
    delivery_failures: list[DeliveryFailureView]
    reason: str
    copies: list[CopyView]
    decision: DecisionView
    filings: list[FilingView]
    filings_count: int
    access: Annotated[Access, ACCESS] = "full"
    expires_at: str | None = Field(description="Unfiled mail is not kept for good.")


def message_view(
    sight: Sight, content: ContentView, external_ids: Mapping[str, str]
) -> MessageView:
    """`external_ids` by copy id."""
    message, facts = sight.message, sight.message.facts
    return MessageView(
        **dict(content),
        id=message.message_id,
        version=message.version,
        sort_time=message.sort_time,
        subject=facts.subject,
        sender=facts.sender,
        to=list(facts.to),
        cc=list(facts.cc),
        bcc=list(facts.bcc),
        date=facts.date,
        message_id=facts.mail_id,
        kind=facts.kind,
        direction=facts.direction,
        via=facts.via,
        snippet=facts.snippet,
        size=facts.size,
        attachments_count=facts.attachments,
        flags=sorted(message.flags),
        authentication=facts.authentication,
        private=bool(message.private),
        review=message.review or None,
        delivery="failed" if message.delivery else None,
        delivery_failures=failure_views(message),
        reason=message.reason(),
        copies=[_copy_view(c, external_ids) for c in message.copies],
        decision=decision_view(message),
        filings=filing_views(message)[:SHOWN_FILINGS],
        filings_count=len(message.filings),
        access=sight.access,
        expires_at=epoch_text(message.expires) if message.expires else None,
    )


def _copy_view(copy: Copy, external_ids: Mapping[str, str]) -> CopyView:
    posted = copy.account_id == API_ACCOUNT
    return CopyView(
        source="api" if posted else "mailbox",
        external_id=external_ids.get(copy.copy_id),
        account=None if posted else copy.account_id,
        folder=None if posted else copy.folder_id,
        received_at=copy.received_at,
        role=copy.role,
    )
