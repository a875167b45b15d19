"""Who a token speaks for: claims as API Gateway hands them over, clients as the operator wrote."""

from dataclasses import replace
from typing import Any

import pytest

from ablage.settings import Settings
from ablage.tenancy import TenantId
from api.clients import CLIENTS_KEPT, SECONDS, KnownClients
from api.problems import Refused
from api.tenant import Caller, caller_of

SETTINGS = Settings(table_name="t", raw_bucket="r", archive_bucket="a")
CLIENTS = {"erp-1": TenantId("acme")}


def caller(settings: Settings = SETTINGS, **claims: Any) -> Caller:
    event = {"requestContext": {"authorizer": {"jwt": {"claims": claims}}}}
    return caller_of(event, settings, CLIENTS.get)


def refused(**claims: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        caller(**claims)
    return error.value.status, error.value.code


def test_a_tenant_claim_says_it() -> None:
    assert caller(tenant="acme", sub="anna").tenant == "acme"


@pytest.mark.parametrize("name", ["client_id", "azp"])
def test_without_the_claim_the_client_says_it(name: str) -> None:
    assert caller(**{name: "erp-1"}, sub="erp-1").tenant == "acme"


def test_a_claim_stands_against_the_client() -> None:
    assert caller(tenant="other", client_id="erp-1").tenant == "other"


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "anna"},
        {"client_id": "unknown"},
        {"client_id": ""},
        {"tenant": "", "client_id": "erp-1"},
        {"tenant": "ACME!", "client_id": "erp-1"},
        {"tenant": "[acme other]", "client_id": "erp-1"},
    ],
)
def test_neither_or_a_broken_claim_is_no_tenant(claims: dict[str, str]) -> None:
    assert refused(**claims) == (403, "no_tenant")


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "read file"}, {"read", "file"}),
        ({"scope": "[read file]"}, {"read", "file"}),
        ({"scp": "[read mailboxes:all]"}, {"read", "mailboxes:all"}),
        ({"scp": ["read"]}, {"read"}),
        ({"scope": "", "scp": "read"}, {"read"}),
        ({}, set()),
    ],
)
def test_scopes_come_as_text_or_as_a_list_in_brackets(claims: Any, scopes: set[str]) -> None:
    assert caller(tenant="acme", **claims).scopes == scopes


def test_scopes_without_the_prefix_are_somebody_else_s() -> None:
    prefixed = replace(SETTINGS, scope_prefix="ablage/")

    found = caller(prefixed, tenant="acme", scope="ablage/read file ablage/mailboxes:all")

    assert found.scopes == {"read", "mailboxes:all"}


def test_long_subjects_are_never_taken_for_each_other() -> None:
    first, second = (caller(tenant="acme", sub="x" * 128 + end).subject for end in "ab")

    assert first != second
    assert len(first) <= 128
    assert "x" * 128 not in (first, second)


# ---- the memory of a warm function ---------------------------------------------------------------


class Table:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at = 0.0

    def read(self, client_id: str) -> TenantId | None:
        self.asked.append(client_id)
        return CLIENTS.get(client_id)


def test_a_client_is_asked_for_once_a_minute_known_or_not() -> None:
    table = Table()
    known = KnownClients(table.read, now=lambda: table.at)

    found = [known.tenant(name) for name in ("erp-1", "nobody") * 3]
    assert found == ["acme", None] * 3
    assert table.asked == ["erp-1", "nobody"]

    table.at += SECONDS
    known.tenant("erp-1")
    assert table.asked == ["erp-1", "nobody", "erp-1"]


def test_clients_remembered_are_bounded() -> None:
    table = Table()
    known = KnownClients(table.read, now=lambda: table.at)

    for number in range(3 * CLIENTS_KEPT):
        known.tenant(str(number))

    assert len(known._known) <= CLIENTS_KEPT
