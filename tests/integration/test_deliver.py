"""Events on the bus: as in the feed, at least once, with stable ids."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from infra.local.stack import LocalStack
from tests.support.feed import whole_feed
from tests.support.told import hold_to_schema

from ablage.accounts import AccountState
from ablage.change import change
from ablage.events import Told
from ablage.filings import file_by_hand
from ablage.messages import Entity, Facts, Message
from ablage.store import keys
from ablage.store.accounts import state_item, write_state
from ablage.store.aws import client
from ablage.store.bus import Bus
from ablage.store.storage import storage
from ablage.tenancy import TenantId

ACME, OTHER = TenantId("acme"), TenantId("acme2")
ID = "m" * 26


@pytest.fixture
def stack() -> Iterator[LocalStack]:
    with LocalStack() as started:
        yield started


def listen(stack: LocalStack) -> list[dict[str, Any]]:
    """What the bus is sent from now on (moto's rules need a package more)."""
    told: list[dict[str, Any]] = []
    bus = stack.resources.ref("EventBus")

    def note(parsed: dict[str, Any], context: Any, **_: Any) -> None:
        assert parsed["FailedEntryCount"] == 0

    def send(params: dict[str, Any], **_: Any) -> None:
        assert {entry["EventBusName"] for entry in params["Entries"]} == {bus}
        sent = [entry | {"Detail": json.loads(entry["Detail"])} for entry in params["Entries"]]
        for entry in sent:
            hold_to_schema({name: v for name, v in entry["Detail"].items() if name != "tenant"})
        told.extend(sent)

    client("events").meta.events.register("after-call.events.PutEvents", note)
    client("events").meta.events.register("provide-client-params.events.PutEvents", send)
    return told


def filed(tenant: TenantId, *entities: str) -> None:
    def intent(message: Message | None) -> Message | None:
        if message is None:
            return Message(tenant, ID, "2026-11-20T10:00:00Z", Facts(subject="secret"), "aa" * 32)
        for entity in entities:
            by_hand = file_by_hand(Entity("quote", entity), "anna", "2026-11-20T10:00:00Z")
            message = by_hand(message) or message
        return message

    for _ in range(2):
        change(storage(), tenant, ID, intent)


def test_the_bus_hears_what_the_feed_tells_with_the_same_ids(stack: LocalStack) -> None:
    told = listen(stack)
    for tenant in (ACME, OTHER):
        filed(tenant, "q1", "q2")
    state = AccountState(status="ok")
    storage().table.put(keys.account_state(ACME, "anna"), state_item(state))
    write_state(storage().table, ACME, "anna", AccountState(status="degraded"), state)

    stack.drain()

    for tenant in (ACME, OTHER):
        ids = [each["Detail"]["id"] for each in told if each["Detail"]["tenant"] == tenant]
        assert sorted(ids) == sorted(e.event_id for e in whole_feed(storage(), tenant))
    assert {each["Source"] for each in told} == {"ablage"}
    assert [each["DetailType"] == each["Detail"]["type"] for each in told] == [True] * 5
    (status,) = [e["Detail"] for e in told if e["DetailType"] == "AccountStatusChanged"]
    assert (status["account"], status["status"], status["previous"]) == ("anna", "degraded", "ok")
    assert "secret" not in json.dumps(told)


def test_nothing_comes_twice_while_nothing_fails(stack: LocalStack) -> None:
    told = listen(stack)
    filed(ACME, "q1")

    stack.drain()
    stack.drain()

    assert len(told) == 1


class Refusing:
    """An EventBridge that refuses the entries of `bad`, `times` times each."""

    def __init__(self, bad: set[int], times: int) -> None:
        self.bad = dict.fromkeys(bad, times)
        self.taken: list[str] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's
        assert len(Entries) <= 10
        return {"Entries": [self._answer(json.loads(each["Detail"])["id"]) for each in Entries]}

    def _answer(self, name: str) -> dict[str, str]:
        if self.bad.get(int(name), 0) > 0:
            self.bad[int(name)] -= 1
            return {"ErrorCode": "ThrottlingException"}
        self.taken.append(name)
        return {"EventId": name}


EVENTS = [Told(str(number), "JobFinished", "2026-11-26T10:00:00.000Z") for number in range(25)]


def test_entries_that_the_bus_refused_are_sent_again_alone() -> None:
    bus = Refusing({3, 12}, times=2)

    assert Bus(bus, "bus").put(ACME, EVENTS)
    assert sorted(map(int, bus.taken)) == list(range(25))


def test_what_it_keeps_refusing_is_left_to_the_stream() -> None:
    bus = Refusing({12}, times=99)

    assert not Bus(bus, "bus").put(ACME, EVENTS)
    assert "12" not in bus.taken
