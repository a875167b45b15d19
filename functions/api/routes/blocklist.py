"""The blocklist: addresses and domains whose mail is not filed automatically."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, Field, StrictStr

from ablage.blocklist import parse_entry
from ablage.domains import is_free_mail
from ablage.errors import NotFound
from ablage.settings import settings
from ablage.store import blocklist
from ablage.store.blocklist import BlockedEntry
from ablage.store.storage import storage
from api import cursors
from api.clock import now_text
from api.operations import operation
from api.schemas import Body, Cursor, Limit, OpaqueId, Page, Text, Warning_, answer, no_content
from api.tenant import Calling


class EntryBody(Body):
    entry: Text = Field(
        description="An address, or a domain with its subdomains.",
        examples=["kunde.de", "max@kunde.de"],
    )
    note: Annotated[StrictStr, Field(max_length=500)] = ""


class EntryView(BaseModel):
    id: str
    kind: Literal["address", "domain"]
    value: str = Field(description="What is compared: lower case, IDNA.")
    entry: str = Field(description="As it was typed.")
    note: str
    added_at: str
    added_by: str
    warnings: list[Warning_] = []


@operation("GET", "/v1/blocklist", "read")
def list_blocklist(caller: Calling, limit: Limit = 25, cursor: Cursor = None) -> Page[EntryView]:
    """Blocked addresses, then blocked domains."""
    after = cursors.BLOCKLIST.decode(cursor)
    found, more = blocklist.page(storage().table, caller.tenant, after, limit)
    return Page(items=[_view(entry) for entry in found], next=cursors.BLOCKLIST.encode(more))


@operation("POST", "/v1/blocklist", "manage")
def add_to_blocklist(body: EntryBody, caller: Calling) -> Response[EntryView]:
    """Block an address or a domain (201; 200 if it was blocked already). What is filed stays."""
    entry, created = blocklist.add(
        storage().table,
        caller.tenant,
        parse_entry(body.entry),
        note=body.note,
        added_at=now_text(),
        added_by=caller.subject,
        most=settings().quota_blocklist,
    )
    return answer(_view(entry), status=201 if created else 200)


@operation("DELETE", "/v1/blocklist/{entry_id}", "manage", status=204)
def remove_from_blocklist(entry_id: OpaqueId, caller: Calling) -> Response[None]:
    """Unblock. Files nothing by itself."""
    if not blocklist.remove(storage().table, caller.tenant, entry_id):
        raise NotFound("not_found", "There is no such blocklist entry.")
    return no_content()


def _view(entry: BlockedEntry) -> EntryView:
    return EntryView.model_validate(
        {
            "id": entry.entry_id,
            "kind": entry.kind,
            "value": entry.value,
            "entry": entry.typed,
            "note": entry.note,
            "added_at": entry.added_at,
            "added_by": entry.added_by,
            "warnings": _warnings(entry),
        }
    )


def _warnings(entry: BlockedEntry) -> list[Warning_]:
    if entry.kind != "domain" or not is_free_mail(entry.value):
        return []
    detail = "Private senders of many companies have mailboxes at this provider."
    return [Warning_(code="free_mail_domain", detail=detail)]
