"""The ledger's rows: kept by tenant and account, newest first, none for a run that met nothing."""

from tests.support.mailboxes import OTHER, TENANT

from ablage.runs import Run, summed
from ablage.store import keys, runs
from ablage.store.storage import Storage

INBOX, SENT = "a" * 16, "b" * 16
NOW = 1_790_000_000


def run(minute: int, folder: str = INBOX, **counts: int) -> Run:
    return Run(folder, f"2026-11-24T10:{minute:02d}:00Z", "poll", 7, **counts)


def test_a_run_comes_back_as_it_was_written_in_its_own_tenant(aws: Storage) -> None:
    mine = run(1, listed=3, stored=2, already=1, bytes=900, low=5, high=9)
    theirs = run(1, listed=1, gone=1, low=2, high=2)
    runs.write(aws.table, TENANT, "box", mine, NOW)
    runs.write(aws.table, OTHER, "box", theirs, NOW)

    assert runs.page(aws.table, TENANT, "box", after=None, limit=5) == ([mine], None)
    assert runs.page(aws.table, OTHER, "box", after=None, limit=5) == ([theirs], None)
    assert runs.since(aws.table, OTHER, "box", "2026") == ([theirs], False)


def test_a_run_that_met_nothing_leaves_no_row(aws: Storage) -> None:
    runs.write(aws.table, TENANT, "box", run(1), NOW)

    assert runs.page(aws.table, TENANT, "box", after=None, limit=5) == ([], None)


def test_rows_go_after_ninety_days(aws: Storage) -> None:
    runs.write(aws.table, TENANT, "box", run(1, listed=1), NOW)

    item = aws.table.get(keys.run(TENANT, "box", "2026-11-24T10:01:00Z", INBOX, "poll"))
    assert item
    assert item["expires"] == NOW + 90 * 86400


def test_pages_are_newest_first_and_go_on(aws: Storage) -> None:
    for minute in range(5):
        runs.write(aws.table, TENANT, "box", run(minute, listed=1), NOW)

    first, more = runs.page(aws.table, TENANT, "box", after=None, limit=3)
    rest, end = runs.page(aws.table, TENANT, "box", after=more, limit=3)

    assert [found.at[14:16] for found in (*first, *rest)] == ["04", "03", "02", "01", "00"]
    assert end is None


def test_one_folders_runs_alone(aws: Storage) -> None:
    for minute in range(6):
        folder = SENT if minute % 3 == 0 else INBOX
        runs.write(aws.table, TENANT, "box", run(minute, folder, listed=1), NOW)

    found, more = runs.page(aws.table, TENANT, "box", after=None, limit=1, folder_id=SENT)
    rest, end = runs.page(aws.table, TENANT, "box", after=more, limit=5, folder_id=SENT)

    assert [each.at[14:16] for each in (*found, *rest)] == ["03", "00"]
    assert end is None


def test_runs_since_a_moment_are_summed(aws: Storage) -> None:
    for minute in range(4):
        runs.write(aws.table, TENANT, "box", run(minute, listed=2, stored=1, gone=1), NOW)

    found, more = runs.since(aws.table, TENANT, "box", "2026-11-24T10:02:00Z")

    sums = summed(found)
    assert (sums["runs"], sums["listed"], sums["stored"], sums["gone"]) == (2, 4, 2, 2)
    assert not more
