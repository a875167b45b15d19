"""What is held for a person's look: mail whose sender the provider says is forged."""

from typing import Literal

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from ablage.errors import Conflict
from ablage.filings import accept, reject
from ablage.messages import Message
from ablage.store.lists import Found, review_page
from ablage.store.storage import storage
from ablage.store.table import Item
from api import cursors
from api.changes import changed
from api.clock import now_epoch
from api.entity_labels import name_entities
from api.message_schemas import EntityView, Row, entity_view, shown_row
from api.operations import operation
from api.schemas import Body, Cursor, Limit, OpaqueId, Page, answer
from api.tenant import Caller, Calling, SecondsLeft
from api.visibility import find_message, seen_page, shown

Verdict = Literal["accept", "reject"]


class ReviewRow(Row):
    reason: str = Field(
        description="claimed_own: From is your own address; ambiguous_sender: policy hold_fail."
    )
    address: str = Field(description="Whom it claims to come from.")


class VerdictBody(Body):
    verdict: Verdict


class ReviewView(Body):
    message: str
    review: Literal["held", "accepted", "rejected"]
    decided: bool = Field(description="false: accepted, and filed within minutes.")
    reason: str
    filings: list[EntityView] = Field(description="The first hundred.")


@operation("GET", "/v1/review", "read")
def list_review(caller: Calling, limit: Limit = 25, cursor: Cursor = None) -> Page[ReviewRow]:
    """Mail in your mailboxes that is held until somebody accepts or rejects it."""
    after = cursors.REVIEW.decode(cursor)
    table, now = storage().table, now_epoch()

    def read(after: str | None, limit: int) -> Found:
        return review_page(table, caller.tenant, after=after, limit=limit, now=now)

    rows, more = seen_page(caller, read, after, limit)
    return Page(items=[_row(row) for row in rows], next=cursors.REVIEW.encode(more))


@operation("PUT", "/v1/review/{message}", "file")
def review_message(
    message: OpaqueId, body: VerdictBody, caller: Calling, seconds: SecondsLeft
) -> Response[ReviewView]:
    """accept: file it as if its sender were proven. reject: nothing files it by itself, ever.

    202: accepted, and decided within minutes. A verdict may be changed."""
    found = find_message(caller, message)
    if not found.review:
        raise Conflict("not_held", "Nobody is asked about this message: it was not held.")
    if body.verdict == "reject":
        return _answer(shown(caller, changed(caller, found, reject(caller.subject), seconds)))
    return _answer(shown(caller, _accepted(caller, found, seconds)))


def _accepted(caller: Caller, found: Message, seconds: float) -> Message:
    """Match decides it, which has the mail's addresses at hand; asked again, so is match."""
    after = changed(caller, found, accept, seconds)
    if after.awaits_decision:
        repair = {"tenant": caller.tenant, "message": after.message_id}
        storage().queues.match({"repair": repair})
    return after


def _answer(message: Message) -> Response[ReviewView]:
    decided = message.settled and not message.awaits_decision
    view = ReviewView.model_validate(
        {
            "message": message.message_id,
            "review": message.review,
            "decided": decided,
            "reason": message.reason(),
            "filings": [entity_view(e) for e in sorted(message.filings)[:100]],
        }
    )
    name_entities(message.tenant, view.filings)
    return answer(view, status=200 if decided else 202)


def _row(row: Item) -> ReviewRow:
    return ReviewRow.model_validate(shown_row(row) | {"reason": row["r"], "address": row["x"]})
