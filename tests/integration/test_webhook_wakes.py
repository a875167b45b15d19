"""Who wakes a hook: deliver, once what happened can be seen; dispatch, for what is left."""

import json
import os
from datetime import UTC, datetime
from typing import Any

import pytest
from infra.local.stack import LocalStack
from tests.support.aws import received_bodies
from tests.support.hooks import START, add_hook, deliveries, happened
from tests.support.mailboxes import OTHER, TENANT
from tests.support.receiver import Receiver

from ablage.observability import Summary
from ablage.store import webhooks
from ablage.store.queues import Queues
from ablage.store.storage import Storage, storage
from ablage.store.webhooks import FIRST_LOOK
from ablage.webhooks import DELIVERED
from deliver.wakes import KNOWN_SECONDS, WAKES_APART, Wakes
from sync.dispatch import dispatch
from webhook.handler import lambda_handler as webhook


class Sent(Queues):
    """Remembers what was sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def webhooks(self, messages: Any) -> None:
        self.messages += messages


def waking(where: Storage) -> tuple[Wakes, Sent, list[float]]:
    clock, sent = [float(START)], Sent()
    return Wakes(where.table, sent, lambda: clock[0]), sent, clock


def test_every_hook_of_the_tenant_is_woken_and_no_other_s(aws: Storage) -> None:
    add_hook(aws, TENANT, "https://kunde.de/")
    add_hook(aws, TENANT, "https://kunde.de/", "h2")
    add_hook(aws, OTHER, "https://kunde.de/", "h3")
    wakes, sent, _ = waking(aws)

    assert wakes.wake([TENANT, TENANT]) == 2

    found = [(each.tenant, each.body["webhook"]) for each in sent.messages]
    assert found == [(TENANT, "h1"), (TENANT, "h2")]


@pytest.mark.parametrize("tenths", range(0, 100, 7))
def test_a_wake_comes_when_readers_see_the_row_and_rows_of_a_span_share_it(
    aws: Storage, tenths: int
) -> None:
    add_hook(aws, TENANT, "https://kunde.de/")
    wakes, sent, clock = waking(aws)
    wakings: list[int] = []

    for step in range(30):
        clock[0] = START + (tenths + step * 13) / 10
        if wakes.wake([TENANT]):
            wakings.append(int(clock[0]) + sent.messages[-1].delay)
        assert clock[0] + 11 <= wakings[-1] <= clock[0] + 12 + WAKES_APART

    assert len(wakings) == len(set(wakings)) <= 30 * 1.3 / WAKES_APART + 2


def test_a_hook_made_meanwhile_is_known_before_its_own_first_look(aws: Storage) -> None:
    wakes, _, clock = waking(aws)
    wakes.wake([TENANT])
    add_hook(aws, TENANT, "https://kunde.de/")

    clock[0] += KNOWN_SECONDS - 1
    assert wakes.wake([TENANT]) == 0
    clock[0] += 1
    assert wakes.wake([TENANT]) == 1
    assert FIRST_LOOK >= KNOWN_SECONDS + 12


def test_dispatch_wakes_what_is_due(aws: Storage) -> None:
    hook = add_hook(aws, TENANT, "https://kunde.de/")
    add_hook(aws, OTHER, "https://kunde.de/", "later")
    later = webhooks.get(aws.table, OTHER, "later")
    held, lease = webhooks.claim(aws.table, later, START) or pytest.fail("free")
    webhooks.release(aws.table, held, lease, START + 61)

    dispatch(aws, datetime.fromtimestamp(START, UTC), Summary(), threads=1)

    assert hook.due_at <= START
    (body,) = received_bodies(os.environ["WEBHOOK_QUEUE_URL"])
    assert json.loads(body) == {"tenant": TENANT, "webhook": "h1"}


def test_a_message_that_is_none_of_ours_comes_again_and_others_are_done(aws: Storage) -> None:
    good = {"messageId": "1", "body": json.dumps({"tenant": TENANT, "webhook": "gone"})}
    bad = [{"messageId": "2", "body": "[]"}, {"messageId": "3", "body": "{"}]

    answer = webhook({"Records": [good, *bad]}, None)  # type: ignore[arg-type]  unused

    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "3"}]}


def test_what_happens_reaches_a_receiver_through_the_whole_stack() -> None:
    receiver = Receiver()
    with LocalStack(local_hosts=[receiver.authority]) as stack:
        receiver.tls = stack.certificates.server_context()
        add_hook(storage(), TENANT, receiver.url)
        add_hook(storage(), OTHER, receiver.url, "h2")
        ids = [happened(storage(), TENANT, f"job{n}", now=datetime.now(UTC).timestamp())
               for n in range(3)]  # fmt: skip

        stack.drain(delays=True)

        assert sorted(receiver.ids) == sorted(ids)
        assert {each.status for each in deliveries(storage(), TENANT)} == {DELIVERED}
    receiver.stop()
