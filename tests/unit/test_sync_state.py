"""What an account shows, and when it is tried again: unchanged when nothing changed, clear about a
fault, patient with a broken mailbox, and careful with a refused login."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.walks import INFO

from ablage.accounts import NEVER, AccountState, Folder
from ablage.errors import AccountFault
from ablage.faults import TABLE, fault
from ablage.habit import Habit
from sync.account_state import (
    backfill_waits_until,
    faulty,
    healthy,
    is_check_due,
    is_slow,
    settled,
    waits_until,
    watched,
    with_news,
)

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
FOLDERS = (Folder("0123456789abcdef", "INBOX", "inbox", "INBOX"),)
MAIL = Habit(since=1, recent=(int(NOW.timestamp()) - 7200,))
OK = AccountState("ok", checked_at="2026-11-24T02:00:00Z", folders=FOLDERS, interval=5, habit=MAIL)


def after(
    state: AccountState, *codes: str, at: datetime = NOW, jitter: float = 0.5
) -> AccountState:
    for code in codes:
        state = faulty(state, INFO, fault(code), at, jitter)
    return state


def test_a_good_look_at_a_good_account_changes_nothing() -> None:
    assert healthy(OK, FOLDERS, NOW) == OK


def test_the_first_good_look_makes_it_ok() -> None:
    state = settled(healthy(AccountState(), FOLDERS, NOW), has_more=False)

    assert (state.status, state.folders, state.checked_at) == (
        "ok",
        FOLDERS,
        "2026-11-24T03:00:00Z",
    )
    assert (state.interval, state.habit.awake) == (1, int(NOW.timestamp()))


def test_with_mail_still_to_be_read_it_is_syncing_and_written_once() -> None:
    state = settled(healthy(OK, FOLDERS, NOW), has_more=True)

    assert state.status == "syncing"
    assert healthy(state, FOLDERS, NOW + timedelta(minutes=5)) == state
    assert settled(state, has_more=False).status == "ok"


def test_changed_folders_are_news() -> None:
    more = (*FOLDERS, Folder("f" * 16, "Sent", "sent", "Sent"))

    assert healthy(OK, more, NOW).folders == more


def test_six_hours_later_the_look_is_noted() -> None:
    assert healthy(OK, FOLDERS, NOW + timedelta(hours=4, minutes=59)) == OK
    assert healthy(OK, FOLDERS, NOW + timedelta(hours=5)) != OK


def test_the_same_fault_again_keeps_its_since() -> None:
    again = after(after(OK, "timeout"), "timeout", at=NOW + timedelta(minutes=50))

    assert (again.status, again.code, again.since) == (
        "degraded",
        "timeout",
        "2026-11-24T03:00:00Z",
    )


def test_another_fault_begins_anew() -> None:
    other = after(after(OK, "timeout"), "tls_failed", at=NOW + timedelta(hours=2))

    assert (other.code, other.since) == ("tls_failed", "2026-11-24T05:00:00Z")


@pytest.mark.parametrize(
    ("tries", "most"), [(0, 30), (1, 60), (2, 120), (5, 960), (7, 3600), (12, 3600), (500, 3600)]
)
def test_the_wait_doubles_up_to_an_hour_and_is_jittered_in_full(tries: int, most: int) -> None:
    state = replace(OK, tries=tries, login_version=INFO.login_version)

    waits = [after(state, "timeout", jitter=j).not_before - EPOCH for j in (0.0, 0.5, 0.999)]

    assert waits == [0, most // 2, int(0.999 * most)]


@pytest.mark.parametrize(
    ("code", "least", "backfill"),
    [
        ("over_quota", 3600, 86400),
        ("not_connected", 3600, 3600),
        ("tls_failed", 3600, 3600),
        ("address_refused", 3600, 3600),
        ("timeout", 0, 0),
    ],
)
def test_some_faults_wait_at_least(code: str, least: int, backfill: int) -> None:
    state = after(OK, code, jitter=0.0)

    assert waits_until(state, INFO) == EPOCH + least
    assert backfill_waits_until(state, INFO) == EPOCH + backfill


def test_a_wait_the_server_states_is_kept_and_a_long_one_cut_to_a_day() -> None:
    stated = faulty(OK, INFO, fault("throttled", 201.317), NOW, 0.0)
    absurd = faulty(OK, INFO, fault("throttled", 1e12), NOW, 0.0)

    assert stated.not_before == EPOCH + 201
    assert absurd.not_before == EPOCH + 86400
    assert stated.status == "throttled"


def test_after_a_throttle_it_goes_slowly_for_an_hour_and_is_well_all_the_same() -> None:
    well = healthy(after(OK, "throttled"), FOLDERS, NOW + timedelta(minutes=10))

    assert well.status == "ok"
    assert is_slow(well, NOW + timedelta(minutes=59))
    assert not is_slow(well, NOW + timedelta(minutes=60))


def test_a_long_wait_is_dispatched_less_often_and_a_good_look_ends_that() -> None:
    refused = after(OK, "login_refused")
    given_up = after(refused, *["login_refused"] * 4)

    assert [after(OK, "timeout").interval, refused.interval, given_up.interval] == [5, 15, 60]
    assert after(replace(OK, interval=1), "timeout").interval == 1
    assert healthy(given_up, FOLDERS, NOW).interval == 5


def test_a_refused_login_waits_longer_each_time_and_stops_after_five() -> None:
    state, waits = OK, []
    for _ in range(5):
        state = after(state, "login_refused")
        waits.append(state.not_before - EPOCH)

    assert waits[:4] == [15 * 60, 3600, 6 * 3600, 24 * 3600]
    assert state.not_before == NEVER
    assert (state.status, state.refusals) == ("reauth_required", 5)


@pytest.mark.parametrize("code", ["server_unavailable", "timeout", "throttled", "host_unknown"])
def test_what_says_nothing_about_the_password_neither_counts_nor_forgives(code: str) -> None:
    refused = after(OK, "login_refused", "login_refused")

    assert after(refused, code).refusals == 2
    assert after(after(refused, *["login_refused"] * 3), code).not_before == NEVER


@pytest.mark.parametrize("code", ["secret_missing", "login_unsupported", "access_revoked"])
def test_where_there_is_nothing_to_log_in_with_no_login_is_counted(code: str) -> None:
    state = after(OK, *[code] * 9, jitter=0.0)

    assert (state.status, state.refusals) == ("reauth_required", 0)
    assert state.not_before == EPOCH + 3600


def test_a_new_login_starts_afresh() -> None:
    stopped = after(OK, *["login_refused"] * 5)
    renewed = replace(INFO, login_version=INFO.login_version + 1)

    assert waits_until(stopped, renewed) == 0
    assert faulty(stopped, renewed, fault("login_refused"), NOW, 0.5).refusals == 1


def test_a_good_look_clears_the_fault() -> None:
    state = healthy(after(OK, "login_refused"), FOLDERS, NOW)

    assert (state.code, state.detail, state.since, state.interval) == (None, None, None, 5)
    assert (state.tries, state.refusals, state.not_before) == (0, 0, 0)
    assert replace(state, checked_at=None) == replace(OK, checked_at=None)


@pytest.mark.parametrize(("interval", "hours"), [(1, 6), (5, 6), (15, 18), (60, 72)])
def test_at_most_one_idle_look_in_fifty_is_noted(interval: int, hours: int) -> None:
    state = replace(OK, interval=interval, checked_at="2026-11-24T03:00:00Z")

    assert not is_check_due(state, NOW + timedelta(hours=hours, seconds=-1))
    assert is_check_due(state, NOW + timedelta(hours=hours))
    assert hours * 60 / interval >= 50


def test_the_interval_follows_the_habit() -> None:
    later = NOW + timedelta(days=30)
    dormant = healthy(OK, FOLDERS, later)
    assert dormant.interval == 60

    assert with_news(dormant, later).interval == 5
    assert watched(dormant, later).interval == 1


@pytest.mark.parametrize(("quiet", "interval"), [(3, 5), (100, 15), (400, 60)])
def test_a_day_of_idle_looks_writes_once_in_fifty(quiet: int, interval: int) -> None:
    """Twelve days, for the slowest; from `quiet` hours without mail on."""
    mail = replace(MAIL, recent=(int(NOW.timestamp()) - quiet * 3600,))
    state = replace(OK, habit=mail, interval=interval)
    days = 12 if interval == 60 else 1
    looks = [NOW + timedelta(minutes=n) for n in range(0, days * 1440, interval)]

    writes = 0
    for at in looks:
        after = healthy(state, FOLDERS, at)
        writes += (after != state) + (after.interval != state.interval)
        state = after

    assert 1 <= writes <= 0.02 * len(looks)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.code)
def test_every_fault_has_words_of_ours_and_a_state(row) -> None:
    raised = fault(row.code)

    assert isinstance(raised, AccountFault)
    assert row.detail.endswith(".")
    assert row.action.endswith(".")
    assert raised.state == faulty(OK, INFO, raised, NOW, 0.0).status
    assert row.counts <= (row.kind == "auth")
