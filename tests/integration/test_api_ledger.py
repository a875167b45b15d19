"""The ledger, and whether anything is missing, through the API."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.http_events import Client
from tests.support.tenants import connect_account

from ablage.accounts import AccountState, Folder
from ablage.habit import DAY, HOUR, Habit
from ablage.runs import Run
from ablage.store import due, keys, runs
from ablage.store.accounts import state_item
from ablage.store.cursors import Cursor, Problem, leave_more, move_cursor
from ablage.tenancy import TenantId

acme, other = Client("acme"), Client("acme2")
ACME, OTHER = TenantId("acme"), TenantId("acme2")
INBOX, SENT, PROJECT = "a" * 16, "b" * 16, "c" * 16
FOLDERS = (
    Folder(INBOX, "INBOX", "inbox"),
    Folder(SENT, "Sent", "sent"),
    Folder(PROJECT, "Project", ""),
)
NOW = datetime.now(UTC).replace(microsecond=0)


def ago(**time):
    return (NOW - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def mailbox(aws):
    for tenant in (ACME, OTHER):
        connect_account(aws, tenant, "anna", "anna@own.de", filing=True)
        config = keys.account(tenant, "anna")
        aws.table.update(config, "SET sync_since = :at", values={":at": ago(days=30)})
        put_state(aws, tenant)
    for folder in (INBOX, SENT):
        move_cursor(aws.table, ACME, "anna", Cursor(folder, 7, high=90), 1)
    return aws


def put_state(aws, tenant=ACME, **changes):
    state = AccountState(status="ok", checked_at=ago(hours=1), folders=FOLDERS)
    item = state_item(state) | changes
    aws.table.put(keys.account_state(tenant, "anna"), item)


def put_run(aws, minutes, folder=INBOX, tenant=ACME, why="poll", **counts):
    runs.write(aws.table, tenant, "anna", Run(folder, ago(minutes=minutes), why, 7, **counts), 1)


def missing(client=acme, **query):
    answer = client("GET", "/v1/accounts/anna/completeness", query=query)
    assert answer.status == 200, answer.text
    return answer.json


def opened(found):
    return {
        folder["folder"]: [each["code"] for each in folder["open"]] for folder in found["folders"]
    }


def test_runs_are_listed_newest_first_page_by_page(mailbox):
    for minutes in (5, 15, 25):
        put_run(mailbox, minutes, listed=2, stored=1, already=1, bytes=77, low=8, high=9)
    put_run(mailbox, 1, tenant=OTHER, listed=5)

    first = acme("GET", "/v1/accounts/anna/runs", query={"limit": "2"}).json
    rest = acme("GET", "/v1/accounts/anna/runs", query={"limit": "2", "cursor": first["next"]}).json

    assert [row["at"] for row in first["items"]] == [ago(minutes=5), ago(minutes=15)]
    assert [row["at"] for row in rest["items"]] == [ago(minutes=25)]
    assert rest["next"] is None
    row = first["items"][0]
    assert (row["why"], row["job"], row["listed"], row["stored"]) == ("poll", None, 2, 1)
    assert (row["already_had"], row["bytes"], row["uid_low"], row["uid_high"]) == (1, 77, 8, 9)


def test_runs_of_one_folder_and_of_a_job(mailbox):
    put_run(mailbox, 5, listed=1)
    put_run(mailbox, 9, SENT, why="job-1", listed=1)

    (row,) = acme("GET", "/v1/accounts/anna/runs", query={"folder": SENT}).json["items"]

    assert (row["folder"], row["why"], row["job"]) == (SENT, "job", "job-1")


@pytest.mark.parametrize("path", ["runs", "completeness"])
def test_another_tenants_account_is_not_there(mailbox, path):
    connect_account(mailbox, OTHER, "bob", "bob@own.de", filing=True)

    assert acme("GET", f"/v1/accounts/bob/{path}").code == "not_found"
    assert Client("acme", scopes="file")("GET", f"/v1/accounts/anna/{path}").status == 403


def test_a_mailbox_that_was_read_is_complete(mailbox):
    put_run(mailbox, 5, listed=3, stored=2, gone=1)

    found = missing()

    assert found["complete"] is True
    assert opened(found) == {INBOX: [], SENT: []}
    assert (found["since"], found["until"]) == (ago(days=30), ago(hours=1))
    assert found["checked_at"] == ago(hours=1)
    inbox = found["folders"][0]
    assert (inbox["name"], inbox["read_to"]) == ("INBOX", 90)
    assert (inbox["ledger"]["stored"], inbox["ledger"]["gone"]) == (2, 1)


def test_a_look_that_was_due_is_shown_and_proves_nothing(mailbox):
    due.advance(mailbox.table, int(NOW.timestamp()) // 60, None)

    assert acme("GET", "/v1/accounts/anna").json["last_due_at"] >= ago(minutes=6)
    assert missing()["checked_at"] == ago(hours=1)
    assert opened(missing(until=ago(minutes=10)))[INBOX] == ["not_looked_at"]


def test_a_run_that_met_mail_is_a_look_at_its_folder(mailbox):
    put_run(mailbox, 10, listed=1, stored=1)
    put_run(mailbox, 5, SENT, why="job-1", listed=1)

    found = missing(until=ago(minutes=20))

    assert opened(found) == {INBOX: [], SENT: ["not_looked_at"]}
    assert found["folders"][0]["checked_at"] == ago(minutes=12)


@pytest.mark.parametrize(("held_until", "codes"), [(0, []), (5, ["waiting"])])
def test_work_that_somebody_died_over_is_open(mailbox, held_until, codes):
    mailbox.table.put(keys.lease(ACME, "anna"), {"fence": 3, "held_until": held_until})

    assert opened(missing())[INBOX] == codes


def test_what_is_open_is_told_by_folder(mailbox):
    parked = Cursor(INBOX, 7, high=90, version=1).with_problems([Problem(40, "too_large")])
    move_cursor(mailbox.table, ACME, "anna", parked, 1)
    importing = Cursor(SENT, 7, high=10, since=ago(days=30), ceiling=90, low=81, version=1)
    move_cursor(mailbox.table, ACME, "anna", importing, 1)
    put_run(mailbox, 9, SENT, moved_before_sync=2)

    found = missing()

    assert found["complete"] is False
    assert opened(found) == {INBOX: ["parked"], SENT: ["importing", "moved_before_sync"]}
    (mail,) = found["folders"][0]["parked"]
    assert (mail["uid"], mail["code"], mail["given_up"]) == (40, "too_large", True)
    assert "UIDs 11 to 80" in found["folders"][1]["open"][0]["detail"]


def test_a_folder_nobody_syncs_or_that_is_gone_is_told(mailbox):
    assert opened(missing(folder=PROJECT)) == {PROJECT: ["not_synced", "never_read"]}
    assert opened(missing(folder="d" * 16)) == {"d" * 16: ["folder_missing", "never_read"]}


def test_what_waits_and_what_fails_is_told(mailbox):
    leave_more(mailbox.table, ACME, "anna", 1)
    put_state(mailbox, code="timeout", status="degraded", since=ago(minutes=30))

    assert opened(missing())[INBOX] == ["waiting"]
    assert opened(missing(until=ago(minutes=1)))[INBOX] == ["timeout", "waiting"]


def test_mail_before_sync_since_is_not_vouched_for(mailbox):
    assert opened(missing(since=ago(days=40)))[INBOX] == ["before_sync_since"]


def test_a_mailbox_never_looked_at_is_not_complete(aws):
    connect_account(aws, ACME, "anna", "anna@own.de", filing=True)

    found = missing()

    assert (found["complete"], found["folders"], found["checked_at"]) == (False, [], None)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"since": "yesterday"}, "invalid_date"),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "invalid_window"),
        ({"folder": "x"}, "invalid_request"),
    ],
)
def test_a_bad_window_is_refused(mailbox, query, code):
    answer = acme("GET", "/v1/accounts/anna/completeness", query=query)

    assert answer.status == 422
    assert answer.code == code


def test_the_account_shows_its_parked_mails(mailbox):
    problems = [Problem(uid, "unfetchable") for uid in (3, 4)]
    cursor = Cursor(INBOX, 7, high=90, version=1).with_problems(problems)
    move_cursor(mailbox.table, ACME, "anna", cursor, 1)

    shown = acme("GET", "/v1/accounts/anna").json

    assert shown["parked_count"] == 2
    assert [(mail["uid"], mail["given_up"]) for mail in shown["parked"]] == [(3, False), (4, False)]
    assert other("GET", "/v1/accounts/anna").json["parked_count"] == 0


def silent_habit(days):
    """Mail every hour for four weeks, up to some days ago."""
    habit, end = Habit(), int(NOW.timestamp()) - days * DAY
    for at in range(end - 28 * DAY, end + 1, HOUR):
        habit = habit.noted(at)
    return habit


def silence_of(account):
    return [w for w in account["warnings"] if w["code"] == "silent"]


def test_a_mailbox_silent_far_beyond_its_habit_warns_until_mail_comes(mailbox):
    habit = silent_habit(days=2)
    put_state(mailbox, habit=state_item(AccountState(habit=habit))["habit"])

    (warning,) = silence_of(acme("GET", "/v1/accounts/anna").json)
    assert warning["since"][:13] == ago(days=2)[:13]
    assert silence_of(other("GET", "/v1/accounts/anna").json) == []

    heard = habit.noted(int(NOW.timestamp()))
    put_state(mailbox, habit=state_item(AccountState(habit=heard))["habit"])
    assert silence_of(acme("GET", "/v1/accounts/anna").json) == []


def test_a_mailbox_that_cannot_be_read_is_not_called_silent(mailbox):
    value = state_item(AccountState(habit=silent_habit(days=2)))["habit"]
    put_state(mailbox, habit=value, code="timeout", status="degraded", since=ago(days=1))

    assert silence_of(acme("GET", "/v1/accounts/anna").json) == []
