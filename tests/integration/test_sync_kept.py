"""What is stored and no cursor is behind is not fetched again: S3 is asked."""

import json
import os
from collections.abc import Callable

import pytest
from tests.support.aws import received_bodies
from tests.support.aws_calls import aws_calls
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import OTHER, TENANT, connect_mailbox, tools_for
from tests.support.odd_inbox import Hook, asked, inbox
from tests.support.polling import INBOX, cursor_of, keys_of, poll_once

from ablage.accounts import Account
from ablage.store import jobs
from ablage.store.cursors import Cursor, move_cursor, release_lease, take_lease
from ablage.store.jobs import Job
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import Storage
from sync.jobs import run_job
from sync.kept import LOOK_BYTES

Hostile = Callable[[Script], HostileImap]
LARGE = 300 * 1024
METADATA = RawMetadata("2026-11-27T10:00:00Z", (), "inbox")


def listed_as(size: int, fetched: list[int]) -> Hook:
    """Every mail is listed with this size; whose body is fetched is noted."""

    def hook(talk: Talk, command: bytes) -> bool:
        if b"FETCH" not in command:
            return False
        if b"BODY" in command:
            fetched.extend(asked(command))
            return False
        rows = [b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (n, n, size) for n in asked(command)]
        talk.ok(b"".join(rows))
        return True

    return hook


def key_of(account: Account, uid: int) -> RawKey:
    return RawKey(account.retention, account.tenant, "box", INBOX, 7, uid)


def leave(where: Storage, account: Account, *uids: int) -> None:
    """As a worker that was killed after storing them."""
    for uid in uids:
        where.raw.put(key_of(account, uid), b"From: a@kunde.de\r\n\r\n", METADATA)


@pytest.mark.parametrize(("begun", "stored"), [(False, (5, 4, 2)), (True, (2, 3, 5))])
def test_a_poll_leaves_out_what_a_killed_one_stored(
    aws: Storage, hostile: Hostile, begun: bool, stored: tuple[int, ...]
) -> None:
    fetched: list[int] = []
    server = hostile(inbox(lambda: 6, listed_as(LARGE, fetched)))
    account = connect_mailbox(aws, server, "u@example.com")
    if begun:
        lease = take_lease(aws.table, TENANT, "box", 0)
        assert lease
        move_cursor(aws.table, TENANT, "box", Cursor(INBOX, 7, high=1), lease.fence)
        release_lease(aws.table, TENANT, "box", lease)
    leave(aws, account, *stored)
    others = connect_mailbox(aws, server, "u@example.com", tenant=OTHER)
    leave(aws, others, 1, 2, 3, 4, 5, 6)

    counts = poll_once(tools_for(aws, server), account)

    wanted = {1, 2, 3, 4, 5, 6} - ({1} if begun else set())
    assert sorted(fetched) == sorted(wanted - set(stored))
    assert (counts["stored"], counts["already_stored"]) == (len(wanted) - 3, 3)
    assert {key.uid for key in keys_of(aws) if key.tenant == TENANT} == wanted
    assert cursor_of(aws, account).top == 6


def test_a_job_tells_match_of_what_is_stored_and_fetches_the_rest(
    aws: Storage, hostile: Hostile
) -> None:
    fetched: list[int] = []
    server = hostile(inbox(lambda: 6, listed_as(LARGE, fetched)))
    account = connect_mailbox(aws, server, "u@example.com")
    leave(aws, account, 2, 3, 6)
    tools = tools_for(aws, server)
    jobs.create(aws.table, Job(TENANT, "j1", "sync", "box", folders=(INBOX,)), tools.epoch())
    told = [{"match": {"key": key_of(account, uid).text, "job": "j1"}} for uid in (2, 3, 6)]

    run_job(tools, TENANT, "j1")

    assert sorted(fetched) == [1, 4, 5]
    assert jobs.get(aws.table, TENANT, "j1").total == 6
    assert [json.loads(body) for body in received_bodies(os.environ["MATCH_QUEUE_URL"])] == told


def test_for_little_mail_nobody_asks(aws: Storage, hostile: Hostile) -> None:
    fetched: list[int] = []
    server = hostile(inbox(lambda: 3, listed_as(LOOK_BYTES // 4, fetched)))
    account = connect_mailbox(aws, server, "u@example.com")
    leave(aws, account, 2)

    with aws_calls() as calls:
        counts = poll_once(tools_for(aws, server), account)

    assert not [call for call in calls if "ListObjects" in call]
    assert sorted(fetched) == [1, 2, 3]
    assert (counts["stored"], counts["already_stored"]) == (2, 1)
