"""A session lost without a reason is made once more in the same run; nothing else is, for each
reconnect is a login."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.support.hostile_imap import GREETING, HostileImap, Script, Talk
from tests.support.mailboxes import (
    TENANT,
    connect_mailbox,
    put_account,
    state_of,
    tools_for,
)
from tests.support.odd_inbox import answer, inbox
from tests.support.polling import keys_of, poll_once

from ablage.accounts import AccountState
from ablage.faults import TABLE, row_of
from ablage.mailbox.connection import Bounds
from ablage.store import jobs
from ablage.store.jobs import Job
from ablage.store.storage import Storage
from sync.hosts import ENOUGH
from sync.jobs import run_job
from sync.sync_account import Seen, poll_account
from sync.tools import Tools

Hostile = Callable[[Script], HostileImap]
Act = Callable[[Talk], None]

MAILS = 3
BEGIN = datetime(2026, 11, 27, 3, 0, tzinfo=UTC).timestamp()
HALF = b"* 1 FETCH (UID 1 BODY[] {100}\r\nFrom: a@kunde.de\r\n"


class Quick(Tools):
    def bounds(self) -> Bounds:
        return Bounds(seconds=20.0, silence=0.5)


def quick(where: Storage, server: HostileImap) -> Quick:
    known = tools_for(where, server)
    return Quick(known.storage, known.access, known.network, jitter=lambda: 0.0)


def once(act: Act) -> Script:
    """An Inbox where `act` happens in place of the first bodies; later sessions go well."""
    met: list[bytes] = []

    def hook(talk: Talk, command: bytes) -> bool:
        if met or b"BODY" not in command:
            return False
        met.append(command)
        act(talk)
        return True

    return inbox(lambda: MAILS, hook)


def logins(server: HostileImap) -> int:
    return sum(b" LOGIN " in line or b"AUTHENTICATE" in line for line in server.heard)


def says(*lines: bytes, hangs_up: bool = True) -> Act:
    def act(talk: Talk) -> None:
        for line in lines:
            talk.say(line)
        if hangs_up:
            raise ConnectionError
        talk.is_heard_within(10)

    return act


def resets(talk: Talk) -> None:
    talk.say(HALF)
    talk.reset()


def breaks_a_record(talk: Talk) -> None:
    talk.say(HALF)
    talk.garble()
    talk.is_heard_within(10)


LOST: dict[str, Act] = {
    "closed in a mail": says(HALF),
    "reset in a mail": resets,
    "closed between mails": says(),
    "a good-bye without a reason": says(b"* BYE Connection closed. 14\r\n"),
    "silent in a mail": says(HALF, hangs_up=False),
    "a record that is broken": breaks_a_record,
}


@pytest.mark.parametrize("how", LOST)
def test_a_lost_session_is_made_once_more_and_goes_on(
    aws: Storage, hostile: Hostile, how: str
) -> None:
    server = hostile(once(LOST[how]))
    account = connect_mailbox(aws, server, "u@example.com")

    counts = poll_once(quick(aws, server), account)

    assert sorted(key.uid for key in keys_of(aws)) == [1, 2, 3]
    assert (server.connections, logins(server), counts["reconnects"]) == (2, 2, 1)
    state = state_of(aws, account)
    assert (state.status, state.code, state.tries) == ("ok", None, 0)


@pytest.mark.parametrize("how", LOST)
def test_a_lost_session_of_a_job_is_made_once_more(
    aws: Storage, hostile: Hostile, how: str
) -> None:
    server = hostile(once(LOST[how]))
    connect_mailbox(aws, server, "u@example.com")
    tools = quick(aws, server)
    jobs.create(aws.table, Job(TENANT, "j1", "sync", "box"), tools.epoch())

    run_job(tools, TENANT, "j1")

    job = jobs.get(aws.table, TENANT, "j1")
    assert (job.total, job.code, server.connections) == (MAILS, None, 2)


def ends(status: bytes) -> Act:
    return lambda talk: talk.ok(status=status)


TOLD: dict[str, tuple[str, Act]] = {
    "quota": ("over_quota", ends(b"NO [OVERQUOTA] Account exceeded bandwidth limits.")),
    "throttle": ("throttled", ends(b"BAD Request is throttled.")),
    "connections": ("too_many_connections", says(b"* BYE Too many connections\r\n")),
    "busy": ("server_unavailable", ends(b"NO [UNAVAILABLE] Server error")),
    "busy good-bye": ("server_unavailable", says(b"* BYE [UNAVAILABLE] restarting\r\n")),
    "licence": ("not_connected", ends(b"NO User is authenticated but not connected.")),
    "locked": ("account_blocked", says(b"* BYE [CONTACTADMIN] locked\r\n")),
    "no IMAP": ("protocol_error", says(b"220 ESMTP\r\n")),
    "bomb": ("budget_exceeded", says(b"* 1 FETCH (UID 1 BODY[] {9999999999}\r\n")),
}


@pytest.mark.parametrize("how", TOLD)
def test_what_is_told_is_no_reason_to_log_in_again(
    aws: Storage, hostile: Hostile, how: str
) -> None:
    code, act = TOLD[how]
    server = hostile(once(act))
    account = connect_mailbox(aws, server, "u@example.com")

    poll_once(quick(aws, server), account)

    assert state_of(aws, account).code == code
    assert (server.connections, logins(server)) == (1, 1)


def test_a_row_for_each_way_out_is_tried() -> None:
    met = {code for code, _ in TOLD.values()}

    assert {row_of(code).kind for code in met} >= {"throttle", "transient", "auth", "ours"}
    assert not any(row.reconnects for row in TABLE if row.code in met)


def at_greeting(talk: Talk) -> None:
    raise ConnectionError


def silent_at_greeting(talk: Talk) -> None:
    talk.is_heard_within(10)


def at_login(talk: Talk) -> None:
    talk.say(GREETING)
    talk.hear()
    raise ConnectionError


def silent_at_login(talk: Talk) -> None:
    talk.say(GREETING)
    talk.hear()
    talk.is_heard_within(10)


@pytest.mark.parametrize("script", [at_greeting, silent_at_greeting, at_login, silent_at_login])
def test_before_the_login_went_well_nothing_is_tried_twice(
    aws: Storage, hostile: Hostile, script: Script
) -> None:
    server = hostile(script)
    account = connect_mailbox(aws, server, "u@example.com")

    poll_once(quick(aws, server), account)

    assert server.connections == 1
    assert state_of(aws, account).code in {"server_hung_up", "timeout"}


def test_a_login_that_is_refused_then_counts_once(aws: Storage, hostile: Hostile) -> None:
    sessions: list[Talk] = []

    def script(talk: Talk) -> None:
        sessions.append(talk)
        if len(sessions) > 1:
            talk.say(GREETING)
            talk.hear()
            talk.ok(status=b"NO [AUTHENTICATIONFAILED] no")
            return
        inbox(lambda: MAILS, lambda _, command: b"BODY" in command and talk.reset() is None)(talk)

    server = hostile(script)
    account = connect_mailbox(aws, server, "u@example.com")

    poll_once(quick(aws, server), account)

    state = state_of(aws, account)
    assert (state.code, state.refusals) == ("login_refused", 1)
    assert (server.connections, logins(server)) == (2, 2)


def test_a_server_that_loses_each_session_is_logged_in_to_as_ticks_say(
    aws: Storage, hostile: Hostile
) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        answer(talk, talk.hear(), 0, MAILS)

    server = hostile(script)
    account = connect_mailbox(aws, server, "u@example.com")

    for hour in range(12):
        later = replace(tools_for(aws, server), now=lambda at=BEGIN + 7200 * hour: at)
        poll_once(later, account)

    assert logins(server) == 12 + 1
    assert state_of(aws, account).code == "server_hung_up"


def test_a_host_that_is_down_is_not_connected_to_again(aws: Storage, hostile: Hostile) -> None:
    server = hostile(once(says(HALF, hangs_up=False)))
    account = connect_mailbox(aws, server, "u@example.com")
    tools = quick(aws, server)
    for _ in range(ENOUGH):
        tools.hosts.note(server.host, "timeout")

    poll_account(tools, Seen(account, state_of(aws, account)))

    assert (server.connections, state_of(aws, account).code) == (1, "timeout")


def test_an_account_in_trouble_does_not_reconnect(aws: Storage, hostile: Hostile) -> None:
    server = hostile(once(says(HALF)))
    account = connect_mailbox(aws, server, "u@example.com")
    put_account(aws, account, AccountState("degraded", code="timeout", tries=1))

    poll_once(quick(aws, server), account)

    assert server.connections == 1
