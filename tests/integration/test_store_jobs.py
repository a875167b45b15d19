"""Jobs: counted by ticks, done when everything listed is matched."""

from dataclasses import replace

import pytest
from tests.support.mailboxes import OTHER, TENANT

from ablage.errors import NotFound
from ablage.store import jobs, keys
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from ablage.store.table import ConditionFailed

JOB = Job(TENANT, "j1", "sync", "box", since="2026-01-01T00:00:00Z", folders=("f1", "f2"))


def test_a_job_comes_back_as_it_was_made(aws: Storage) -> None:
    jobs.create(aws.table, JOB, 1000)

    assert jobs.get(aws.table, TENANT, "j1") == replace(JOB, due_at=1000)
    with pytest.raises(NotFound) as missing:
        jobs.get(aws.table, OTHER, "j1")
    assert missing.value.code == "job_not_found"


def test_a_job_id_is_used_once(aws: Storage) -> None:
    jobs.create(aws.table, JOB, 1000)

    with pytest.raises(ConditionFailed):
        jobs.create(aws.table, JOB, 1000)


def test_a_copy_ticks_once_and_only_its_own_tenants_job(aws: Storage) -> None:
    jobs.create(aws.table, JOB, 1000)
    jobs.create(aws.table, Job(OTHER, "j1", "sync", "box"), 1000)

    assert jobs.tick_copy(aws.table, TENANT, "j1", "box/f/1/1")
    assert not jobs.tick_copy(aws.table, TENANT, "j1", "box/f/1/1")
    assert jobs.tick_copy(aws.table, TENANT, "j1", "box/f/1/2")

    assert jobs.get(aws.table, TENANT, "j1").done == 2
    assert jobs.get(aws.table, OTHER, "j1").done == 0


def test_a_tick_for_a_job_that_is_gone_is_ignored(aws: Storage) -> None:
    assert not jobs.tick_copy(aws.table, TENANT, "j1", "box/f/1/1")
    assert aws.table.get(keys.job_copy(TENANT, "j1", "box/f/1/1")) is None


def test_ticks_expire_with_their_job(aws: Storage) -> None:
    jobs.create(aws.table, JOB, 1000)
    jobs.tick_copy(aws.table, TENANT, "j1", "c", now=1000)

    job = aws.table.get(keys.job(TENANT, "j1")) or {}
    tick = aws.table.get(keys.job_copy(TENANT, "j1", "c")) or {}
    assert job["expires"] == tick["expires"] == 1000 + 30 * 86400


@pytest.mark.parametrize(
    ("state", "synced", "done", "total", "shown"),
    [
        ("queued", False, 0, 0, "queued"),
        ("running", False, 3, 3, "running"),
        ("running", True, 2, 3, "running"),
        ("running", True, 3, 3, "done"),
        ("running", True, 4, 3, "done"),
        ("failed", True, 3, 3, "failed"),
    ],
)
def test_a_sync_job_is_done_when_listed_and_matched(
    state: str, synced: bool, done: int, total: int, shown: str
) -> None:
    job = Job(TENANT, "j", "sync", "box", state=state, synced=synced, done=done, total=total)

    assert job.shown_state == shown


def test_ticks_before_the_total_is_known_are_kept(aws: Storage) -> None:
    jobs.create(aws.table, JOB, 1000)
    claimed = jobs.claim(aws.table, TENANT, "j1", 1000)
    assert claimed is not None
    jobs.tick_copy(aws.table, TENANT, "j1", "c")

    jobs.mark_synced(aws.table, Job(TENANT, "j1", "sync", "box", total=1))

    assert jobs.get(aws.table, TENANT, "j1").shown_state == "done"


def test_a_finished_job_keeps_its_first_end(aws: Storage) -> None:
    jobs.create(aws.table, JOB, 1000)
    jobs.fail(aws.table, TENANT, "j1", "login_refused", "d")

    jobs.finish(aws.table, TENANT, "j1", {})

    assert jobs.get(aws.table, TENANT, "j1").state == "failed"
    assert not jobs.save_progress(aws.table, JOB)
