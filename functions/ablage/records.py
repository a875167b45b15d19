"""Records of the tenant's own system, whatever mail is filed at: under its ids, with a label and a
link for screens, addresses that lead to it, and parents its mail is filed at too.

Contacts and customers are named cases: a contact's customers are its parents of that type.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ablage import limits
from ablage.addresses import normalise
from ablage.errors import InvalidInput
from ablage.messages import Entity
from ablage.tenancy import TenantId, entity_id, entity_type

CONTACT, CUSTOMER = "contact", "customer"
CUSTOMERS_POINTER = "/customers"  # of a contact's body
ItemsOf = Literal["contacts", "customers", "records"]
# A link people click: no other scheme, nothing that ends an attribute, no name before the host.
_URL = re.compile(
    r"https?://[^\s\x00-\x20\x7f\"<>\\/?#@]+(?:[/?#][^\s\x00-\x20\x7f\"<>\\]*)?", re.I
)


@dataclass(frozen=True)
class Record:
    """`addresses` as typed, `keys` their exact keys in the same order, none twice. `parents` need
    not exist yet: a CRM sends things in any order. `source` as `ablage.source_versions` keeps it.

    `archived`: what is filed stays, its addresses file nothing new."""

    tenant: TenantId
    entity: Entity
    label: str = ""
    addresses: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    parents: tuple[Entity, ...] = ()
    url: str = ""
    archived: bool = False
    source: str | None = None
    version: int = 0

    @property
    def active_keys(self) -> tuple[str, ...]:
        """The keys mail is filed by."""
        return () if self.archived else self.keys

    def parents_of(self, kind: str) -> tuple[str, ...]:
        return tuple(parent.entity_id for parent in self.parents if parent.kind == kind)


def new_record(
    tenant: TenantId,
    entity: Entity,
    label: str = "",
    addresses: Sequence[str] = (),
    parents: Sequence[Entity] = (),
    *,
    url: str = "",
    archived: bool = False,
    source: str | None = None,
    parents_pointer: str = "/parents",
) -> Record:
    """Raises InvalidInput `invalid_address`, `too_many_addresses`, `invalid_entity`,
    `too_many_parents`, `its_own_parent`, `invalid_url`, with the pointer of the field."""
    typed, keys = _keyed(addresses)
    of = _parents(entity, parents, parents_pointer)
    _check_url(url)
    return Record(tenant, entity, label, typed, keys, of, url, archived, source)


def new_contact(
    tenant: TenantId,
    contact_id: str,
    name: str = "",
    addresses: Sequence[str] = (),
    customers: Iterable[str] = (),
    *,
    url: str = "",
    archived: bool = False,
    source: str | None = None,
) -> Record:
    """As `new_record`; pointers lead to `/customers`."""
    return new_record(
        tenant,
        Entity(CONTACT, contact_id),
        name,
        addresses,
        [Entity(CUSTOMER, customer) for customer in customers],
        url=url,
        archived=archived,
        source=source,
        parents_pointer=CUSTOMERS_POINTER,
    )


def joined(record: Record, other: Record) -> Record:
    """`record` with the addresses and parents of `other`, which is merged into it.

    Raises InvalidInput `too_many_addresses`, `too_many_customers`."""
    texts = (*other.addresses, *record.addresses)
    spelled = dict(zip((*other.keys, *record.keys), texts, strict=True))
    typed = {key: spelled[key] for key in (*record.keys, *other.keys)}
    if len(typed) > limits.ADDRESSES_PER_CONTACT:
        detail = f"Together they have over {limits.ADDRESSES_PER_CONTACT} addresses."
        raise InvalidInput("too_many_addresses", detail, "/into")
    both = dict.fromkeys((*record.parents, *other.parents))
    parents = tuple(parent for parent in both if parent != record.entity)
    if len(parents) > limits.PARENTS_PER_RECORD:
        detail = f"Together they have over {limits.PARENTS_PER_RECORD} customers."
        raise InvalidInput("too_many_customers", detail, "/into")
    return replace(record, addresses=tuple(typed.values()), keys=tuple(typed), parents=parents)


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


def _parents(entity: Entity, parents: Sequence[Entity], pointer: str) -> tuple[Entity, ...]:
    unique = tuple(dict.fromkeys(parents))
    if len(unique) > limits.PARENTS_PER_RECORD:
        detail = f"A record has at most {limits.PARENTS_PER_RECORD} parents."
        if pointer == CUSTOMERS_POINTER:
            raise InvalidInput("too_many_customers", detail, pointer)
        raise InvalidInput("too_many_parents", detail, pointer)
    for number, parent in enumerate(parents):
        try:
            entity_type(parent.kind)
            entity_id(parent.entity_id)
        except InvalidInput as error:
            raise InvalidInput(error.code, error.detail, f"{pointer}/{number}") from error
        if parent == entity:
            detail = "A record is not its own parent; leave it out."
            raise InvalidInput("its_own_parent", detail, f"{pointer}/{number}")
    return unique


def _check_url(url: str) -> None:
    if url and (not _URL.fullmatch(url) or len(url) > limits.URL_CHARACTERS):
        detail = "Send a whole link, https://... or http://..., percent-encoded, without a login."
        raise InvalidInput("invalid_url", detail, "/url")
