"""Mails by their Message-ID: what is found is still to be shown as the caller may see it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from ablage.addresses import normalise
from ablage.limits import TRACED_ROWS
from ablage.messages import Message, message_id, utc_text
from ablage.store import messages, trace, uploads
from ablage.store.rows import cut
from ablage.store.storage import storage
from ablage.store.trace import Search, Window
from api.clock import now_epoch
from api.tenant import Caller

MAIL_ID_BYTES = 250  # of a Message-ID that is kept
BEFORE, AFTER = timedelta(days=2), timedelta(days=14)  # of its Date, when a mail may have come

Sender = Annotated[
    str | None, Query(alias="from", max_length=320, description="The address it came from.")
]
When = Annotated[
    str | None,
    Query(max_length=100, description="Its Date, as in its header or as 2026-11-20T10:00:00Z."),
]


def kept_mail_id(text: str) -> str:
    """As it is kept: bare, cut."""
    return cut(text.strip().strip("<>").strip(), MAIL_ID_BYTES)


def search_mail(
    caller: Caller,
    mail_id: str,
    account_ids: Iterable[str],
    *,
    sender: str | None,
    date: datetime | None,
    until: datetime | None = None,
    rows: int = TRACED_ROWS,
) -> tuple[list[Message], Search]:
    """By the id that Message-ID, From and Date make, or that the sending provider gave; else in the
    overviews of these accounts: what lies in no mailbox has one too, API_ACCOUNT's."""
    found = _computed(caller, mail_id, sender, date) or _replaced(caller, mail_id)
    searched = Search((), 0, more=False)
    if not found:
        table, window = storage().table, _window(date, until)
        searched = trace.search(table, caller.tenant, account_ids, mail_id, window, limit=rows)
        found = trace.read_messages(table, caller.tenant, searched.found, mail_id, now_epoch())
    return found, searched


def _computed(
    caller: Caller, mail_id: str, sender: str | None, date: datetime | None
) -> list[Message]:
    address = normalise(sender) if sender else None
    if address is None or date is None:
        return []
    made = message_id(mail_id, address.exact, date, ())
    return trace.read_messages(storage().table, caller.tenant, [made], mail_id, now_epoch())


def _replaced(caller: Caller, mail_id: str) -> list[Message]:
    table = storage().table
    named = uploads.named_by_provider(table, caller.tenant, mail_id)
    found = messages.get(table, caller.tenant, named, now_epoch()) if named else None
    return [found] if found else []


def _window(date: datetime | None, until: datetime | None) -> Window:
    ends = utc_text(until) if until else ""
    if date is None:
        return Window(until=ends)
    return Window(utc_text(date - BEFORE), ends or utc_text(date + AFTER))
