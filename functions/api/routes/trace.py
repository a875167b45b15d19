"""Trace: a mail's whole walk by its Message-ID, and how far each mailbox has been read."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from ablage.accounts import API_ACCOUNT
from ablage.messages import Message
from ablage.store import trace
from ablage.store.aws import client
from ablage.store.storage import storage
from api.clock import moment
from api.entity_labels import name_entities
from api.mail_search import Sender, When, kept_mail_id, search_mail
from api.operations import operation
from api.tenant import Caller, Calling
from api.trace_views import COPIES_SHOWN, TraceView, WalkView, mailbox_view, walk_view
from api.visibility import find_viewed_account, seen_messages, views

MailId = Annotated[
    str, Query(min_length=1, max_length=998, description="Message-ID, with or without its <>.")
]
Mailbox = Annotated[
    str | None, Query(max_length=128, description="Search this account alone; else the first 50.")
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
    mail_id = kept_mail_id(message_id)
    day = moment(date, "date", of_mail=True)
    if account is not None:
        find_viewed_account(caller, account)
    known, left_out = trace.accounts_of(storage().table, caller.tenant, account)
    accounts = [each for each in known if views(caller, each)]
    found, searched = search_mail(
        caller,
        mail_id,
        [*(each.account_id for each in accounts), *([] if account else [API_ACCOUNT])],
        sender=sender,
        date=day,
        until=moment(until, "until"),
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


def _walk(caller: Caller, message: Message) -> WalkView:
    kept = trace.stored(storage(), client("s3"), message, COPIES_SHOWN)
    known = {*message.filings, *message.tombstones}
    walk = walk_view(message, kept, [event for event in message.events if event.entity in known])
    name_entities(caller.tenant, (*walk.filings, *walk.unfiled))
    return walk
