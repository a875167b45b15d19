"""Contacts and customers: who mail is filed at. Ids are those of the tenant's own system."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ablage import limits
from ablage.addresses import normalise
from ablage.errors import InvalidInput
from ablage.tenancy import TenantId, entity_id


@dataclass(frozen=True)
class Customer:
    """`addresses` as typed, `keys` their exact keys in the same order, none twice."""

    tenant: TenantId
    customer_id: str
    name: str
    addresses: tuple[str, ...]
    keys: tuple[str, ...]
    version: int = 0


@dataclass(frozen=True)
class Contact:
    """As Customer; `customers` are ids, which need not exist yet: a CRM sends them in any order.

    `archived`: what is filed stays, nothing new is filed."""

    tenant: TenantId
    contact_id: str
    name: str
    addresses: tuple[str, ...]
    keys: tuple[str, ...]
    customers: tuple[str, ...] = ()
    version: int = 0
    archived: bool = False

    @property
    def active_keys(self) -> tuple[str, ...]:
        """The keys mail is filed by."""
        return () if self.archived else self.keys


def new_contact(
    tenant: TenantId,
    contact_id: str,
    name: str,
    addresses: Sequence[str],
    customers: Sequence[str],
    *,
    archived: bool = False,
) -> Contact:
    """Raises InvalidInput `invalid_address`, `too_many_addresses`, `invalid_entity`,
    `too_many_customers`, with the pointer of the field."""
    typed, keys = _keyed(addresses)
    of = _customer_ids(customers)
    return Contact(tenant, contact_id, name, typed, keys, of, archived=archived)


def joined(contact: Contact, other: Contact) -> Contact:
    """`contact` with the addresses and customers of `other`, which is merged into it.

    Raises InvalidInput `too_many_addresses`, `too_many_customers`."""
    texts = (*other.addresses, *contact.addresses)
    spelled = dict(zip((*other.keys, *contact.keys), texts, strict=True))
    typed = {key: spelled[key] for key in (*contact.keys, *other.keys)}
    if len(typed) > limits.ADDRESSES_PER_CONTACT:
        detail = f"Together they have over {limits.ADDRESSES_PER_CONTACT} addresses."
        raise InvalidInput("too_many_addresses", detail, "/into")
    customers = tuple(dict.fromkeys((*contact.customers, *other.customers)))
    if len(customers) > limits.CUSTOMERS_PER_CONTACT:
        detail = f"Together they have over {limits.CUSTOMERS_PER_CONTACT} customers."
        raise InvalidInput("too_many_customers", detail, "/into")
    return replace(contact, addresses=tuple(typed.values()), keys=tuple(typed), customers=customers)


def new_customer(
    tenant: TenantId, customer_id: str, name: str, addresses: Sequence[str]
) -> Customer:
    """Raises InvalidInput `invalid_address`, `too_many_addresses`."""
    return Customer(tenant, customer_id, name, *_keyed(addresses))


def _keyed(addresses: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of two spellings of one address the first stays."""
    if len(addresses) > limits.ADDRESSES_PER_CONTACT:
        detail = f"At most {limits.ADDRESSES_PER_CONTACT} addresses are kept."
        raise InvalidInput("too_many_addresses", detail, "/addresses")
    typed: dict[str, str] = {}
    for number, text in enumerate(addresses):
        address = normalise(text)
        if address is None:
            detail = "This is not an e-mail address. Send it bare, as name@example.com."
            raise InvalidInput("invalid_address", detail, f"/addresses/{number}")
        typed.setdefault(address.exact, address.text)
    return tuple(typed.values()), tuple(typed)


def _customer_ids(customers: Sequence[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(customers))
    if len(unique) > limits.CUSTOMERS_PER_CONTACT:
        detail = f"A contact belongs to at most {limits.CUSTOMERS_PER_CONTACT} customers."
        raise InvalidInput("too_many_customers", detail, "/customers")
    for number, customer in enumerate(customers):
        try:
            entity_id(customer)
        except InvalidInput as error:
            raise InvalidInput(error.code, error.detail, f"/customers/{number}") from error
    return unique
