"""Trace: a mail's whole walk by its Message-ID, and how far each mailbox has been read."""

from datetime import datetime, timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from ablage.addresses import normalise
from ablage.messages import Message, message_id, utc_text
from ablage.store import messages, trace
from ablage.store.aws import client
from ablage.store.rows import cut
from ablage.store.storage import storage
from ablage.store.trace import Search, Window
from api.clock import moment, now_epoch
from api.entity_labels import name_entities
from api.operations import operation
from api.tenant import Caller, Calling
from api.trace_views import COPIES_SHOWN, TraceView, WalkView, mailbox_view, walk_view
from api.visibility import find_viewed_account, seen_messages, views

MAIL_ID_BYTES = 250  # of a Message-ID that is kept
BEFORE, AFTER = timedelta(days=2), timedelta(days=14)  # of its Date, when a mail may have come

MailId = Annotated[
    str, Query(min_length=1, max_length=998, description="Message-ID, with or without its <>.")
]
Mailbox = Annotated[
    str | None, Query(max_length=128, description="Search this account alone; else the first 50.")
]
Sender = Annotated[
    str | None, Query(alias="from", max_length=320, description="The address it came from.")
]
When = Annotated[
    str | None,
    Query(max_length=100, description="Its Date, as in its header or as 2026-11-20T10:00:00Z."),
]
Until = Annotated[
    str | None, Query(max_length=40, description="`reached` of the answer before, to search on.")
]


@operation("GET", "/v1/trace", "read")
def trace_mail(
    message_id: MailId,
    caller: Calling,
    *,
    account: Mailbox = None,
    sender: Sender = None,
    date: When = None,
    until: Until = None,
) -> TraceView:
    """Where a mail has been: stored, decided, filed; and where each of your mailboxes stands.

    With `from` and `date` it is found at once. Else the newest 2,000 mails are searched, or, with
    `date`, those of the days around it."""
    mail_id = cut(message_id.strip().strip("<>").strip(), MAIL_ID_BYTES)
    day = moment(date, "date", of_mail=True)
    if account is not None:
        find_viewed_account(caller, account)
    known, left_out = trace.accounts_of(storage().table, caller.tenant, account)
    accounts = [each for each in known if views(caller, each)]
    found = _computed(caller, mail_id, sender, day)
    searched = Search((), 0, more=False)
    if not found:
        window = _window(day, moment(until, "until"))
        ids = [each.account_id for each in accounts]
        searched = trace.search(storage().table, caller.tenant, ids, mail_id, window)
        found = trace.read_messages(
            storage().table, caller.tenant, searched.found, mail_id, now_epoch()
        )
    found = seen_messages(caller, found)
    mailboxes = trace.mailboxes(storage().table, caller.tenant, accounts)
    return TraceView(
        message_id=mail_id,
        items=[_walk(caller, message) for message in found],
        rows_searched=searched.rows,
        more=searched.more or (left_out and not found),
        reached=searched.reached or None,
        accounts=[mailbox_view(mailbox, found) for mailbox in mailboxes],
    )


def _computed(
    caller: Caller, mail_id: str, sender: str | None, date: datetime | None
) -> list[Message]:
    """By the id that Message-ID, From and Date make."""
    address = normalise(sender) if sender else None
    if address is None or date is None:
        return []
    made = message_id(mail_id, address.exact, date, ())
    return trace.read_messages(storage().table, caller.tenant, [made], mail_id, now_epoch())


def _window(date: datetime | None, until: datetime | None) -> Window:
    ends = utc_text(until) if until else ""
    if date is None:
        return Window(until=ends)
    return Window(utc_text(date - BEFORE), ends or utc_text(date + AFTER))


def _walk(caller: Caller, message: Message) -> WalkView:
    kept = trace.stored(storage(), client("s3"), message, COPIES_SHOWN)
    happened = messages.events(storage().table, caller.tenant, message.message_id)
    known = {*message.filings, *message.tombstones}
    walk = walk_view(message, kept, [event for event in happened if event.entity in known])
    name_entities(caller.tenant, (*walk.filings, *walk.unfiled))
    return walk
