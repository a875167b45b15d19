"""From the API to a receiver and back: every type of event is sent as the description says, and
taken by the receiver of docs/events.md with the secret that was shown."""

import time
from typing import Any

import jsonschema
import pytest
from infra.local.certificates import Certificates
from tests.support.docs_receiver import receiver as of_the_docs
from tests.support.fitting import described
from tests.support.hooks import Worker, network_to
from tests.support.http_events import Client
from tests.support.mailboxes import TENANT
from tests.support.receiver import OK, Receiver, status
from tests.support.told import hold_to_schema

from ablage.accounts import AccountState
from ablage.change import change
from ablage.events import TYPES
from ablage.filings import file_by_hand, unfile
from ablage.messages import CLAIMED_OWN, AddressDecision, Copy, Entity, Facts, Message
from ablage.settings import settings
from ablage.store import jobs, keys
from ablage.store.accounts import state_item, write_state
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from ablage.webhooks import TEST

acme = Client(TENANT)
HOOKS = "/v1/webhooks"
COPY = Copy("anna", "0" * 16, 1, 7, "2026-11-20T10:00:00Z", "bb" * 32, "aa" * 32)
QUOTE = Entity("quote", "q1")


@pytest.fixture
def worker(
    aws: Storage, receiver: Receiver, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Worker:
    """A minute later than we are: what happens now is old enough to be told."""
    monkeypatch.setenv("MAIL_LOCAL_HOSTS", receiver.authority)
    settings.cache_clear()
    made = Worker(aws, network_to(receiver, certificates.ca_file))
    made.clock.at = time.time() + 60
    return made


def made(receiver: Receiver) -> tuple[str, str]:
    """(id, secret)."""
    answer = acme("POST", HOOKS, {"url": receiver.url})
    assert answer.status == 201, answer.text
    return answer.json["id"], answer.json["secret"]


def everything_happens(aws: Storage) -> None:
    held = AddressDecision("x@y.de", "from", *CLAIMED_OWN)
    mail = Message(
        TENANT, "m" * 26, COPY.received_at, Facts(), "aa" * 32, copies=(COPY,), decisions=(held,)
    )
    change(aws, TENANT, mail.message_id, lambda _: mail)
    change(aws, TENANT, mail.message_id, file_by_hand(QUOTE, "anna", COPY.received_at))
    change(aws, TENANT, mail.message_id, unfile(QUOTE, "eva"))
    aws.table.put(keys.account_state(TENANT, "anna"), state_item(AccountState(status="ok")))
    broken = AccountState(status="degraded", code="host_unreachable")
    write_state(aws.table, TENANT, "anna", broken, AccountState(status="ok"))
    jobs.create(aws.table, Job(TENANT, "j1", "check", "anna"), 1000)
    jobs.fail(aws.table, TENANT, "j1", "login_refused", "d")


def schema_of(event_type: str) -> dict[str, Any]:
    post = described()["webhooks"][event_type]["post"]
    schema: dict[str, Any] = post["requestBody"]["content"]["application/json"]["schema"]
    return schema | {"components": described()["components"]}


def deliveries(webhook: str, **query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = acme("GET", f"{HOOKS}/{webhook}/deliveries", query=query).json[
        "items"
    ]
    return items


def test_each_type_is_sent_as_described_and_taken_by_the_receiver_of_the_docs(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    webhook, secret = made(receiver)
    everything_happens(aws)
    acme("POST", f"{HOOKS}/{webhook}/test")

    worker.tell(TENANT, webhook)

    assert {request.told["type"] for request in receiver.requests} == {*TYPES, TEST}
    for request in receiver.requests:
        found = {name.lower(): value for name, value in request.headers.items()}
        event = of_the_docs()(found, request.body, secret)
        assert event == request.told["data"]
        hold_to_schema(event)
        jsonschema.validate(request.told, schema_of(event["type"]))
    (unfiled,) = [r.told["data"] for r in receiver.requests if r.told["type"] == "EmailUnfiled"]
    assert unfiled["by"] == "eva"
    shown = {each["event"]["id"]: each["status"] for each in deliveries(webhook)}
    assert shown == dict.fromkeys(receiver.ids, "delivered")
    assert acme("GET", f"{HOOKS}/{webhook}").json["last_success_at"]


def test_what_was_refused_is_seen_and_sent_again_with_its_id_and_a_new_secret(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    webhook, former = made(receiver)
    jobs.create(aws.table, Job(TENANT, "j1", "check", "anna"), 1000)
    jobs.finish(aws.table, TENANT, "j1", {})
    receiver.answers = [status(404)]
    for _ in range(5):
        worker.tell(TENANT, webhook)
        worker.clock.at += 3600
    (failed,) = deliveries(webhook, status="failed")
    wrong = acme("GET", f"{HOOKS}/{webhook}").json

    receiver.answers = [OK]
    secret = acme("POST", f"{HOOKS}/{webhook}/secret").json["secret"]
    worker.clock.at = time.time() + 60
    acme("POST", f"{HOOKS}/{webhook}/replay", {"deliveries": [failed["id"]]})
    worker.tell(TENANT, webhook)

    assert (failed["attempts"], failed["http_status"], failed["code"]) == (5, 404, "refused")
    assert (wrong["status_code"], wrong["last_failure"]["http_status"]) == ("refused", 404)
    assert len(set(receiver.ids)) == 1
    assert len(receiver.ids) == 6
    last = receiver.requests[-1]
    found = {name.lower(): value for name, value in last.headers.items()}
    for each in (secret, former):
        assert of_the_docs()(found, last.body, each) == failed["event"]
    assert [each["status"] for each in deliveries(webhook)] == ["delivered"]
    assert acme("GET", f"{HOOKS}/{webhook}").json["status_code"] is None
