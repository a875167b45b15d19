"""Webhooks in the table: two writers who cannot undo each other's work, and nobody else's hooks."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.mailboxes import OTHER, TENANT

from ablage.errors import Conflict, NotFound
from ablage.store import due, keys, webhook_deliveries, webhooks
from ablage.store.aws import client
from ablage.store.secrets import Secret, seal
from ablage.store.storage import Storage
from ablage.store.table import ConditionFailed
from ablage.store.webhooks import FIRST_LOOK, LEASE_SECONDS, SECRET_KIND, Hook, Lease, secret_owner
from ablage.tenancy import TenantId
from ablage.webhooks import Delivery, Failure, Progress, Webhook, trial

NOW = 1_795_514_400
HOOK = Webhook("h1", "https://kunde.de/", ("EmailFiled",), "ERP", created_at="2026-11-24T10:00:00Z")
BEGIN = "2026-11-24T10:00:00.000Z"


def sealed(tenant: TenantId, text: str = "whsec_") -> Any:
    key_id = next(k["KeyId"] for k in client("kms").list_keys()["Keys"])
    secret = Secret(SECRET_KIND, text)
    return seal(client("kms"), key_id, tenant, secret_owner(HOOK.webhook_id), secret)


def create(
    where: Storage, tenant: TenantId = TENANT, config: Webhook = HOOK, most: int = 9
) -> Hook:
    webhooks.create(where.table, tenant, config, sealed(tenant), position=BEGIN, now=NOW, most=most)
    return webhooks.get(where.table, tenant, config.webhook_id)


def claimed(where: Storage, hook: Hook, now: int = NOW) -> tuple[Hook, Lease]:
    found = webhooks.claim(where.table, hook, now)
    assert found
    return found


def delivery(number: int, **known: Any) -> Delivery:
    event = {"id": f"e{number}", "type": "EmailFiled", "at": f"2026-11-24T10:00:{number:02d}.000Z"}
    return Delivery(event, **known)


def test_a_hook_comes_back_as_it_was_made_and_only_to_its_tenant(aws: Storage) -> None:
    hook = create(aws)

    assert (hook.config, hook.progress) == (HOOK, Progress(BEGIN))
    assert hook.due_at == NOW + FIRST_LOOK
    with pytest.raises(NotFound) as missing:
        webhooks.get(aws.table, OTHER, "h1")
    assert missing.value.code == "webhook_not_found"
    assert webhooks.listed(aws.table, OTHER) == webhooks.ids(aws.table, OTHER) == []


def test_hooks_are_listed_oldest_first(aws: Storage) -> None:
    create(aws, config=replace(HOOK, webhook_id="a", created_at="2026-11-25T00:00:00Z"))
    create(aws)
    create(aws, OTHER)

    assert [hook.webhook_id for hook in webhooks.listed(aws.table, TENANT)] == ["h1", "a"]
    assert sorted(webhooks.ids(aws.table, TENANT)) == ["a", "h1"]


def test_a_tenant_has_as_many_as_it_may_and_a_deleted_one_makes_room(aws: Storage) -> None:
    create(aws, most=1)
    other = replace(HOOK, webhook_id="h2")

    with pytest.raises(Conflict) as full:
        create(aws, config=other, most=1)
    webhooks.delete(aws.table, TENANT, "h1")
    create(aws, config=other, most=1)

    assert full.value.code == "quota_exceeded"
    assert aws.table.get(keys.webhook_secret(TENANT, "h1")) is None


def test_a_change_is_of_the_version_that_was_read(aws: Storage) -> None:
    create(aws)

    changed = webhooks.change(aws.table, TENANT, replace(HOOK, description="new"), NOW)

    assert (changed.version, changed.description) == (2, "new")
    assert webhooks.get(aws.table, TENANT, "h1").config == changed
    with pytest.raises(ConditionFailed):
        webhooks.change(aws.table, TENANT, HOOK, NOW)
    with pytest.raises(ConditionFailed):
        webhooks.delete(aws.table, TENANT, "h1", 1)
    webhooks.delete(aws.table, TENANT, "h1", 2)
    with pytest.raises(ConditionFailed):
        webhooks.change(aws.table, TENANT, changed, NOW)
    assert list(aws.table.query_all(keys.webhooks(TENANT))) == []


def test_one_worker_at_a_time_and_the_next_after_its_lease(aws: Storage) -> None:
    hook, lease = claimed(aws, create(aws))

    assert webhooks.claim(aws.table, hook, NOW + LEASE_SECONDS - 1) is None
    assert claimed(aws, hook, NOW + LEASE_SECONDS)[1].fence == lease.fence + 1
    with pytest.raises(ConditionFailed):
        webhooks.save(aws.table, hook, lease)


def test_progress_comes_back_as_it_was_saved_and_config_stays(aws: Storage) -> None:
    hook, lease = claimed(aws, create(aws))
    failure = Failure(NOW, "timeout", 0)
    whole = Progress("p1", BEGIN, 3, 1, NOW - 9, NOW + 9, NOW - 99, failure, "failing", NOW)

    webhooks.save(aws.table, replace(hook, progress=whole), lease)
    as_saved = webhooks.get(aws.table, TENANT, "h1")
    webhooks.release(aws.table, replace(hook, progress=Progress("p2")), lease, 0)
    released = webhooks.get(aws.table, TENANT, "h1")

    assert (as_saved.progress, as_saved.config) == (whole, HOOK)
    assert (released.progress, released.due_at) == (Progress("p2"), 0)
    assert webhooks.claim(aws.table, hook, NOW + 1)


def test_a_killed_worker_s_hook_is_due_at_the_end_of_its_lease(aws: Storage) -> None:
    claimed(aws, create(aws))

    assert due.waiting_webhooks(aws.table, NOW + LEASE_SECONDS - 1, 9) == []
    assert due.waiting_webhooks(aws.table, NOW + LEASE_SECONDS, 9) == [(TENANT, "h1")]


def test_a_worker_cannot_take_back_what_was_asked_for_meanwhile(aws: Storage) -> None:
    hook, lease = claimed(aws, create(aws))
    ahead = replace(hook, progress=Progress("2026-11-24T11:00:00.000Z"))
    webhooks.save(aws.table, ahead, lease)

    webhooks.replay_since(aws.table, TENANT, "h1", BEGIN, NOW + 5)
    with pytest.raises(ConditionFailed):
        webhooks.save(aws.table, ahead, lease)
    with pytest.raises(ConditionFailed):
        webhooks.release(aws.table, ahead, lease, 0)
    webhooks.give_up(aws.table, ahead, lease)

    found = webhooks.get(aws.table, TENANT, "h1")
    assert (found.progress.position, found.due_at) == (BEGIN, NOW + 5)
    assert webhooks.claim(aws.table, found, NOW + 6)


def test_a_replay_leaves_nothing_out_that_still_waits(aws: Storage) -> None:
    create(aws)

    webhooks.replay_since(aws.table, TENANT, "h1", "2026-11-24T12:00:00.000Z", NOW)

    assert webhooks.get(aws.table, TENANT, "h1").progress.position == BEGIN


def test_nothing_is_asked_of_a_hook_that_is_not_there(aws: Storage) -> None:
    create(aws, OTHER)

    with pytest.raises(ConditionFailed):
        webhooks.replay_since(aws.table, TENANT, "h1", BEGIN, NOW)
    with pytest.raises(ConditionFailed):
        webhooks.ask(aws.table, TENANT, "h1", [delivery(1)], NOW)
    assert aws.table.get(keys.webhook_progress(TENANT, "h1")) is None


def test_a_disabled_hook_that_is_enabled_goes_on_from_its_place_at_once(aws: Storage) -> None:
    hook, lease = claimed(aws, create(aws))
    off = Progress("p1", BEGIN, 3, 1, NOW, NOW + 9, 0, Failure(NOW, "gone", 410), "gone", NOW)
    webhooks.release(aws.table, replace(hook, progress=off), lease, 0)

    webhooks.change(aws.table, TENANT, hook.config, NOW + 50)

    found = webhooks.get(aws.table, TENANT, "h1")
    assert found.progress == Progress("p1", BEGIN, last_failure=Failure(NOW, "gone", 410))
    assert found.due_at == NOW + 50


def test_what_is_asked_for_is_found_until_it_is_done(aws: Storage) -> None:
    create(aws)
    test = Delivery(trial("t1", "2026-11-24T10:00:30.000Z"))
    webhook_deliveries.put_delivery(
        aws.table, TENANT, "h1", delivery(1, status="failed", attempts=5)
    )

    webhooks.ask(aws.table, TENANT, "h1", [test, delivery(1)], NOW)
    webhook_deliveries.put_refusals(aws.table, TENANT, "h1", delivery(1), 2)

    found = webhook_deliveries.asked(aws.table, TENANT, "h1")
    assert found == [(delivery(1), 2), (test, 0)]
    assert webhook_deliveries.asked(aws.table, TENANT, "h1", tests_only=True) == [(test, 0)]
    assert webhooks.get(aws.table, TENANT, "h1").due_at == NOW
    for each, _ in found:
        webhook_deliveries.drop_asked(aws.table, TENANT, "h1", each)
    assert webhook_deliveries.asked(aws.table, TENANT, "h1") == []


def test_a_new_secret_replaces_the_old_one_which_stays_for_a_day(aws: Storage) -> None:
    create(aws)
    before = aws.table.get(keys.webhook_secret(TENANT, "h1"))

    changed = webhooks.new_secret(aws.table, TENANT, HOOK, sealed(TENANT, "new"), NOW)

    after = aws.table.get(keys.webhook_secret(TENANT, "h1"))
    assert before
    assert after
    assert (after["former"], after["former_until"]) == (before["sealed"], NOW + 86_400)
    assert after["sealed"] != before["sealed"]
    assert (changed.version, changed.secret_version) == (2, 2)


def test_deliveries_come_newest_first_in_pages(aws: Storage) -> None:
    for number in range(5):
        webhook_deliveries.put_delivery(
            aws.table, TENANT, "h1", delivery(number, attempts=number, ms=3)
        )
        webhook_deliveries.put_delivery(aws.table, OTHER, "h1", delivery(9))

    found, after = [], None
    while True:
        page, after = webhook_deliveries.deliveries_page(
            aws.table, TENANT, "h1", after=after, limit=2
        )
        found += page
        if after is None:
            break

    assert found == [delivery(number, attempts=number, ms=3) for number in (4, 3, 2, 1, 0)]


def test_deliveries_of_one_status_come_whole(aws: Storage) -> None:
    for number in range(10):
        status = "failed" if number % 3 == 0 else "delivered"
        webhook_deliveries.put_delivery(aws.table, TENANT, "h1", delivery(number, status=status))

    found, after, pages = [], None, 0
    while pages == 0 or after:
        page, after = webhook_deliveries.deliveries_page(
            aws.table, TENANT, "h1", status="failed", after=after, limit=3
        )
        found, pages = found + page, pages + 1

    assert [each.event["id"] for each in found] == ["e9", "e6", "e3", "e0"]
    by_id = webhook_deliveries.deliveries_by_id(
        aws.table, TENANT, "h1", [delivery(3).delivery_id, "2026-11-24T10:00:00.000Z.nobody"]
    )
    assert [each.status for each in by_id.values()] == ["failed"]
