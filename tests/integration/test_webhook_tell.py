"""A hook is told what happened: each event, in order, signed, until it takes it."""

import time
from dataclasses import replace

import pytest
from standardwebhooks import Webhook as Oracle
from tests.support.hooks import (
    SECRET,
    START,
    Clock,
    Worker,
    add_hook,
    deliveries,
    happened,
    hook_of,
    sealed,
)
from tests.support.mailboxes import OTHER, TENANT
from tests.support.receiver import OK, Receiver, status

from ablage.store import due, feed, keys, webhook_deliveries, webhooks
from ablage.store.storage import Storage
from ablage.webhook_wire import secret_text
from ablage.webhooks import (
    DELIVERED,
    DISABLED,
    FAILED,
    FAILING_SECONDS,
    PAUSED,
    PENDING,
    REFUSALS,
    Delivery,
    Failure,
    status_of,
    trial,
)

Told = tuple[Worker, Receiver]


def test_what_happened_is_told_in_order_and_once(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=100 - n) for n in range(60)]
    happened(aws, OTHER, "job1")

    worker.tell(TENANT)
    worker.tell(TENANT)

    assert receiver.ids == ids
    assert [each.event["id"] for each in deliveries(aws, TENANT)] == ids
    assert {(d.status, d.attempts, d.http_status) for d in deliveries(aws, TENANT)} == {
        (DELIVERED, 1, 204)
    }
    hook = hook_of(aws, TENANT)
    assert (hook.progress.last_success_at, hook.progress.behind, hook.due_at) == (START, "", 0)


def test_a_slice_keeps_its_connection(aws: Storage, worker: Worker, receiver: Receiver) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(9)]
    gone = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    receiver.answers = [OK, OK, status(200, body=b"x" * 3000), gone, OK]

    worker.tell(TENANT)

    assert (receiver.ids, receiver.connections) == (ids, 2)


def test_a_kept_connection_that_was_closed_meanwhile_is_made_anew(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(3)]
    receiver.answers = [lambda told: told.say(OK), OK]

    worker.tell(TENANT)

    assert (receiver.ids, receiver.connections) == (ids, 2)
    assert hook_of(aws, TENANT).progress.last_failure is None


