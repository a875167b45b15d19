"""Customers: companies mail is filed at, through their contacts or addresses of their own."""

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, Field

from ablage import limits
from ablage.contacts import Customer, new_customer
from ablage.errors import NotFound
from ablage.store import customers
from ablage.store.storage import storage
from api import cursors
from api.clock import now_epoch
from api.operations import operation
from api.routes.jobs import Archive, JobView, deleted, work_off
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


class CustomerBody(Body):
    name: Name = ""
    addresses: Texts = Field(
        default=[], description="Addresses of the company itself.", examples=[["info@kunde.de"]]
    )


class CustomerView(BaseModel):
    id: str
    name: str
    addresses: list[str]
    version: int
    backfill: str | None = Field(
        None, description="The job that files earlier mail of new addresses; it can be undone."
    )
    warnings: list[Warning_] = []


class CustomerDetail(CustomerView):
    contacts: list[str] = Field(description="Ids of its contacts; at most 100.")


@operation("GET", "/v1/customers", "read")
def list_customers(caller: Calling, limit: Limit = 25, cursor: Cursor = None) -> Page[CustomerView]:
    """Customers in the order of their ids."""
    after = cursors.CUSTOMERS.decode(cursor)
    found, more = customers.page_customers(
        storage().table, caller.tenant, after, limit, now_epoch()
    )
    return Page(items=[_view(c) for c in found], next=cursors.CUSTOMERS.encode(more))


@operation("PUT", "/v1/customers/{customer}", "manage")
def put_customer(
    customer: PathId, body: CustomerBody, caller: Calling, if_match: IfMatch = None
) -> Response[CustomerView]:
    """Create or replace a customer. Its contacts name it themselves.

    Earlier mail of a new address is filed by a batch, as far back as the policy says."""
    expected = expected_version(if_match)
    wanted = new_customer(caller.tenant, customer, body.name, body.addresses)
    saved = customers.save_customer(
        storage(),
        wanted,
        lambda standing: check_version(_version(standing), expected),
        caller.subject,
    )
    if saved.backfill:
        work_off(caller.tenant, saved.backfill)
    warnings = entity_warnings(
        storage().table, caller.tenant, "customer", customer, saved.customer.keys
    )
    more = {"warnings": warnings, "backfill": saved.backfill}
    view = _view(saved.customer).model_copy(update=more)
    return answer(view, status=201 if saved.created else 200, version=view.version)


@operation("GET", "/v1/customers/{customer}", "read")
def get_customer(customer: PathId, caller: Calling) -> Response[CustomerDetail]:
    """One customer with its contacts."""
    table = storage().table
    found = customers.get_customer(table, caller.tenant, customer)
    if found is None:
        raise NotFound("not_found", "There is no such customer.")
    members = customers.member_ids(table, caller.tenant, customer, limits.PAGE)
    view = CustomerDetail(**_view(found).model_dump(), contacts=list(members))
    return answer(view, version=found.version)


@operation("DELETE", "/v1/customers/{customer}", "manage", status=204)
def delete_customer(
    customer: PathId, caller: Calling, archive: Archive = "keep"
) -> Response[JobView | None]:
    """Delete a customer: its contacts leave it, no new filings.

    Its archive stays readable, or is taken apart by a job."""
    job_id = customers.delete_customer(
        storage(),
        caller.tenant,
        customer,
        now_epoch(),
        with_archive=archive == "delete",
        by=caller.subject,
    )
    return deleted(caller.tenant, job_id)


def _version(standing: Customer | None) -> int:
    return standing.version if standing else 0


def _view(customer: Customer) -> CustomerView:
    return CustomerView(
        id=customer.customer_id,
        name=customer.name,
        addresses=list(customer.addresses),
        version=customer.version,
    )
