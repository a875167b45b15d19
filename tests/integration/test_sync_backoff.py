"""After a fault a mailbox is left alone until its time has come, and no longer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.hostile_imap import GREETING, HostileImap, Script, Talk
from tests.support.mailboxes import (
    TENANT,
    connect_mailbox,
    put_account,
    put_secret,
    state_of,
    tools_for,
)
from tests.support.odd_inbox import answer, inbox
from tests.support.polling import keys_of, poll_once

from ablage.mailbox.network import Network
from ablage.mailbox.pace import START
from ablage.mailbox.pull import BATCH_MAILS
from ablage.store import cursors, keys
from ablage.store.storage import Storage
from sync.hosts import Hosts
from sync.poll import more

Hostile = Callable[[Script], HostileImap]
HOUR = 3600
IMPORT = START * BATCH_MAILS + 10  # more mails than are asked for at first
BEGIN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC).timestamp()


def picky(password: bytes, refusal: bytes = b"NO [AUTHENTICATIONFAILED] no") -> Script:
    """An Inbox of two mails behind a login with `password` alone."""

    def script(talk: Talk) -> None:
        talk.say(GREETING)
        while True:
            command = talk.hear()
            if command.startswith(b"LOGIN"):
                talk.ok(status=b"OK in" if password in command else refusal)
            else:
                answer(talk, command, poison=0, last=2)

    return script


def logins(server: HostileImap) -> int:
    return sum(b"LOGIN" in line or b"AUTHENTICATE" in line for line in server.heard)


def test_a_dead_password_is_sent_five_times_in_thirty_days(aws: Storage, hostile: Hostile) -> None:
    server = hostile(picky(b"the new one"))
    account = connect_mailbox(aws, server, "u@example.com")
    looks = [n * HOUR / 4 for n in range(4 * 40)] + [n * 12 * HOUR for n in range(4, 60)]

    sent = []
    for at in looks:
        before = logins(server)
        poll_once(tools_for(aws, server, now=lambda at=at: BEGIN + at), account)
        if logins(server) > before:
            sent.append(at / HOUR)

    assert sent == [0, 0.25, 1.25, 7.25, 31.25]
    assert logins(server) == 5
    assert (state_of(aws, account).status, state_of(aws, account).refusals) == (
        "reauth_required",
        5,
    )
    renewed = replace(account, version=2, login_version=2)
    put_account(aws, renewed, state_of(aws, account))
    put_secret(aws, renewed, "the new one")
    poll_once(tools_for(aws, server, now=lambda: BEGIN + 31 * 24 * HOUR), account)
    assert (state_of(aws, account).status, state_of(aws, account).refusals) == ("ok", 0)


@pytest.mark.parametrize(
    ("refusal", "seconds"),
    [
        (b"BAD Request is throttled. Suggested Backoff Time: 600000 milliseconds", 600),
        (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.", HOUR),
        (b"BAD User is authenticated but not connected.", HOUR),
    ],
)
def test_nobody_connects_before_the_wait_is_over(
    aws: Storage, hostile: Hostile, refusal: bytes, seconds: int
) -> None:
    server = hostile(picky(b"never", refusal))
    account = connect_mailbox(aws, server, "u@example.com")

    connected = []
    for at in (0, 60, seconds - 1, seconds):
        tools = tools_for(aws, server, now=lambda at=at: BEGIN + at)
        cursors.ensure_more(aws.table, TENANT, "box", int(BEGIN))
        poll_once(tools, account)
        more(tools, TENANT, "box")
        connected.append(server.connections)

    assert connected == [1, 1, 1, 2]


def test_over_quota_leftover_work_waits_a_day_and_new_mail_an_hour(
    aws: Storage, hostile: Hostile
) -> None:
    is_over = [True]

    def hook(talk: Talk, command: bytes) -> bool:
        if is_over[0] and b"BODY" in command:
            talk.ok(status=b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.")
            return True
        return False

    server = hostile(inbox(lambda: 2, hook))
    account = connect_mailbox(aws, server, "u@example.com")
    poll_once(tools_for(aws, server, now=lambda: BEGIN), account)
    is_over[0] = False
    cursors.leave_more(aws.table, TENANT, "box", int(BEGIN))

    later = tools_for(aws, server, now=lambda: BEGIN + 2 * HOUR)
    more(later, TENANT, "box")
    waits = aws.table.get(keys.more(TENANT, "box"))
    assert keys_of(aws) == []
    assert waits
    assert waits["due_sk"].startswith(f"{int(BEGIN) + 24 * HOUR}#")
    poll_once(later, account)
    more(tools_for(aws, server, now=lambda: BEGIN + 25 * HOUR), TENANT, "box")

    assert sorted(key.uid for key in keys_of(aws)) == [1, 2]


@pytest.mark.parametrize(("seconds_gone", "connections"), [(0, 2), (55, 1)])
def test_a_lost_connection_is_made_once_more_while_there_is_time(
    aws: Storage, hostile: Hostile, seconds_gone: float, connections: int
) -> None:
    lost: list[bytes] = []

    def hook(_talk: Talk, command: bytes) -> bool:
        if b"BODY" in command and not lost:
            lost.append(command)
            raise ConnectionError
        return False

    server = hostile(inbox(lambda: 2, hook))
    account = connect_mailbox(aws, server, "u@example.com")
    tools = tools_for(aws, server)

    poll_once(replace(tools, began=tools.began - seconds_gone), account)

    assert server.connections == connections
    assert state_of(aws, account).status == ("ok" if connections == 2 else "degraded")


def test_a_lost_connection_is_made_once_more_and_not_for_ever(
    aws: Storage, hostile: Hostile
) -> None:
    def hook(_talk: Talk, _command: bytes) -> bool:
        raise ConnectionError

    server = hostile(inbox(lambda: 2, hook))
    account = connect_mailbox(aws, server, "u@example.com")
    tools = tools_for(aws, server)

    poll_once(tools, account)

    assert server.connections == 2
    assert tools.summary.counts()["reconnects"] == 1
    assert state_of(aws, account).code == "server_hung_up"


def test_a_first_import_shows_as_syncing_until_all_is_read(aws: Storage, hostile: Hostile) -> None:
    server = hostile(inbox(lambda: IMPORT, lambda *_: False))
    account = connect_mailbox(aws, server, "u@example.com")
    little = tools_for(aws, server, slice_bytes=1)

    poll_once(little, account)
    shown = [state_of(aws, account).status]
    more(tools_for(aws, server), TENANT, "box")
    shown.append(state_of(aws, account).status)

    assert shown == ["syncing", "ok"]
    assert len(keys_of(aws)) == IMPORT


def test_after_a_throttle_mail_is_fetched_slowly_for_an_hour(
    aws: Storage, hostile: Hostile
) -> None:
    server = hostile(inbox(lambda: 8, lambda *_: False))
    account = connect_mailbox(aws, server, "u@example.com")
    state = replace(state_of(aws, account), slow_until=int(BEGIN) + HOUR)

    put_account(aws, account, state)
    poll_once(tools_for(aws, server, now=lambda: BEGIN), account)

    fetches = [line for line in server.heard if b"BODY" in line]
    assert [line.split()[3] for line in fetches] == [b"5:8", b"1:4"]
    assert sorted(key.uid for key in keys_of(aws)) == list(range(1, 9))


def test_after_that_hour_it_is_fetched_as_ever(aws: Storage, hostile: Hostile) -> None:
    server = hostile(inbox(lambda: 8, lambda *_: False))
    account = connect_mailbox(aws, server, "u@example.com")
    state = replace(state_of(aws, account), slow_until=int(BEGIN) + HOUR)

    put_account(aws, account, state)
    poll_once(tools_for(aws, server, now=lambda: BEGIN + HOUR), account)

    assert sum(b"BODY" in line for line in server.heard) == 1


def test_a_host_that_is_down_is_not_asked_for_each_of_its_mailboxes(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    there = f"{imap.host}:{imap.port}"
    network = Network(str(imap.ca_file), frozenset({"LOCALHOST:1", there}))  # nobody listens at 1
    down = [
        connect_mailbox(aws, imap, user, account_id=f"a{n:02}", port=1, host="LOCALHOST")
        for n in range(12)
    ]
    well = connect_mailbox(aws, imap, user, account_id="well")
    tools = tools_for(aws, imap, network=network)

    counts = poll_once(tools, *down, well)

    assert counts["fault_connect_failed"] == 5
    assert counts["host_down"] == 7
    assert state_of(aws, well).status == "ok"
    assert [state_of(aws, account).code for account in down] == ["connect_failed"] * 5 + [None] * 7
    counts = poll_once(tools_for(aws, imap, network=network), *down)
    assert counts["fault_connect_failed"] == 5


def test_one_mailbox_that_fails_is_no_outage_of_its_host() -> None:
    hosts = Hosts()
    for _ in range(6):
        hosts.note("a", None)
    for code in ["timeout"] * 6 + ["login_refused"] * 9:
        hosts.note("a", code)
        hosts.note("b", "login_refused")

    assert not hosts.is_down("a")
    assert not hosts.is_down("b")
    for _ in range(20):
        hosts.note("a", "timeout")
    assert hosts.is_down("a")
