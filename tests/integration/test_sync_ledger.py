"""States, ledger and completeness as the API shows them, from real looks at a real server."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.hostile_imap import GREETING, HostileImap, Script, Talk
from tests.support.http_events import Client
from tests.support.mailboxes import (
    OTHER,
    PASSWORD,
    TENANT,
    a_mail,
    connect_mailbox,
    put_secret,
    tools_for,
)
from tests.support.odd_inbox import moody
from tests.support.polling import INBOX, SENT, poll_once

from ablage.accounts import Account
from ablage.mailbox.names import folder_id
from ablage.store import jobs, keys
from ablage.store.accounts import account_item
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from sync.jobs import run_job

acme, other = Client(TENANT), Client(OTHER)
PROJECTS = folder_id(b"Projekte")
Row = dict[str, Any]


def ledger(**query: str) -> list[Row]:
    answer = acme("GET", "/v1/accounts/box/runs", query=query)
    assert answer.status == 200, answer.text
    items: list[Row] = answer.json["items"]
    return items


def brief(row: Row) -> tuple[str, str, int, int]:
    return row["folder"], row["why"], row["listed"], row["stored"]


def missing(**query: str) -> Row:
    found: Row = acme("GET", "/v1/accounts/box/completeness", query=query).json
    return found


def opened(found: Row) -> set[str]:
    return {each["code"] for folder in found["folders"] for each in folder["open"]}


def account() -> Row:
    found: Row = acme("GET", "/v1/accounts/box").json
    return found


def configure(where: Storage, box: Account, **changes: Any) -> Account:
    changed = replace(box, version=box.version + 1, **changes)
    where.table.put(keys.account(box.tenant, box.account_id), account_item(changed))
    return changed


def test_each_run_that_met_mail_is_a_row_and_an_idle_one_is_none(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    box = connect_mailbox(aws, imap, user)
    with imap.connect(user) as wire:
        first = wire.append("INBOX", a_mail(1))
        wire.append("Sent", a_mail(2))
    tools = tools_for(aws, imap)
    poll_once(tools, box)
    imported = ledger()
    poll_once(tools, box)

    assert ledger() == imported
    assert sorted(map(brief, imported)) == sorted([(INBOX, "poll", 1, 1), (SENT, "poll", 1, 1)])
    (inbox_row,) = ledger(folder=INBOX)
    assert (inbox_row["uid_low"], inbox_row["uid_high"]) == (first, first)
    assert inbox_row["bytes"] == len(a_mail(1))
    assert missing()["complete"] is True


def test_new_mail_and_a_job_leave_their_own_rows(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    box = connect_mailbox(aws, imap, user)
    tools = tools_for(aws, imap)
    poll_once(tools, box)
    new = imap.append(user, "INBOX", a_mail(1))
    poll_once(tools, box)
    later = replace(tools, now=lambda: tools.now() + 5)
    jobs.create(aws.table, Job(TENANT, "job-1", "sync", "box", folders=(INBOX,)), later.epoch())

    run_job(later, TENANT, "job-1")

    by_job, by_poll = ledger()
    assert (brief(by_job), by_job["job"], by_job["already_had"]) == (
        (INBOX, "job", 1, 0),
        "job-1",
        1,
    )
    assert (brief(by_poll), by_poll["uid_low"]) == ((INBOX, "poll", 1, 1), new)


def test_moved_mail_is_missing_until_it_is_found(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    imap.create_folder(user, "Projekte")
    box = connect_mailbox(aws, imap, user)
    tools = tools_for(aws, imap)
    poll_once(tools, box)
    imap.move(user, "INBOX", imap.append(user, "INBOX", a_mail(1)), "Projekte")
    poll_once(tools, box)

    (found,) = ledger()
    assert brief(found) == (PROJECTS, "follow", 1, 1)
    assert missing()["complete"] is True

    imap.move(user, "INBOX", imap.append(user, "INBOX", a_mail(2)), "Trash")
    poll_once(replace(tools, now=lambda: tools.now() + 5), box)

    assert ledger(folder=INBOX)[0]["moved_before_sync"] == 1
    assert opened(missing()) == {"moved_before_sync"}


def test_a_mail_the_server_does_not_hand_out_is_parked_for_all_to_see(
    aws: Storage, hostile: Callable[[Script], HostileImap]
) -> None:
    server = hostile(moody({2: b"NIL"}))
    box = connect_mailbox(aws, server, "u@example.com")

    poll_once(tools_for(aws, server), box)

    shown = account()
    (mail,) = shown["parked"]
    assert (shown["parked_count"], mail["uid"], mail["given_up"]) == (1, 2, False)
    assert mail["code"] == "unfetchable"
    assert "parked" in opened(missing(folder=INBOX))
    (row,) = ledger(folder=INBOX)
    assert (row["listed"], row["stored"], row["parked"]) == (3, 2, 1)


def test_the_states_of_an_account_are_seen_as_they_come(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    box = connect_mailbox(aws, imap, user)
    tools = tools_for(aws, imap)
    seen = [account()["status"]]

    def look(at: Account) -> None:
        poll_once(tools, at)
        seen.append(account()["status"])

    look(box)
    put_secret(aws, box, "wrong")
    box = configure(aws, box)
    look(box)
    assert opened(missing(until=account()["status_since"])) <= {"login_refused", "not_looked_at"}
    put_secret(aws, box, PASSWORD)
    box = configure(aws, box, login_version=box.version + 1)
    look(box)
    box = configure(aws, box, sync=False)
    look(box)

    assert seen == ["syncing", "ok", "reauth_required", "ok", "paused"]
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert opened(missing(until=later)) == {"paused"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"BAD Request is throttled. Suggested Backoff Time: 600000 milliseconds", "throttled"),
        (b"NO [UNAVAILABLE] come back later", "degraded"),
    ],
)
def test_a_server_in_trouble_is_seen_and_leaves_open_what_came_since(
    aws: Storage, hostile: Callable[[Script], HostileImap], answer: bytes, status: str
) -> None:
    def script(talk: Talk) -> None:
        talk.say(GREETING)
        while True:
            talk.hear()
            talk.ok(status=answer)

    server = hostile(script)
    box = connect_mailbox(aws, server, "u@example.com", sync_since="2026-01-01T00:00:00Z")

    poll_once(tools_for(aws, server), box)

    shown = account()
    assert shown["status"] == status
    assert shown["status_since"]
    found = missing(until=shown["status_since"])
    assert found["complete"] is False


@pytest.mark.parametrize("path", ["runs", "completeness"])
def test_another_tenant_sees_nothing_of_it(
    aws: Storage, imap: EmbeddedImap, user: str, path: str
) -> None:
    box = connect_mailbox(aws, imap, user)
    imap.append(user, "INBOX", a_mail(1))
    poll_once(tools_for(aws, imap), box)

    assert other("GET", f"/v1/accounts/box/{path}").status == 404