def test_a_request_is_as_the_standard_has_it(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    worker.clock.at = now = time.time()
    add_hook(aws, TENANT, receiver.url)
    event_id = happened(aws, TENANT, "job1", now=now)

    worker.tell(TENANT)

    (request,) = receiver.requests
    assert request.line == "POST /hooks?of=ablage HTTP/1.1"
    assert request.headers["Host"] == receiver.authority
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == "Ablage-Webhooks"
    assert Oracle(SECRET).verify(request.body, request.headers) == request.told
    assert request.told["data"]["id"] == event_id == request.event_id
    assert request.told["type"] == request.told["data"]["type"] == "JobFinished"


def test_for_a_day_the_old_secret_signs_too(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    hook, fresh = add_hook(aws, TENANT, receiver.url), secret_text(b"n" * 32)
    changed = sealed(TENANT, "h1", fresh)
    webhooks.new_secret(aws.table, TENANT, hook.config, changed, START)
    signatures = []

    for later in (0, 86_399, 86_500):
        worker.clock.at = START + later
        happened(aws, TENANT, f"job{later}", now=worker.clock.at)
        worker.tell(TENANT)
        signatures.append(receiver.requests[-1].headers["webhook-signature"].split())

    assert [len(each) for each in signatures] == [2, 2, 1]


def test_events_of_other_types_are_passed(aws: Storage, worker: Worker, receiver: Receiver) -> None:
    add_hook(aws, TENANT, receiver.url, types=("EmailFiled",))
    add_hook(aws, TENANT, receiver.url, "h2", types=("JobFinished",))
    happened(aws, TENANT, "job1")

    worker.tell(TENANT)
    assert receiver.ids == []
    worker.tell(TENANT, "h2")

    assert len(receiver.ids) == 1
    assert deliveries(aws, TENANT, "h1") == []


def test_a_row_that_is_too_young_waits_and_is_not_forgotten(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    event_id = happened(aws, TENANT, "job1", seconds_ago=3)

    worker.tell(TENANT)
    assert receiver.ids == []
    due_at = hook_of(aws, TENANT).due_at
    worker.clock.at = due_at
    worker.tell(TENANT)

    assert due_at == START + 8
    assert receiver.ids == [event_id]
    assert hook_of(aws, TENANT).due_at == 0


def test_a_new_hook_looks_again_after_deliver_has_heard_of_it(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    hook = add_hook(aws, TENANT, receiver.url)
    worker.clock.at = START - 3600 + 5
    webhooks.ask(aws.table, TENANT, "h1", [a_test()], int(worker.clock.at))

    worker.tell(TENANT)

    assert hook_of(aws, TENANT).due_at == hook.due_at == START - 3600 + webhooks.FIRST_LOOK


def test_an_outage_holds_the_hook_and_what_waits_keeps_its_order(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(3)]
    receiver.answers = [OK, status(503), status(500), OK]

    worker.tell(TENANT)
    held = hook_of(aws, TENANT)
    worker.clock.at += 4
    assert worker.tell(TENANT) == {"hooks_waiting": 1}
    assert receiver.ids == ids[:2]
    worker.clock.at += 1
    worker.tell(TENANT)
    again = hook_of(aws, TENANT)
    worker.clock.at += 30
    worker.tell(TENANT)

    assert receiver.ids == [ids[0], ids[1], ids[1], ids[1], ids[2]]
    assert (held.due_at, again.due_at) == (START + 5, START + 5 + 30)
    assert held.progress.behind == feed.moment((START - 59) * 1000)
    assert held.progress.last_failure == Failure(START, "server_error", 503)
    assert [(d.status, d.attempts) for d in deliveries(aws, TENANT)] == [
        (DELIVERED, 1),
        (DELIVERED, 3),
        (DELIVERED, 1),
    ]
    ended = hook_of(aws, TENANT)
    assert (ended.due_at, ended.progress.failing_since, ended.progress.attempts) == (0, 0, 0)


@pytest.mark.parametrize(("stated", "wait"), [("90", 90), ("99999999", 4 * 3600), ("x", 5)])
def test_retry_after_is_honoured_within_bounds(
    aws: Storage, worker: Worker, receiver: Receiver, stated: str, wait: int
) -> None:
    add_hook(aws, TENANT, receiver.url)
    happened(aws, TENANT, "job1")
    receiver.answers = [status(429, f"Retry-After: {stated}")]

    worker.tell(TENANT)

    hook = hook_of(aws, TENANT)
    assert hook.due_at == hook.progress.next_at == START + wait
    assert hook.progress.last_failure == Failure(START, "throttled", 429)


def test_a_refused_event_is_tried_five_times_and_the_next_one_told(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(2)]
    receiver.answers = [*[status(400)] * REFUSALS, OK]

    for tries in range(1, REFUSALS + 1):
        assert (deliveries(aws, TENANT) or [Delivery({})])[0].status == PENDING
        worker.tell(TENANT)
        assert deliveries(aws, TENANT)[0].attempts == tries
        worker.clock.at = hook_of(aws, TENANT).due_at or worker.clock.at

    assert receiver.ids == [ids[0]] * REFUSALS + [ids[1]]
    assert [(d.status, d.code) for d in deliveries(aws, TENANT)] == [
        (FAILED, "refused"),
        (DELIVERED, ""),
    ]
    assert worker.clock.at - START == 5 + 30 + 120 + 600


def test_gone_disables_at_once_and_enabled_it_goes_on(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    hook = add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(2)]
    receiver.answers = [status(410), OK]

    worker.tell(TENANT)
    off = hook_of(aws, TENANT)
    worker.clock.at += 86_400
    worker.tell(TENANT)
    assert receiver.ids == ids[:1]
    webhooks.change(aws.table, TENANT, hook.config, int(worker.clock.at))
    worker.tell(TENANT)

    assert status_of(off.config, off.progress) == DISABLED
    assert (off.progress.disabled, off.progress.disabled_since, off.due_at) == ("gone", START, 0)
    assert receiver.ids == [ids[0], *ids]


def test_three_days_without_a_success_disable_and_the_place_is_kept(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    hook = add_hook(aws, TENANT, receiver.url)
    event_id = happened(aws, TENANT, "job1")
    receiver.answers = [status(500)]

    while (due_at := hook_of(aws, TENANT).due_at) and len(receiver.ids) < 99:
        worker.clock.at = max(due_at, worker.clock.at)
        worker.tell(TENANT)

    off = hook_of(aws, TENANT)
    assert (off.progress.disabled, len(receiver.ids)) == ("failing", 26)
    assert off.progress.disabled_since - START >= FAILING_SECONDS
    receiver.answers = [OK]
    webhooks.change(aws.table, TENANT, hook.config, int(worker.clock.at))
    worker.tell(TENANT)
    assert set(receiver.ids) == {event_id}
    assert deliveries(aws, TENANT)[0].status == DELIVERED


def test_a_hook_that_slept_longer_than_the_feed_goes_back_begins_with_its_oldest(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    happened(aws, TENANT, "old")
    worker.clock.at += feed.KEPT.total_seconds() + 3600
    event_id = happened(aws, TENANT, "new", now=worker.clock.at)

    worker.tell(TENANT)

    assert receiver.ids == [event_id]


@pytest.mark.parametrize("state", [PAUSED, DISABLED])
def test_who_is_off_is_told_nothing_but_a_test(
    aws: Storage, worker: Worker, receiver: Receiver, state: str
) -> None:
    hook = add_hook(aws, TENANT, receiver.url)
    off = replace(hook.config, status=PAUSED)
    if state == PAUSED:
        webhooks.change(aws.table, TENANT, off, START)
    else:
        receiver.answers = [status(410), OK]
    event_id = happened(aws, TENANT, "job1")
    worker.tell(TENANT)
    told_before = len(receiver.ids)

    webhooks.ask(aws.table, TENANT, "h1", [a_test(), *deliveries(aws, TENANT)], START)
    worker.tell(TENANT)

    assert receiver.ids[told_before:] == ["t1"]
    assert status_of(*(hook_of(aws, TENANT).config, hook_of(aws, TENANT).progress)) == state
    assert hook_of(aws, TENANT).due_at == 0
    assert event_id not in receiver.ids[told_before:]


def a_test(name: str = "t1", ago: int = 0) -> Delivery:
    return Delivery(trial(name, feed.moment((START - ago) * 1000)))


def test_a_test_is_tried_once_at_once_and_nothing_follows_from_it(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    happened(aws, TENANT, "job1")
    receiver.answers = [status(500), status(503), OK]
    worker.tell(TENANT)
    before = hook_of(aws, TENANT).progress

    webhooks.ask(aws.table, TENANT, "h1", [a_test("t1")], START + 1)
    worker.clock.at += 1
    worker.tell(TENANT)
    webhooks.ask(aws.table, TENANT, "h1", [a_test("t2")], START + 1)
    worker.tell(TENANT)

    found = {d.event["id"]: d for d in deliveries(aws, TENANT) if d.is_test}
    assert [(found[t].status, found[t].http_status) for t in ("t1", "t2")] == [
        (FAILED, 503),
        (DELIVERED, 204),
    ]
    assert receiver.ids[1:] == ["t1", "t2"]
    after = hook_of(aws, TENANT)
    assert (after.progress, after.due_at) == (before, before.next_at)


def test_deliveries_are_told_again_when_asked_for_with_the_same_ids(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(3)]
    receiver.answers = [status(404)]
    for _ in range(3 * REFUSALS):
        worker.tell(TENANT)
        worker.clock.at = hook_of(aws, TENANT).due_at or worker.clock.at
    failed = deliveries(aws, TENANT)
    assert [d.status for d in failed] == [FAILED] * 3
    receiver.answers, receiver.requests = [OK, status(503), OK], []

    webhooks.ask(aws.table, TENANT, "h1", [failed[0], failed[2]], int(worker.clock.at))
    worker.tell(TENANT)
    assert [d.status for d in deliveries(aws, TENANT)] == [DELIVERED, FAILED, PENDING]
    worker.clock.at = hook_of(aws, TENANT).due_at
    worker.tell(TENANT)

    assert receiver.ids == [ids[0], ids[2], ids[2]]
    assert [d.status for d in deliveries(aws, TENANT)] == [DELIVERED, FAILED, DELIVERED]


def test_who_asks_need_not_wait_for_the_next_try_but_a_failed_one_ends_it(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(3)]
    receiver.answers = [OK, OK, status(503), status(503), OK]
    worker.tell(TENANT)
    assert hook_of(aws, TENANT).progress.next_at > START

    webhooks.ask(aws.table, TENANT, "h1", deliveries(aws, TENANT)[:2], START)
    worker.tell(TENANT)

    assert receiver.ids == [*ids, ids[0]]
    assert [d.status for d in deliveries(aws, TENANT)] == [PENDING] * 3
    worker.clock.at = hook_of(aws, TENANT).due_at
    worker.tell(TENANT)
    assert receiver.ids == [*ids, ids[0], *ids]


def test_what_is_asked_for_and_refused_is_given_up_too(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    event_id = happened(aws, TENANT, "job1")
    worker.tell(TENANT)
    receiver.answers = [status(422)]
    webhooks.ask(aws.table, TENANT, "h1", deliveries(aws, TENANT), START)

    while (due_at := hook_of(aws, TENANT).due_at) and len(receiver.ids) < 20:
        worker.clock.at = max(due_at, worker.clock.at)
        worker.tell(TENANT)

    assert receiver.ids == [event_id] * (1 + REFUSALS)
    assert deliveries(aws, TENANT)[0].status == FAILED
    assert webhook_deliveries.asked(aws.table, TENANT, "h1") == []


def test_from_a_moment_on_everything_is_told_again(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(4)]
    worker.tell(TENANT)

    since = feed.moment((START - 58) * 1000)
    webhooks.replay_since(aws.table, TENANT, "h1", since, START)
    worker.tell(TENANT)

    assert receiver.ids == [*ids, *ids[2:]]


def test_what_is_asked_for_while_a_slice_runs_is_done_by_it(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(2)]

    def asking(told: object) -> None:
        webhooks.ask(aws.table, TENANT, "h1", [a_test()], START)
        told.say(status(200, "Connection: close"))  # type: ignore[attr-defined]

    receiver.answers = [asking, OK]

    counts = worker.tell(TENANT)

    assert counts["slices_overtaken"] == 1
    assert receiver.ids == [ids[0], "t1", *ids]  # at least once
    assert hook_of(aws, TENANT).due_at == 0


def test_time_that_is_up_leaves_the_rest_due_at_once(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    ids = [happened(aws, TENANT, f"job{n}", seconds_ago=60 - n) for n in range(3)]
    ticking = iter([0.0] * 6)
    worker.clock = Clock()
    worker.clock.clock = lambda: next(ticking, 1e6)  # type: ignore[method-assign]

    worker.tell(TENANT)

    hook = hook_of(aws, TENANT)
    assert (len(receiver.ids) < 3, hook.due_at) == (True, START)
    assert hook.progress.behind
    worker.clock = Clock()
    worker.tell(TENANT)
    assert list(dict.fromkeys(receiver.ids)) == ids


def test_a_slice_that_only_passes_events_ends_in_time_too_and_keeps_its_place(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url, types=("EmailFiled",))
    happened(aws, TENANT, "job1")
    ticking = iter([0.0] * 6)  # looks, the last before the first page is read
    worker.clock.clock = lambda: next(ticking, 1e6)  # type: ignore[method-assign]

    worker.tell(TENANT)

    hook = hook_of(aws, TENANT)
    assert hook.due_at == START
    assert hook.progress.position > feed.moment((START - 61) * 1000)


def test_a_held_hook_is_left_alone(aws: Storage, worker: Worker, receiver: Receiver) -> None:
    hook = add_hook(aws, TENANT, receiver.url)
    happened(aws, TENANT, "job1")
    webhooks.claim(aws.table, hook, START)

    assert worker.tell(TENANT) == {"hooks_held": 1}
    assert receiver.ids == []


def test_a_wake_of_no_hook_is_nothing(aws: Storage, worker: Worker, receiver: Receiver) -> None:
    add_hook(aws, OTHER, receiver.url)

    assert worker.tell(TENANT) == {"hooks_gone": 1}


def test_a_hook_deleted_while_it_is_told_does_not_come_back(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    add_hook(aws, TENANT, receiver.url)
    happened(aws, TENANT, "job1")

    def deleting(told: object) -> None:
        webhooks.delete(aws.table, TENANT, "h1")
        told.say(OK)  # type: ignore[attr-defined]

    receiver.answers = [deleting]
    worker.tell(TENANT)

    assert list(aws.table.query_all(keys.webhooks(TENANT))) == []


def test_a_secret_that_does_not_open_is_an_outage(
    aws: Storage, worker: Worker, receiver: Receiver
) -> None:
    """A blob of another tenant's hook: KMS refuses its context."""
    add_hook(aws, TENANT, receiver.url)
    happened(aws, TENANT, "job1")
    aws.table.put(keys.webhook_secret(TENANT, "h1"), sealed(OTHER, "h1"))

    worker.tell(TENANT)

    assert receiver.connections == 0
    hook = hook_of(aws, TENANT)
    assert hook.progress.last_failure == Failure(START, "secret_missing")
    assert due.waiting_webhooks(aws.table, START + 5, 9) == [(TENANT, "h1")]
