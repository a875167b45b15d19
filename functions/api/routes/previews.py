"""What a step would do, before it does it: nothing here writes."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictStr

from ablage import tenancy
from ablage.messages import Entity
from ablage.store import previews
from ablage.store.previews import Preview
from ablage.store.storage import storage
from api.batch_requests import (
    Days,
    account_batch,
    address_batch,
    purge_batch,
    required,
)
from api.clock import now_epoch
from api.operations import operation
from api.problems import about
from api.schemas import Body, Text, Warning_
from api.tenant import Caller, Calling
from api.visibility import find_viewed_account, require_all_mailboxes
from api.warnings import account_warnings

TOP = 20


class PreviewBody(Body):
    """`filing_on` takes `account` and `days`, `blocklist_entry` takes `entry`, `contact_address`
    takes `contact` and `address`."""

    kind: Literal["filing_on", "blocklist_entry", "contact_address"]
    account: Annotated[StrictStr, Field(max_length=128)] | None = None
    days: Days | None = None
    entry: Text | None = None
    contact: Annotated[StrictStr, Field(max_length=128)] | None = None
    address: Text | None = None


class AffectedEntity(BaseModel):
    entity_type: str
    entity_id: str
    messages: int


class PreviewView(BaseModel):
    kind: str
    messages: int = Field(description="How many would be filed; for an entry: lose a filing.")
    looked_at: int = Field(description="Of how many.")
    more: bool = Field(description="There is more mail than the 1,000 rows that were read.")
    contacts: list[AffectedEntity] = Field(description="The twenty with most of them.")
    contacts_count: int
    customers: list[AffectedEntity] = Field(description="The twenty with most of them.")
    customers_count: int
    warnings: list[Warning_] = Field(description="Who would get every mail of the account.")


@operation("POST", "/v1/previews", "read", is_replayed=False)
def preview(body: PreviewBody, caller: Calling) -> PreviewView:
    """What switching filing on, blocking, or a contact's new address would do to stored mail.

    The first is for those who see the account's mail, the others, which count every mailbox's, for
    tokens with the scope mailboxes:all or manage.

    Filing on is told from what lists show: of each field at most ten recipients, and of relayed
    mail not whom it is really from."""
    found, warnings = _PREVIEWS[body.kind](body, caller)
    contacts, customers = _of_kind(found, "contact"), _of_kind(found, "customer")
    return PreviewView(
        kind=body.kind,
        messages=found.messages,
        looked_at=found.looked_at,
        more=found.more,
        contacts=_top(contacts),
        contacts_count=len(contacts),
        customers=_top(customers),
        customers_count=len(customers),
        warnings=warnings,
    )


def _filing_on(body: PreviewBody, caller: Caller) -> tuple[Preview, list[Warning_]]:
    with about("/account"):
        find_viewed_account(caller, tenancy.entity_id(required(body.account, "/account")))
    account, batch = account_batch(caller, required(body.account, "/account"), body.days)
    table = storage().table
    found = previews.preview_account(table, batch, account, now_epoch())
    return found, account_warnings(table, account)


def _blocklist_entry(body: PreviewBody, caller: Caller) -> tuple[Preview, list[Warning_]]:
    require_all_mailboxes(caller)
    batch = purge_batch(caller, required(body.entry, "/entry"))
    return previews.preview_purge(storage().table, batch, now_epoch()), []


def _contact_address(body: PreviewBody, caller: Caller) -> tuple[Preview, list[Warning_]]:
    require_all_mailboxes(caller)
    contact, address = required(body.contact, "/contact"), required(body.address, "/address")
    batch, found, entry = address_batch(caller, contact, address, body.days)
    table = storage().table
    return previews.preview_address(table, batch, found, entry, now_epoch()), []


def _of_kind(found: Preview, kind: str) -> Counter[Entity]:
    return Counter({entity: n for entity, n in found.entities.items() if entity.kind == kind})


def _top(entities: Counter[Entity]) -> list[AffectedEntity]:
    ranked = sorted(entities.items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        AffectedEntity(entity_type=entity.kind, entity_id=entity.entity_id, messages=n)
        for entity, n in ranked[:TOP]
    ]


_PREVIEWS = {
    "filing_on": _filing_on,
    "blocklist_entry": _blocklist_entry,
    "contact_address": _contact_address,
}
