"""What a policy may name."""

import pytest

from ablage.errors import InvalidInput
from ablage.policy import Policy, normalised


def test_domains_and_addresses_become_keys_each_once():
    policy = normalised(
        Policy(own_domains=("@Firma.DE", "firma.de."), internal_addresses=("Team@Firma.DE",))
    )

    assert policy.own_domains == ("firma.de",)
    assert policy.internal_addresses == ("team@firma.de",)


@pytest.mark.parametrize(
    ("policy", "code", "pointer"),
    [
        (Policy(own_domains=("firma.de", "gmail.com")), "free_mail_domain", "/own_domains/1"),
        (Policy(own_domains=("googlemail.com",)), "free_mail_domain", "/own_domains/0"),
        (Policy(own_domains=("co.uk",)), "public_suffix", "/own_domains/0"),
        (Policy(own_domains=("a b",)), "invalid_domain", "/own_domains/0"),
        (Policy(internal_addresses=("team",)), "invalid_address", "/internal_addresses/0"),
    ],
)
def test_what_is_nobodys_own_is_refused_by_element(policy, code, pointer):
    with pytest.raises(InvalidInput) as refused:
        normalised(policy)

    assert (refused.value.code, refused.value.pointer) == (code, pointer)
