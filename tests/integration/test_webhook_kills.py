"""Killed before or after any AWS call, a hook misses nothing: what it heard twice has one id."""

import pytest
from tests.support.aws_calls import aws_calls, killed_at
from tests.support.hooks import (
    START,
    Worker,
    add_hook,
    deliveries,
    happened,
    hook_of,
)
from tests.support.receiver import OK, Receiver, status

from ablage.store import due, feed, webhooks
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from ablage.webhooks import DELIVERED, FAILED, Delivery, trial

EVENTS = 3


def prepared(where: Storage, receiver: Receiver, name: str) -> tuple[TenantId, list[str]]:
    """A test that was asked for, and events that wait."""
    tenant = TenantId(name)
    add_hook(where, tenant, receiver.url)
    ids = [happened(where, tenant, f"job{n}", seconds_ago=60 - n) for n in range(EVENTS)]
    test = Delivery(trial("t1", feed.moment((START - 90) * 1000)))
    webhooks.ask(where.table, tenant, "h1", [test], START)
    return tenant, ["t1", *ids]


def woken_by_dispatch(worker: Worker, tenant: TenantId) -> None:
    """Until nothing is due: no wake of deliver's comes to help."""
    for _ in range(10):
        waiting = dict(due.waiting_webhooks(worker.where.table, int(worker.clock.at), 500))
        if tenant in waiting:
            worker.tell(tenant)
        elif (due_at := hook_of(worker.where, tenant).due_at) == 0:
            return
        else:
            worker.clock.at = due_at
    raise AssertionError(hook_of(worker.where, tenant))


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
def test_a_kill_at_any_call_loses_nothing(
    aws: Storage, worker: Worker, receiver: Receiver, moment: str
) -> None:
    counted, _ = prepared(aws, receiver, "counted")
    with aws_calls() as calls:
        worker.tell(counted)
    assert len(calls) > 10

    for number in range(len(calls)):
        tenant, ids = prepared(aws, receiver, f"t{number}")
        receiver.requests, worker.clock.at = [], START
        with killed_at(number, moment):
            worker.tell(tenant)
        woken_by_dispatch(worker, tenant)

        assert list(dict.fromkeys(receiver.ids)) == ids, number
        assert len(receiver.ids) <= len(ids) + 1
        assert [d.status for d in deliveries(aws, tenant)] == [DELIVERED] * len(ids)
        assert worker.clock.at <= START + webhooks.LEASE_SECONDS


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
def test_a_kill_while_it_fails_skips_nothing_and_gives_up_what_is_refused(
    aws: Storage, worker: Worker, receiver: Receiver, moment: str
) -> None:
    receiver.answers = [status(500)]
    counted, _ = prepared(aws, receiver, "counted")
    with aws_calls() as calls:
        worker.tell(counted)

    for number in range(len(calls)):
        receiver.answers = [status(500), status(500), OK]
        tenant, ids = prepared(aws, receiver, f"t{number}")
        receiver.requests, worker.clock.at = [], START
        with killed_at(number, moment):
            worker.tell(tenant)
        woken_by_dispatch(worker, tenant)

        told = [each for each in receiver.ids if each != "t1"]
        assert list(dict.fromkeys(told)) == ids[1:], number
        found = {d.event["id"]: d.status for d in deliveries(aws, tenant)}
        assert found.pop("t1") in (DELIVERED, FAILED)
        assert set(found.values()) == {DELIVERED}
