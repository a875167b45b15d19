"""Contacts: people mail is filed at, under the ids of the caller's own system."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field, StrictStr

from ablage.addresses import normalise
from ablage.errors import InvalidInput
from ablage.messages import Entity
from ablage.record_bodies import ContactBody
from ablage.records import CONTACT, CUSTOMER, Record
from ablage.store import address_index, jobs, records
from ablage.store.merges import merge_contact as merge
from ablage.store.storage import storage
from ablage.tenancy import entity_id
from api import cursors, record_writes
from api.clock import now_epoch
from api.operations import operation
from api.problems import about
from api.record_writes import SourceVersionQuery, StaleView, Written
from api.routes.jobs import Archive, JobView, job_view, work_off
from api.schemas import Body, Cursor, IfMatch, Limit, Page, PathId, answer
from api.tenant import Calling


class MergeBody(Body):
    into: Annotated[StrictStr, Field(max_length=128, description="Id of the contact that stays.")]


class _ContactFields(BaseModel):
    id: str
    name: str
    addresses: list[str]
    customers: list[str]


class ContactView(Written, _ContactFields):
    """As it stands."""


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
    after = cursors.RECORDS.decode(cursor)
    if address is not None:
        return _with_address(caller, address, limit, after)
    found, more = records.page_records(
        storage().table, caller.tenant, CONTACT, after=after, limit=limit, now=now_epoch()
    )
    return Page(items=[contact_view(c) for c in found], next=cursors.RECORDS.encode(more))


@operation("PUT", "/v1/contacts/{contact}", "manage")
def put_contact(
    contact: PathId, body: ContactBody, caller: Calling, if_match: IfMatch = None
) -> Response[ContactView]:
    """Create or replace a contact. New mail follows the new state, what is filed stays.

    Earlier mail of a new address is filed by a batch, as far back as the policy says."""
    saved = record_writes.put_record(caller, Entity(CONTACT, contact), body, if_match)
    view = contact_view(saved.record).model_copy(update=record_writes.told(caller, saved))
    return answer(view, status=201 if saved.created else 200, version=view.version)


@operation("GET", "/v1/contacts/{contact}", "read")
def get_contact(contact: PathId, caller: Calling) -> Response[ContactView]:
    """One contact. 410 with `merged_into` where it was merged into another."""
    found = records.find_record(storage().table, caller.tenant, Entity(CONTACT, contact))
    return answer(contact_view(found), version=found.version)


@operation("DELETE", "/v1/contacts/{contact}", "manage", status=204)
def delete_contact(
    contact: PathId,
    caller: Calling,
    archive: Archive = "keep",
    source_version: SourceVersionQuery = None,
    if_match: IfMatch = None,
) -> Response[JobView | StaleView | None]:
    """Delete a contact: no new filings. Its archive stays readable, or is taken apart by a job."""
    entity = Entity(CONTACT, contact)
    return record_writes.delete_record(caller, entity, archive, source_version, if_match)


@operation("POST", "/v1/contacts/{contact}/merge", "manage", status=202)
def merge_contact(contact: PathId, body: MergeBody, caller: Calling) -> Response[JobView]:
    """Merge a contact into another: addresses and customers at once, its archive by a job.

    The id answers 410 from then on."""
    with about("/into"):
        into = entity_id(body.into)
    job_id = merge(storage(), caller.tenant, contact, into, caller.subject)
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
    carriers = (Entity.parse(record) for record in (found.records if found else ()))
    sort_keys = sorted(f"RECORD#{e.entity_id}" for e in carriers if e.kind == CONTACT)
    rest = [sort_key for sort_key in sort_keys if after is None or sort_key > after]
    shown = rest[:limit]
    wanted = [Entity(CONTACT, sort_key.partition("#")[2]) for sort_key in shown]
    more = shown[-1] if len(rest) > limit else None
    items = [contact_view(c) for c in records.get_records(table, caller.tenant, wanted)]
    return Page(items=items, next=cursors.RECORDS.encode(more))


def contact_view(contact: Record) -> ContactView:
    return ContactView(
        id=contact.entity.entity_id,
        name=contact.label,
        addresses=list(contact.addresses),
        customers=list(contact.parents_of(CUSTOMER)),
        **record_writes.written(contact),
    )
