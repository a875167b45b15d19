"""What a step would do is told before, exactly as it then does, and nothing is written."""

import pytest
from tests.support.aws_calls import aws_calls
from tests.support.http_events import Client
from tests.support.stored_mail import arrive, work_off
from tests.support.tenants import connect_account, index_contact

from ablage.tenancy import TenantId

ACME = TenantId("acme")
acme, other = Client("acme"), Client("other")
WRITES = ("Put", "Update", "Delete", "Transact", "Send", "Copy")


def preview(client=acme, **body):
    with aws_calls() as calls:
        answer = client("POST", "/v1/previews", body)
    assert answer.status == 200, answer.text
    assert not [call for call in calls if call.partition(":")[2].startswith(WRITES)]
    return answer.json


def at(entities):
    return {f"{e['entity_type']}#{e['entity_id']}": e["messages"] for e in entities}


@pytest.fixture
def mailbox(aws):
    """Filing is off. One mail of Max, one to him and Eva, one of a stranger."""
    connect_account(aws, ACME, "anna", "anna@own.de", filing=False)
    index_contact(aws, ACME, "max@kunde.de", "c1", ["k1"])
    index_contact(aws, ACME, "eva@kunde.de", "c2", ["k1"])
    arrive(aws, 1, '"boss@x.de, Max" <max@kunde.de>', "anna@own.de")
    arrive(aws, 2, "anna@own.de", "Eva <eva@kunde.de>, max@kunde.de", sent=True)
    arrive(aws, 3, "who@knows.de", "anna@own.de")
    return aws


def test_switching_filing_on_tells_which_mails_would_go_where(mailbox):
    told = preview(kind="filing_on", account="anna", days=365)

    assert (told["messages"], told["looked_at"], told["more"]) == (2, 3, False)
    assert at(told["contacts"]) == {"contact#c1": 2, "contact#c2": 1}
    assert (told["contacts_count"], told["customers_count"]) == (2, 1)
    assert told["warnings"] == []
    acme("PATCH", "/v1/accounts/anna", {"automatic_filing": {"enabled": True}})
    acme("POST", "/v1/batches", {"kind": "backfill_account", "account": "anna", "days": 365})
    work_off()
    assert len(acme("GET", "/v1/archives/contact/c1").json["items"]) == 2


def test_switching_filing_on_warns_of_contacts_with_the_mailboxs_own_address(mailbox):
    index_contact(mailbox, ACME, "anna@own.de", "c9", [])

    told = preview(kind="filing_on", account="anna", days=365)

    (warning,) = told["warnings"]
    assert (warning["entity_id"], warning["messages"]) == ("c9", 3)
    assert at(told["contacts"]) == {"contact#c1": 2, "contact#c2": 1}


def test_a_blocklist_entry_tells_what_a_purge_would_take(aws):
    connect_account(aws, ACME, "anna", "anna@own.de", filing=True)
    index_contact(aws, ACME, "max@sub.kunde.de", "c1", ["k1"])
    arrive(aws, 1, "max@sub.kunde.de", "anna@own.de")

    told = preview(kind="blocklist_entry", entry="kunde.de")

    assert (told["messages"], at(told["contacts"])) == (1, {"contact#c1": 1})
    assert preview(kind="blocklist_entry", entry="notkunde.de")["messages"] == 0
    assert preview(other, kind="blocklist_entry", entry="kunde.de")["looked_at"] == 0


def test_an_address_tells_what_its_contact_would_get(aws):
    connect_account(aws, ACME, "anna", "anna@own.de", filing=True)
    arrive(aws, 1, "max@kunde.de", "anna@own.de")
    acme("PUT", "/v1/contacts/c1", {"customers": ["k1"]})

    told = preview(kind="contact_address", contact="c1", address="Max@Kunde.de")

    assert (told["messages"], at(told["contacts"])) == (1, {"contact#c1": 1})
    assert at(told["customers"]) == {"customer#k1": 1}
    acme("POST", "/v1/blocklist", {"entry": "kunde.de"})
    assert preview(kind="contact_address", contact="c1", address="max@kunde.de")["messages"] == 0


def test_a_preview_that_cannot_be_is_refused(aws):
    asked = [
        ({"kind": "filing_on"}, "missing_field"),
        ({"kind": "filing_on", "account": "nobody"}, "not_found"),
        ({"kind": "blocklist_entry", "entry": "de"}, "public_suffix"),
        ({"kind": "contact_address", "contact": "c1", "address": "no address"}, "invalid_address"),
        ({"kind": "other"}, "invalid_request"),
    ]

    codes = [acme("POST", "/v1/previews", body).code for body, _ in asked]

    assert codes == [code for _, code in asked]
