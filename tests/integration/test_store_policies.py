"""The policy item: defaults, versions, one writer at a time."""

import pytest

from ablage.errors import Conflict
from ablage.policy import Policy
from ablage.store import keys, policies
from ablage.tenancy import TenantId

ACME, OTHER = TenantId("acme"), TenantId("other")


def test_a_tenant_without_a_policy_has_the_defaults(aws):
    policies.put_policy(aws.table, OTHER, Policy(own_address="skip"), Policy())

    assert policies.get_policy(aws.table, ACME) == Policy()


def test_a_policy_comes_back_with_its_version(aws):
    wanted = Policy(own_address="ask", own_domains=("x.de",), acknowledged=("contact#c",))

    saved = policies.put_policy(aws.table, ACME, wanted, Policy())

    assert saved.version == 1
    assert policies.get_policy(aws.table, ACME) == saved


def test_fields_younger_than_the_item_have_their_defaults(aws):
    aws.table.put(keys.policy(ACME), {"own_address": "ask", "version": 4, "forgotten": True})

    assert policies.get_policy(aws.table, ACME) == Policy(own_address="ask", version=4)


@pytest.mark.parametrize("standing", [0, 1])
def test_of_two_writers_who_saw_the_same_the_second_is_told(aws, standing):
    seen = Policy()
    for _ in range(standing):
        seen = policies.put_policy(aws.table, ACME, Policy(backfill_days=7), seen)
    policies.put_policy(aws.table, ACME, Policy(own_address="ask"), seen)

    with pytest.raises(Conflict) as refused:
        policies.put_policy(aws.table, ACME, Policy(own_address="skip"), seen)

    assert refused.value.code == "version_conflict"
    assert policies.get_policy(aws.table, ACME).own_address == "ask"
