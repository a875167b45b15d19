"""Sync jobs against servers that break: each mail is counted once, and every job ends."""

import time
from collections.abc import Callable

import pytest
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import TENANT, a_mail, connect_mailbox, state_of, tools_for
from tests.support.odd_inbox import Hook, asked, flaky, inbox
from tests.support.polling import INBOX, keys_of

from ablage.mailbox.names import folder_id
from ablage.store import jobs
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from sync.jobs import ATTEMPTS, run_job
from sync.tools import Tools

Hostile = Callable[[Script], HostileImap]


def start(where: Storage, *folders: str) -> None:
    jobs.create(where.table, Job(TENANT, "j1", "sync", "box", folders=folders), int(time.time()))


def claims(where: Storage, server: HostileImap, times: int, **changes: int) -> Job:
    """One after another, each when the one before has run out."""
    for number in range(times):
        later = time.time() + number * (jobs.CLAIM_SECONDS + 1)
        run_job(tools_for(where, server, now=lambda at=later: at, **changes), TENANT, "j1")
    return jobs.get(where.table, TENANT, "j1")


def matched(where: Storage) -> Job:
    for copy_id in {key.copy_id for key in keys_of(where)}:
        jobs.tick_copy(where.table, TENANT, "j1", copy_id)
    return jobs.get(where.table, TENANT, "j1")


def test_a_copy_behind_a_gap_is_counted_once(aws: Storage, hostile: Hostile) -> None:
    broken: list[bytes] = []

    def break_before_two(talk: Talk, command: bytes) -> bool:
        if b"BODY" not in command or broken:
            return False
        broken.append(command)
        for uid in (1, 3):
            raw = a_mail(uid)
            talk.say(b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, uid, len(raw), raw))
        raise ConnectionError

    server = hostile(inbox(lambda: 3, break_before_two))
    connect_mailbox(aws, server, "u@example.com")
    start(aws)

    claims(aws, server, 2)

    job = matched(aws)
    assert (job.total, job.done, job.failed, job.shown_state) == (3, 3, 0, "done")


def huge(uid: int) -> Hook:
    def hook(talk: Talk, command: bytes) -> bool:
        if b"FETCH" not in command or b"BODY" in command:
            return False
        sizes = {each: 10**9 if each == uid else 2 * 10**6 for each in asked(command)}
        lines = [b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (n, n, s) for n, s in sizes.items()]
        talk.ok(b"".join(lines))
        return True

    return hook


def test_a_mail_that_fails_is_counted_once(aws: Storage, hostile: Hostile) -> None:
    server = hostile(inbox(lambda: 6, huge(6)))
    connect_mailbox(aws, server, "u@example.com")
    start(aws)

    claims(aws, server, 8, slice_bytes=1)

    job = matched(aws)
    assert (job.total, job.done, job.failed, job.shown_state) == (5, 5, 1, "done")


def test_a_job_whose_every_mail_breaks_the_session_fails(aws: Storage, hostile: Hostile) -> None:
    def hang_up(talk: Talk, command: bytes) -> bool:
        if b"BODY" in command:
            raise ConnectionError
        return False

    server = hostile(inbox(lambda: 30, hang_up))
    connect_mailbox(aws, server, "u@example.com")
    start(aws)

    before = claims(aws, server, ATTEMPTS - 1)
    job = claims(aws, server, ATTEMPTS + 8)

    assert (before.state, job.state, job.code) == ("running", "failed", "server_hung_up")


def test_a_job_passes_one_mail_that_breaks_the_session(aws: Storage, hostile: Hostile) -> None:
    server = hostile(flaky(poison=3, last=6))
    connect_mailbox(aws, server, "u@example.com")
    start(aws)

    claims(aws, server, 5)

    job = matched(aws)
    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 4, 5, 6]
    assert (job.total, job.failed, job.shown_state) == (5, 1, "done")


def test_a_folder_that_cannot_be_opened_fails_the_job_alone(aws: Storage, hostile: Hostile) -> None:
    def hook(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"LIST"):
            talk.ok(b'* LIST () "/" INBOX\r\n* LIST () "/" Weg\r\n')
        elif command.startswith(b"EXAMINE") and b"Weg" in command:
            talk.ok(status=b"NO [NOPERM] x")
        else:
            return False
        return True

    server = hostile(inbox(lambda: 1, hook))
    account = connect_mailbox(aws, server, "u@example.com")
    start(aws, INBOX, folder_id(b"Weg"))

    job = claims(aws, server, 1)

    assert (job.state, job.code) == ("failed", "folder_missing")
    assert state_of(aws, account).status == "syncing"


def test_a_job_without_folders_takes_the_accounts_own(aws: Storage, hostile: Hostile) -> None:
    def hook(talk: Talk, command: bytes) -> bool:
        if command.startswith(b"LIST"):
            names = (b"INBOX", b"Sent", b"Trash", b"Kunden")
            talk.ok(b"".join(b'* LIST () "/" %b\r\n' % name for name in names))
            return True
        return False

    server = hostile(inbox(lambda: 1, hook))
    connect_mailbox(aws, server, "u@example.com")
    start(aws)
    claims(aws, server, 1)
    default = {key.folder_id for key in keys_of(aws)}

    connect_mailbox(
        aws,
        server,
        "u@example.com",
        sync_folders="chosen",
        folder_modes={folder_id(b"Kunden"): "auto"},
    )
    jobs.create(aws.table, Job(TENANT, "j2", "sync", "box"), int(time.time()))
    run_job(tools_for(aws, server), TENANT, "j2")

    assert default == {INBOX, folder_id(b"Sent")}
    assert {key.folder_id for key in keys_of(aws)} - default == {folder_id(b"Kunden")}
    assert jobs.get(aws.table, TENANT, "j2").total == 1


@pytest.mark.parametrize(("late", "share"), [(0.0, 60.0), (59.0, 41.0)])
def test_a_share_ends_before_its_session(aws: Storage, late: float, share: float) -> None:
    tools = Tools(aws, None, None, began=0.0, clock=lambda: late)  # type: ignore[arg-type] - unused

    assert tools.share(60.0).seconds == share
    assert tools.share(20.0).seconds == 20.0


def test_late_work_leaves_a_healthy_account_healthy(aws: Storage, hostile: Hostile) -> None:
    server = hostile(inbox(lambda: 6000, lambda _talk, _command: False))
    account = connect_mailbox(aws, server, "u@example.com")
    seconds = [59.0]

    def clock() -> float:
        seconds[0] += 0.01
        return seconds[0]

    start(aws)
    run_job(tools_for(aws, server, clock=clock, began=0.0), TENANT, "j1")

    assert state_of(aws, account).status == "syncing"
    job = jobs.get(aws.table, TENANT, "j1")
    assert (job.synced, job.total > 0) == (False, True)
