"""Contacts: people mail is filed at, under the ids of the caller's own system."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field, StrictBool, StrictStr

from ablage.addresses import normalise
from ablage.contacts import Contact, new_contact
from ablage.errors import InvalidInput
from ablage.store import address_index, contacts, jobs
from ablage.store.storage import storage
from ablage.tenancy import entity_id
from api import cursors
from api.clock import now_epoch
from api.operations import operation
from api.routes.jobs import Archive, JobView, deleted, job_view, work_off
from api.schemas import (
    Body,
    Cursor,
    IfMatch,
    Limit,
    Name,
    Page,
    PathId,
    Texts,
    Warning_,
    answer,
    check_version,
    expected_version,
)
from api.tenant import Calling
from api.warnings import entity_warnings


class ContactBody(Body):
    name: Name = ""
    addresses: Texts = Field(default=[], examples=[["max@kunde.de"]])
    customers: Texts = Field(
        default=[], description="Ids of customers; they need not exist yet.", examples=[["K-7"]]
    )
    archived: StrictBool = Field(default=False, description="No new filings; what is filed stays.")


class MergeBody(Body):
    into: Annotated[StrictStr, Field(max_length=128, description="Id of the contact that stays.")]


class ContactView(BaseModel):
    id: str
    name: str
    addresses: list[str]
    customers: list[str]
    archived: bool
    version: int
    backfill: str | None = Field(
        None, description="The job that files earlier mail of new addresses; it can be undone."
    )
    warnings: list[Warning_] = []


@operation("GET", "/v1/contacts", "read")
def list_contacts(
    caller: Calling,
    address: Annotated[
        str | None, Query(description="Only those not archived that carry it.")
    ] = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Page[ContactView]:
    """Contacts in the order of their ids."""
    after = cursors.CONTACTS.decode(cursor)
    if address is not None:
        return _with_address(caller, address, limit, after)
    found, more = contacts.page_contacts(storage().table, caller.tenant, after, limit, now_epoch())
    return Page(items=[_view(c) for c in found], next=cursors.CONTACTS.encode(more))


@operation("PUT", "/v1/contacts/{contact}", "manage")
def put_contact(
    contact: PathId, body: ContactBody, caller: Calling, if_match: IfMatch = None
) -> Response[ContactView]:
    """Create or replace a contact. New mail follows the new state, what is filed stays.

    Earlier mail of a new address is filed by a batch, as far back as the policy says."""
    expected = expected_version(if_match)
    wanted = new_contact(
        caller.tenant,
        contact,
        body.name,
        body.addresses,
        body.customers,
        archived=body.archived,
    )
    saved = contacts.save_contact(
        storage(),
        wanted,
        lambda standing: check_version(_version(standing), expected),
        caller.subject,
    )
    if saved.backfill:
        work_off(caller.tenant, saved.backfill)
    warnings = entity_warnings(
        storage().table, caller.tenant, "contact", contact, saved.contact.keys
    )
    more = {"warnings": warnings, "backfill": saved.backfill}
    view = _view(saved.contact).model_copy(update=more)
    return answer(view, status=201 if saved.created else 200, version=view.version)


@operation("GET", "/v1/contacts/{contact}", "read")
def get_contact(contact: PathId, caller: Calling) -> Response[ContactView]:
    """One contact. 410 with `merged_into` where it was merged into another."""
    found = contacts.find_contact(storage().table, caller.tenant, contact)
    return answer(_view(found), version=found.version)


@operation("DELETE", "/v1/contacts/{contact}", "manage", status=204)
def delete_contact(
    contact: PathId, caller: Calling, archive: Archive = "keep"
) -> Response[JobView | None]:
    """Delete a contact: no new filings. Its archive stays readable, or is taken apart by a job."""
    job_id = contacts.delete_contact(
        storage(),
        caller.tenant,
        contact,
        now_epoch(),
        with_archive=archive == "delete",
        by=caller.subject,
    )
    return deleted(caller.tenant, job_id)


@operation("POST", "/v1/contacts/{contact}/merge", "manage", status=202)
def merge_contact(contact: PathId, body: MergeBody, caller: Calling) -> Response[JobView]:
    """Merge a contact into another: addresses and customers at once, its archive by a job.

    The id answers 410 from then on."""
    into = entity_id(body.into)
    job_id = contacts.merge_contact(storage(), caller.tenant, contact, into, caller.subject)
    work_off(caller.tenant, job_id)
    return answer(job_view(jobs.get(storage().table, caller.tenant, job_id)), status=202)


def _with_address(caller: Calling, text: str, limit: int, after: str | None) -> Page[ContactView]:
    address = normalise(text)
    if address is None:
        detail = "This is not an e-mail address. Send it bare, as name@example.com."
        raise InvalidInput("invalid_address", detail, "address")
    table = storage().table
    owners = address_index.read(table, caller.tenant, [address.exact], consistent=True)
    found = owners.get(address.exact)
    sort_keys = sorted(f"CONTACT#{contact}" for contact in (found.contacts if found else ()))
    rest = [sort_key for sort_key in sort_keys if after is None or sort_key > after]
    shown = rest[:limit]
    ids = tuple(sort_key.partition("#")[2] for sort_key in shown)
    more = shown[-1] if len(rest) > limit else None
    items = [_view(c) for c in contacts.get_contacts(table, caller.tenant, ids)]
    return Page(items=items, next=cursors.CONTACTS.encode(more))


def _version(standing: Contact | None) -> int:
    return standing.version if standing else 0


def _view(contact: Contact) -> ContactView:
    return ContactView(
        id=contact.contact_id,
        name=contact.name,
        addresses=list(contact.addresses),
        customers=list(contact.customers),
        archived=contact.archived,
        version=contact.version,
    )
