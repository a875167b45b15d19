"""Connecting mailboxes: all of it or nothing, own addresses as the config says."""

import dataclasses

import pytest
from tests.support.events import context, sqs_event
from tests.support.interleaving import Killed, Scheduler

from ablage.accounts import Account
from ablage.errors import Conflict
from ablage.messages import Entity
from ablage.records import new_contact, new_record
from ablage.store import address_index, connections, keys, record_writes
from ablage.store.aws import client
from ablage.store.repairs import repair_rows
from ablage.tenancy import TenantId
from match.handler import lambda_handler as match

ACME, OTHER = TenantId("acme"), TenantId("other")
SEALED = {"kind": "password", "sealed": b"x"}
ADDRESSES = ["anna@firma.de", "team@firma.de", "@firma.eu"]


def account(tenant=ACME, aliases=()):
    return Account(
        tenant, "anna", "anna@firma.de", "anna@firma.de", "imap.firma.de", 993, "anna", 0,
        aliases=aliases,
    )  # fmt: skip


def connect(aws, tenant=ACME, aliases=()):
    wanted = account(tenant, aliases)
    return connections.connect(aws, lambda _: wanted, (tenant, "anna"), SEALED)


def alias(aws, *aliases):
    def edit(standing):
        return dataclasses.replace(standing, aliases=aliases)

    return connections.change_account(aws, ACME, "anna", edit, None)


def own(aws, tenant=ACME):
    owners = address_index.read(aws.table, tenant, ADDRESSES, consistent=True)
    return {address for address, found in owners.items() if "anna" in found.own}


def there(aws, tenant=ACME):
    """Which of config, state and secret exist."""
    spelled = (keys.account(tenant, "anna"), keys.account_state(tenant, "anna"))
    found = [aws.table.get(key) is not None for key in (*spelled, keys.secret(tenant, "anna"))]
    return set(found)


def test_equal_ids_of_two_tenants_are_apart(aws):
    connect(aws, aliases=("team@firma.de",))
    connect(aws, OTHER)

    connections.disconnect(aws, OTHER, "anna", "job-1", 1_000)

    assert own(aws) == {"anna@firma.de", "team@firma.de"}
    assert own(aws, OTHER) == {"anna@firma.de"}
    assert there(aws) == {True}


@pytest.mark.parametrize(
    ("standing", "act"),
    [
        (False, lambda aws: connect(aws, aliases=("team@firma.de",))),
        (True, lambda aws: alias(aws, "@firma.eu")),
        (True, lambda aws: connections.disconnect(aws, ACME, "anna", "job-1", 1_000)),
    ],
    ids=["connect", "change", "disconnect"],
)
@pytest.mark.parametrize("calls", range(24))
def test_killed_at_any_call_nothing_is_half_connected(aws, standing, act, calls):
    if standing:
        connect(aws, aliases=("team@firma.de",))
    writer = Scheduler(client("dynamodb"), client("sqs")).start(lambda: act(aws))
    for _ in range(calls):
        if not writer.ended:
            writer.step()
    if not writer.ended:
        writer.step(kill=True)

    repair_rows(aws, ACME, {"account": "anna"})

    config = aws.table.get(keys.account(ACME, "anna"))
    state = aws.table.get(keys.account_state(ACME, "anna")) or {}
    secret = aws.table.get(keys.secret(ACME, "anna"))
    alive = config is not None and not config["deleted"]
    assert ("due" in state) == (secret is not None) == alive
    assert own(aws) == ({config["own"], *config["aliases"]} if config else set())
    assert config is None or "pending" not in config


def test_the_kills_above_reach_the_last_call(aws):
    scheduler = Scheduler(client("dynamodb"), client("sqs"))
    writer = scheduler.start(lambda: connect(aws, aliases=("team@firma.de",)))

    while not writer.ended:
        writer.step()

    assert 16 < scheduler.calls <= 24


def killed_after_the_truth(work):
    """Dies before anything is projected."""
    writes = []

    def die(model, **_):
        writes.append(model.name in ("PutItem", "TransactWriteItems"))
        if any(writes[:-1]):
            raise Killed

    events = client("dynamodb").meta.events
    events.register("before-call.dynamodb", die)
    with pytest.raises(Killed):
        work()
    events.unregister("before-call.dynamodb", die)


@pytest.mark.parametrize("kind", ["account", "contact", "customer"])
def test_match_finishes_what_a_killed_call_left(aws, kind):
    act, key, repair = {
        "account": (
            lambda: connect(aws),
            keys.account(ACME, "anna"),
            {"account": "anna"},
        ),
        "contact": (
            lambda: record_writes.save_record(
                aws, new_contact(ACME, "c-1", "", ["anna@firma.de"], []), lambda _: None
            ),
            keys.record(ACME, "contact", "c-1"),
            {"record": "contact#c-1"},
        ),
        "customer": (
            lambda: record_writes.save_record(
                aws,
                new_record(ACME, Entity("customer", "K1"), "", ["anna@firma.de"]),
                lambda _: None,
            ),
            keys.record(ACME, "customer", "K1"),
            {"record": "customer#K1"},
        ),
    }[kind]
    killed_after_the_truth(act)
    assert aws.table.get(key)["pending"]
    assert address_index.read(aws.table, ACME, ["anna@firma.de"]) == {}

    answer = match(sqs_event({"repair": {"tenant": "acme"} | repair}), context())

    assert answer == {"batchItemFailures": []}
    assert "pending" not in aws.table.get(key)
    owners = address_index.read(aws.table, ACME, ["anna@firma.de"])["anna@firma.de"]
    assert {*owners.records, *owners.own} == set(repair.values())


def test_of_two_who_connect_different_mailboxes_under_one_id_one_is_told(aws):
    connect(aws)

    with pytest.raises(Conflict) as refused:
        connect(aws, aliases=("team@firma.de",))

    assert refused.value.code == "account_exists"
    assert own(aws) == {"anna@firma.de"}
