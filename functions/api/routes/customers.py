"""Customers: companies mail is filed at, through their contacts or addresses of their own."""

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, Field

from ablage import limits
from ablage.messages import Entity
from ablage.record_bodies import CustomerBody
from ablage.records import CONTACT, CUSTOMER, Record
from ablage.store import records
from ablage.store.storage import storage
from api import cursors, record_writes
from api.clock import now_epoch
from api.operations import operation
from api.record_writes import SourceVersionQuery, StaleView, Written
from api.routes.contacts import ContactView, contact_view
from api.routes.jobs import Archive, JobView
from api.schemas import Cursor, IfMatch, Limit, Page, PathId, answer
from api.tenant import Calling


class _CustomerFields(BaseModel):
    id: str
    name: str
    addresses: list[str]


class CustomerView(Written, _CustomerFields):
    """As it stands."""


class CustomerDetail(CustomerView):
    contacts: list[str] = Field(
        description="Ids of its contacts; at most 100, all of them at .../contacts."
    )


@operation("GET", "/v1/customers", "read")
def list_customers(caller: Calling, limit: Limit = 25, cursor: Cursor = None) -> Page[CustomerView]:
    """Customers in the order of their ids."""
    after = cursors.RECORDS.decode(cursor)
    found, more = records.page_records(
        storage().table, caller.tenant, CUSTOMER, after=after, limit=limit, now=now_epoch()
    )
    return Page(items=[_view(c) for c in found], next=cursors.RECORDS.encode(more))


@operation("PUT", "/v1/customers/{customer}", "manage")
def put_customer(
    customer: PathId, body: CustomerBody, caller: Calling, if_match: IfMatch = None
) -> Response[CustomerView]:
    """Create or replace a customer. Its contacts name it themselves.

    Earlier mail of a new address is filed by a batch, as far back as the policy says."""
    saved = record_writes.put_record(caller, Entity(CUSTOMER, customer), body, if_match)
    view = _view(saved.record).model_copy(update=record_writes.told(caller, saved))
    return answer(view, status=201 if saved.created else 200, version=view.version)


@operation("GET", "/v1/customers/{customer}", "read")
def get_customer(customer: PathId, caller: Calling) -> Response[CustomerDetail]:
    """One customer with its contacts."""
    table, entity = storage().table, Entity(CUSTOMER, customer)
    found = records.find_record(table, caller.tenant, entity)
    members, _ = records.page_children(
        table, caller.tenant, entity, CONTACT, after=None, limit=limits.PAGE
    )
    view = CustomerDetail(**_view(found).model_dump(), contacts=members)
    return answer(view, version=found.version)


@operation("GET", "/v1/customers/{customer}/contacts", "read")
def list_contacts_of_customer(
    customer: PathId, caller: Calling, limit: Limit = 25, cursor: Cursor = None
) -> Page[ContactView]:
    """The contacts that name the customer, whether it exists or not."""
    table, after = storage().table, cursors.CHILDREN.decode(cursor)
    ids, more = records.page_children(
        table, caller.tenant, Entity(CUSTOMER, customer), CONTACT, after=after, limit=limit
    )
    found = records.get_records(table, caller.tenant, (Entity(CONTACT, one) for one in ids))
    return Page(items=[contact_view(c) for c in found], next=cursors.CHILDREN.encode(more))


@operation("DELETE", "/v1/customers/{customer}", "manage", status=204)
def delete_customer(
    customer: PathId,
    caller: Calling,
    archive: Archive = "keep",
    source_version: SourceVersionQuery = None,
    if_match: IfMatch = None,
) -> Response[JobView | StaleView | None]:
    """Delete a customer: its contacts leave it, no new filings.

    Its archive stays readable, or is taken apart by a job."""
    entity = Entity(CUSTOMER, customer)
    return record_writes.delete_record(caller, entity, archive, source_version, if_match)


def _view(customer: Record) -> CustomerView:
    return CustomerView(
        id=customer.entity.entity_id,
        name=customer.label,
        addresses=list(customer.addresses),
        **record_writes.written(customer),
    )
