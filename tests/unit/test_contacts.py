"""What a contact or customer keeps of what was sent."""

import pytest

from ablage.errors import InvalidInput
from ablage.messages import Entity
from ablage.records import CUSTOMER, new_contact, new_record
from ablage.tenancy import TenantId

ACME = TenantId("acme")


def test_of_two_spellings_of_one_address_the_first_stays():
    contact = new_contact(ACME, "c", "", ["Max@X.de", "max@x.DE", "b@x.de"], [])

    assert contact.addresses == ("Max@X.de", "b@x.de")
    assert contact.keys == ("max@x.de", "b@x.de")


def test_addresses_with_different_tags_are_two():
    customer = new_record(ACME, Entity(CUSTOMER, "k"), "", ["info@x.de", "info+a@x.de"])

    assert customer.keys == ("info@x.de", "info+a@x.de")


def test_a_customer_is_named_once():
    assert new_contact(ACME, "c", "", [], ["K1", "K2", "K1"]).parents_of(CUSTOMER) == ("K1", "K2")


@pytest.mark.parametrize(
    ("addresses", "customers", "code", "pointer"),
    [
        (["a@x.de", "x"], [], "invalid_address", "/addresses/1"),
        ([f"a{n}@x.de" for n in range(51)], [], "too_many_addresses", "/addresses"),
        ([], ["K1", "K 2"], "invalid_entity", "/customers/1"),
        ([], [f"K{n}" for n in range(51)], "too_many_customers", "/customers"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_field(addresses, customers, code, pointer):
    with pytest.raises(InvalidInput) as refused:
        new_contact(ACME, "c", "", addresses, customers)

    assert (refused.value.code, refused.value.pointer) == (code, pointer)
