"""A mail's walk as people read it: one line a step, in the order of the house."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, Field

from ablage.accounts import API_ACCOUNT
from ablage.messages import Copy, Event, Message
from ablage.store.archive import archive_key
from ablage.store.trace import Mailbox
from api.decision_views import DecisionView, decision_view
from api.message_schemas import EntityView, FilingView, entity_view, filing_views

COPIES_SHOWN = 20
EVENTS_SHOWN = 100
Stored = Sequence[tuple[Copy, str, bool]]


class StepView(BaseModel):
    step: Literal["listed", "stored", "event", "decided", "archived", "filed", "unfiled", "rows"]
    explanation: str
    account: str | None = None
    key: str | None = Field(None, description="Of the object in S3.")
    entity: EntityView | None = None


class WalkView(BaseModel):
    message: str
    version: int
    sort_time: str
    steps: list[StepView]
    decision: DecisionView
    filings: list[FilingView]
    unfiled: list[EntityView]


class FolderTraceView(BaseModel):
    folder: str
    uidvalidity: int
    read_to: int = Field(description="Every UID up to it was stored, was gone, or is a problem.")
    problems: list[int] = Field(description="UIDs that could not be stored.")


class MailboxTraceView(BaseModel):
    account: str
    status: str
    status_code: str | None
    sync: bool
    automatic_filing: bool
    copies: int = Field(description="Of the mail, in this mailbox.")
    explanation: str
    folders: list[FolderTraceView]


class TraceView(BaseModel):
    message_id: str
    items: list[WalkView] = Field(
        description="Mails of one Message-ID that differ in From or Date are several."
    )
    rows_searched: int
    more: bool = Field(description="There are older mails that were not looked at.")
    reached: str | None = Field(description="Pass it as `until` to search on.")
    accounts: list[MailboxTraceView]


def walk_view(message: Message, kept: Stored, happened: Iterable[Event]) -> WalkView:
    """Of a message as the caller may know it."""
    decision = decision_view(message)
    steps = [*_arrived(message, kept), *_decided(message, decision), *_happened(happened)]
    if not message.settled:
        text = "Lists do not show all of it yet: it is being written, or will be again shortly."
        steps.append(StepView(step="rows", explanation=text))
    return WalkView(
        message=message.message_id,
        version=message.version,
        sort_time=message.sort_time,
        steps=steps,
        decision=decision,
        filings=filing_views(message)[:COPIES_SHOWN],
        unfiled=[entity_view(entity) for entity in sorted(message.tombstones)],
    )


def mailbox_view(mailbox: Mailbox, found: Iterable[Message]) -> MailboxTraceView:
    account, state = mailbox.account, mailbox.state
    copies = sum(c.account_id == account.account_id for m in found for c in m.copies)
    return MailboxTraceView(
        account=account.account_id,
        status=state.status if state else "syncing",
        status_code=state.code if state else None,
        sync=account.sync,
        automatic_filing=account.filing_enabled,
        copies=copies,
        explanation=_standing(mailbox, copies),
        folders=[
            FolderTraceView(
                folder=cursor.folder_id,
                uidvalidity=cursor.uidvalidity,
                read_to=cursor.high,
                problems=[problem.uid for problem in cursor.problems],
            )
            for cursor in mailbox.cursors
        ],
    )


def _standing(mailbox: Mailbox, copies: int) -> str:
    if copies:
        return "The mail lies in this mailbox, and was read from it."
    if not mailbox.account.sync:
        return "This mailbox is not synced, so nothing new is read from it."
    if mailbox.state and mailbox.state.status not in ("ok", "syncing"):
        return f"This mailbox cannot be read now: {mailbox.state.status} ({mailbox.state.code})."
    if any(cursor.problems for cursor in mailbox.cursors):
        return "Not seen in this mailbox; some of its mails could not be stored, see problems."
    return "Not seen in this mailbox: not in the folders it is read from, or not yet."


def _arrived(message: Message, kept: Stored) -> Iterator[StepView]:
    for copy, key, is_there in kept:
        where = f"folder {copy.folder_id}{f' ({copy.role})' if copy.role else ''}"
        account: str | None = copy.account_id
        listed = f"Found in {where} as UID {copy.uid}, received at {copy.received_at}."
        if account == API_ACCOUNT:
            account, listed = None, f"Posted by your own system, of {copy.received_at}."
        yield StepView(step="listed", account=account, explanation=listed)
        text = "Its bytes are stored." if is_there else "Its bytes were stored, and have expired."
        yield StepView(step="stored", account=account, key=key, explanation=text)
        is_variant = copy.digest != message.digest
        text = "It was read and joined to this message"
        text += ", as a variant: its content differs." if is_variant else "."
        yield StepView(step="event", account=account, explanation=text)


def _decided(message: Message, decision: DecisionView) -> Iterator[StepView]:
    yield StepView(step="decided", explanation=decision.explanation)
    for sha256 in message.archived.values():
        key = archive_key(message.tenant, message.message_id, sha256)
        yield StepView(step="archived", key=key, explanation="Its bytes are kept for good.")


def _happened(events: Iterable[Event]) -> Iterator[StepView]:
    for event in list(events)[-EVENTS_SHOWN:]:
        filed = event.kind == "filed"
        words = "Filed at" if filed else "Taken away from"
        yield StepView(
            step="filed" if filed else "unfiled",
            entity=entity_view(event.entity),
            explanation=f"{words} {event.entity.kind} {event.entity.entity_id}"
            f" (version {event.version}).",
        )
