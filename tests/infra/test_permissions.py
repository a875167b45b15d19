"""Each function is allowed what it really calls: moto itself asks no role.

A walk through the whole house with the real handlers. `tests.support.role_guard` holds every call
of it to the role in the template, as it does in all other tests; here none may be left out.
"""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from infra.local.stack import LocalStack
from tests.support.hooks import add_hook, happened, receiving
from tests.support.receiver import OK, Receiver, status
from tests.support.role_guard import Call, guard
from tests.support.roles import DATA_ROLE, functions, role_of

from ablage.store import webhooks
from ablage.store.feed import moment
from ablage.store.storage import storage
from ablage.tenancy import TenantId
from ablage.webhooks import Delivery, trial

USER = "anna@own.example"
MAIL = (
    b"From: Bert <bert@customer.example>\r\nTo: anna@own.example\r\nSubject: Offer\r\n"
    b"Message-ID: <offer@customer.example>\r\nContent-Disposition: attachment; filename=a.txt\r\n"
    b"\r\nHi\r\n"
)


class Walk:
    """One tenant's day: connect, sync, match, file by hand, unfile, disconnect."""

    def __init__(self, stack: LocalStack, receiver: Receiver) -> None:
        self.stack = stack
        self.receiver = receiver
        self.token = stack.token("acme")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.stack.base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def go(self) -> str:
        """The id of the one filed message."""
        self.stack.imap.add_user(USER, "password")
        self.call("PUT", "/v1/customers/k1", {"name": "Customer"})
        contact = {"name": "Bert", "addresses": ["bert@customer.example"], "customers": ["k1"]}
        self.call("PUT", "/v1/contacts/c1", contact)
        self.call("POST", "/v1/blocklist", {"entry": "spam.example"})
        self.call("POST", "/v1/accounts", self.account())
        self.stack.drain()
        self.stack.imap.append(USER, "INBOX", MAIL)
        self.call("POST", "/v1/accounts/anna/check")
        self.stack.tick(datetime.now(UTC))
        self.stack.drain(delays=True)
        self.sync("INBOX")
        (entry,) = self.call("GET", "/v1/archives/customer/k1")["items"]
        self.by_hand(entry["message"])
        self.stack.drain(delays=True)
        self.export()
        self.post()
        self.look_back()
        self.import_contacts()
        self.hear()
        self.call("DELETE", "/v1/accounts/anna")
        return str(entry["message"])

    def read_as_a_person(self, message: str) -> None:
        """Who does not see every mailbox has rights to be read for."""
        wide, self.token = self.token, self.stack.token("acme", ("read", "file"))
        self.call("GET", "/v1/archives/customer/k1?subject=offer")
        self.call("GET", f"/v1/messages/{message}")
        counted = [{"entity_type": "customer", "entity_id": "k1"}]
        self.call("POST", "/v1/archives/counts", {"items": counted})
        self.call("GET", "/v1/review")
        link = self.call("GET", f"/v1/messages/{message}/raw")["url"]
        with urllib.request.urlopen(link, timeout=30) as answer:
            assert answer.read() == MAIL
        self.token = wide

    def export(self) -> None:
        asked = {"entity_type": "customer", "entity_id": "k1"}
        job = self.call("POST", "/v1/exports", asked)
        self.stack.drain()
        url = self.call("GET", f"/v1/jobs/{job['id']}")["result_url"]
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.read(4) == b"PK\x03\x04"

    def post(self) -> None:
        """A mail of the tenant's own system: announced, uploaded, matched, found."""
        mail = MAIL.replace(b"<offer@", b"<posted@")
        asked = {"external_id": "erp-1", "size": len(mail), "provider_message_id": "0102"}
        upload = self.call("POST", "/v1/messages", asked)["upload"]
        put = urllib.request.Request(
            upload["url"], data=mail, method="PUT", headers=upload["headers"]
        )
        with urllib.request.urlopen(put, timeout=30) as answer:
            assert answer.status == 200
        self.stack.drain()
        assert self.call("GET", "/v1/messages?external_id=erp-1")["items"]
        assert self.call("GET", "/v1/messages?message_id=0102")["items"]

    def look_back(self) -> None:
        """Previews, a batch that only dispatch finds, its undoing, a merge, an archive deleted."""
        self.call("POST", "/v1/previews", {"kind": "filing_on", "account": "anna"})
        self.call("POST", "/v1/previews", {"kind": "blocklist_entry", "entry": "spam.example"})
        address = {"contact": "c1", "address": "bert@customer.example"}
        self.call("POST", "/v1/previews", {"kind": "contact_address"} | address)
        asked = {"kind": "reevaluate", "since": "2020-01-01T00:00:00Z"}
        job = self.call("POST", "/v1/batches", asked)
        self.stack.tick(datetime.now(UTC) + timedelta(minutes=1))
        self.stack.drain()
        assert self.call("GET", f"/v1/jobs/{job['id']}")["state"] == "done"
        self.call("POST", f"/v1/batches/{job['id']}/undo")
        self.call("PUT", "/v1/contacts/c2", {"name": "Bert, too"})
        self.call("POST", "/v1/contacts/c1/merge", {"into": "c2"})
        self.stack.drain()
        self.call("DELETE", "/v1/contacts/c2?archive=delete")
        self.stack.drain()

    def import_contacts(self) -> None:
        """Uploaded and fetched by signed links; a snapshot that deletes what it does not name."""
        self.call("POST", "/v1/contacts/batch", {"items": [{"id": "c3"}, {"id": "c4"}]})
        lines = b'{"id": "c4", "addresses": ["b@customer.example"]}\n'
        asked = {"type": "contacts", "mode": "snapshot", "size": len(lines), "confirm": True}
        made = self.call("POST", "/v1/imports", asked)
        upload = made["upload"]
        request = urllib.request.Request(
            upload["url"], method=upload["method"], data=lines, headers=upload["headers"]
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        self.call("POST", f"/v1/imports/{made['id']}/start")
        self.stack.drain()
        done = self.call("GET", f"/v1/jobs/{made['id']}")
        assert (done["state"], done["result"]["deleted"]) == ("done", 1)
        with urllib.request.urlopen(done["result_url"], timeout=30) as answer:
            assert len(answer.read().splitlines()) == done["total"]

    def hear(self) -> None:
        """A hook that an event of a minute ago waits for, refused once and taken then."""
        self.receiver.tls = self.stack.certificates.server_context()
        hook = add_hook(storage(), TenantId("acme"), self.receiver.url)
        test = Delivery(trial("t1", moment(0)))
        webhooks.ask(storage().table, hook.tenant, hook.webhook_id, [test], 0)
        event_id = happened(storage(), hook.tenant, "job1", now=datetime.now(UTC).timestamp())
        self.stack.tick(datetime.now(UTC) + timedelta(minutes=2))
        self.stack.drain(delays=True)
        webhooks.change(storage().table, hook.tenant, hook.config, 0)
        self.stack.tick(datetime.now(UTC) + timedelta(minutes=3))
        self.stack.drain(delays=True)
        assert self.receiver.ids[:3] == ["t1", event_id, event_id]

    def account(self) -> dict[str, Any]:
        return {
            "id": "anna",
            "address": USER,
            "host": "localhost",
            "port": self.stack.imap.port,
            "username": USER,
            "password": "password",
            "automatic_filing": {"enabled": True},
        }

    def sync(self, name: str) -> None:
        folders = self.call("GET", "/v1/accounts/anna/folders")["items"]
        wanted = [folder["id"] for folder in folders if folder["name"] == name]
        job = self.call("POST", "/v1/accounts/anna/sync", {"folders": wanted})
        self.stack.drain()
        assert self.call("GET", f"/v1/jobs/{job['id']}")["state"] == "done"

    def by_hand(self, message: str) -> None:
        self.call("PUT", f"/v1/messages/{message}/filings/quote/q1")
        self.call("DELETE", f"/v1/messages/{message}/filings/contact/c1")
        self.call("PUT", f"/v1/messages/{message}/private")
        self.call("DELETE", f"/v1/messages/{message}/private")
        self.call("GET", "/v1/changes")
        self.call("GET", "/v1/trace?message_id=offer@customer.example")
        one = {"message": message, "entity_type": "quote", "entity_id": "q2", "action": "file"}
        self.call("POST", "/v1/filings/batch", {"items": [one, one | {"entity_id": "q3"}]})
        self.read_as_a_person(message)
        self.call("POST", "/v1/explain", {"message": MAIL.decode(), "account": "anna"})
        assert self.call("GET", f"/v1/messages/{message}")["attachments"]
        part = self.call("GET", f"/v1/messages/{message}/attachments/1")["url"]
        with urllib.request.urlopen(part, timeout=30) as answer:
            assert answer.headers["Content-Disposition"].startswith("attachment;")
            assert answer.read() == b"Hi\r\n"
        link = self.call("GET", f"/v1/messages/{message}/raw")["url"]
        with urllib.request.urlopen(link, timeout=30) as answer:
            assert answer.read() == MAIL


@pytest.fixture(scope="module")
def walked() -> list[Call]:
    receiver = Receiver(None, OK, status(500), OK)
    with (
        guard.listening() as calls,
        receiving(receiver),
        LocalStack(local_hosts=[receiver.authority]) as stack,
    ):
        Walk(stack, receiver).go()
    return calls


def test_the_walk_went_through_every_function_as_each_role(walked: list[Call]) -> None:
    assert {call.function for call in walked} == set(functions().values())
    assert {call.role for call in walked} == {*map(role_of, functions().values()), DATA_ROLE}


def test_every_call_is_allowed(walked: list[Call]) -> None:
    assert [str(call) for call in walked if call.refused] == []


def test_one_session_serves_a_tenant_s_every_request(walked: list[Call]) -> None:
    assumed = [call.parameters for call in walked if call.operation == "sts:AssumeRole"]

    assert [request["Tags"] for request in assumed] == [[{"Key": "tenant", "Value": "acme"}]]
    assert {call.tenant for call in walked if call.role == DATA_ROLE} == {"acme"}


def test_only_who_opens_secrets_reads_their_items(walked: list[Call]) -> None:
    reads = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
    readers = {
        call.function
        for call in walked
        if call.operation in reads and "#SECRET#" in json.dumps(call.parameters, default=str)
    }

    assert readers == {"SyncFunction", "WebhookFunction"}
