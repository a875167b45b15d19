"""Gmail: All Mail is read, each mail once, as its labels say."""

import json
import os
from collections.abc import Callable

import pytest
from tests.support.aws import received_bodies
from tests.support.gmail import ALL, Gmail
from tests.support.hostile_imap import HostileImap, Script
from tests.support.mailboxes import (
    OTHER,
    TENANT,
    connect_mailbox,
    raw_keys,
    state_of,
    tools_for,
)
from tests.support.polling import keys_of, poll_once

from ablage.accounts import ALL_MAIL, Account
from ablage.folder_modes import hides_all_mail
from ablage.mailbox.names import folder_id
from ablage.store import gmail_ids, jobs
from ablage.store.jobs import Job
from ablage.store.raw_mail import RawKey
from ablage.store.storage import Storage
from sync.jobs import run_job

PROJECTS, PRIVATE = folder_id(b"Projekte"), folder_id(b"Privat")
FIRST = 1_850_000_000_000_000_001  # an X-GM-MSGID of these years


@pytest.fixture
def gmail() -> Gmail:
    box = Gmail()
    box.put(FIRST, "INBOX")
    box.put(FIRST + 1, "[Gmail]/Gesendet")
    box.put(FIRST + 2, "INBOX", "[Gmail]/Gesendet", "[Gmail]/Wichtig")
    box.put(FIRST + 3, "Projekte")
    return box


@pytest.fixture
def server(gmail: Gmail, hostile: Callable[[Script], HostileImap]) -> HostileImap:
    return hostile(gmail)


def msgid_of(key: RawKey) -> int:
    return (key.uidvalidity << 32) + key.uid


def roles(where: Storage) -> dict[int, str]:
    """By place in the mailbox above."""
    return {msgid_of(key) - FIRST: where.raw.get(key)[1].role for key in keys_of(where)}


def sync(where: Storage, server: HostileImap, *folders: str, job_id: str = "j1") -> Job:
    tools = tools_for(where, server)
    jobs.create(where.table, Job(TENANT, job_id, "sync", "box", folders=folders), tools.epoch())
    run_job(tools, TENANT, job_id)
    return jobs.get(where.table, TENANT, job_id)


def test_every_mail_is_stored_once_with_the_role_its_labels_give(
    aws: Storage, gmail: Gmail, server: HostileImap
) -> None:
    account = connect_mailbox(aws, server, "u@gmail.com")

    poll_once(tools_for(aws, server), account)

    assert roles(aws) == {0: "inbox", 1: "sent", 2: "sent", 3: ""}
    assert {key.folder_id for key in keys_of(aws)} == {ALL_MAIL}
    assert gmail.bodies == [(ALL, FIRST + n) for n in range(4)]
    assert state_of(aws, account).gmail


@pytest.mark.parametrize(
    "label",
    ["[Gmail]/Entw&APw-rfe", "[Gmail]/Chats", "[Gmail]/Spam", "[Gmail]/Papierkorb", "Privat"],
)
def test_drafts_chats_spam_trash_and_private_labels_are_left_out(
    aws: Storage, gmail: Gmail, server: HostileImap, label: str
) -> None:
    gmail.put(FIRST + 9, "INBOX", label)
    account = connect_mailbox(aws, server, "u@gmail.com")

    poll_once(tools_for(aws, server), account)

    assert roles(aws).keys() == {0, 1, 2, 3}
    assert FIRST + 9 not in {msgid for _, msgid in gmail.bodies}


def test_a_label_that_is_never_read_is_left_out(
    aws: Storage, gmail: Gmail, server: HostileImap
) -> None:
    account = connect_mailbox(aws, server, "u@gmail.com", folder_modes={PROJECTS: "never"})

    poll_once(tools_for(aws, server), account)

    assert roles(aws).keys() == {0, 1, 2}


def test_a_private_label_is_read_on_demand_as_a_copy_of_its_own(
    aws: Storage, gmail: Gmail, server: HostileImap
) -> None:
    gmail.put(FIRST + 9, "Privat")
    connect_mailbox(aws, server, "u@gmail.com")

    job = sync(aws, server, PRIVATE)

    (key,) = keys_of(aws)
    assert (key.folder_id, key.uidvalidity, job.total) == (PRIVATE, 1, 1)
    assert aws.raw.get(key)[1].role == "private"


def test_a_label_synced_on_demand_downloads_nothing_again(
    aws: Storage, gmail: Gmail, server: HostileImap
) -> None:
    account = connect_mailbox(aws, server, "u@gmail.com")
    poll_once(tools_for(aws, server), account)
    gmail.bodies.clear()
    gmail.put(FIRST + 4, "Projekte")

    job = sync(aws, server, PROJECTS)

    assert gmail.bodies == [("Projekte", FIRST + 4)]
    assert job.total == 2
    (again,) = [
        json.loads(body)["match"] for body in received_bodies(os.environ["MATCH_QUEUE_URL"])
    ]
    assert again["key"].endswith(f"/{ALL_MAIL}/{(FIRST + 3) >> 32}/{(FIRST + 3) & 0xFFFFFFFF}.eml")


def test_what_a_job_stored_no_poll_downloads_again(
    aws: Storage, gmail: Gmail, server: HostileImap
) -> None:
    account = connect_mailbox(aws, server, "u@gmail.com")
    sync(aws, server, PROJECTS)

    poll_once(tools_for(aws, server), account)

    assert [msgid for _, msgid in gmail.bodies].count(FIRST + 3) == 1
    assert len(raw_keys(aws)) == 4


def test_a_mail_that_comes_back_under_another_uid_is_known(
    aws: Storage, gmail: Gmail, server: HostileImap
) -> None:
    """Put back from the trash."""
    account = connect_mailbox(aws, server, "u@gmail.com")
    poll_once(tools_for(aws, server), account)
    gmail.bodies.clear()
    gmail.take_out(FIRST, ALL)
    gmail.put(FIRST, "INBOX")

    counts = poll_once(tools_for(aws, server), account)

    assert gmail.bodies == []
    assert counts["already_stored"] == 1
    assert "moved_before_sync" not in counts


def test_hidden_all_mail_falls_back_to_inbox_and_sent(
    aws: Storage, gmail: Gmail, server: HostileImap
) -> None:
    gmail.hides_all = True
    account = connect_mailbox(aws, server, "u@gmail.com")

    poll_once(tools_for(aws, server), account)

    assert roles(aws) == {0: "inbox", 1: "sent", 2: "sent"}
    assert [msgid for _, msgid in gmail.bodies].count(FIRST + 2) == 1
    assert hides_all_mail(state_of(aws, account))


def test_ids_are_known_to_their_own_mailbox_alone(aws: Storage) -> None:
    def box(**changes: object) -> Account:
        given = {"tenant": TENANT, "account_id": "box"} | changes
        return Account(address="", own="", host="", port=1, username="", version=1, **given)  # type: ignore[arg-type] - fields by name

    gmail_ids.remember(aws.table, box(), [FIRST, FIRST + 1], 1000)
    gmail_ids.remember(aws.table, box(), [FIRST + 2, FIRST << 1], 1000)

    asked = [FIRST, FIRST + 2, FIRST << 1, FIRST + 7]
    assert gmail_ids.known(aws.table, box(), asked) == {FIRST, FIRST + 2, FIRST << 1}
    for another in (
        {"tenant": OTHER},
        {"account_id": "b"},
        {"generation": 1},
        {"retention": "90d"},
    ):
        assert gmail_ids.known(aws.table, box(**another), asked) == set()


def test_a_full_item_takes_no_more_ids_and_breaks_nothing(
    aws: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gmail_ids, "IDS", 2)
    account = Account(TENANT, "box", "", "", "", 1, "", 1)

    for number in range(4):
        gmail_ids.remember(aws.table, account, [FIRST + number], 1000)

    ids = range(FIRST, FIRST + 4)
    assert gmail_ids.known(aws.table, account, ids) == {FIRST, FIRST + 1}
