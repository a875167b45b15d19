"""Servers that lie, drip, hang up or flood: a typed fault in time, and what was whole is kept."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.hostile_imap import GREETING, HostileImap, Script, Talk
from tests.support.mailboxes import network

from ablage.accounts import Account, Folder
from ablage.errors import AccountFault
from ablage.mailbox import connection
from ablage.mailbox.connection import Bounds
from ablage.mailbox.network import Network
from ablage.mailbox.opening import Search
from ablage.mailbox.pull import Fetched, Missed, Result
from ablage.mailbox.pull import pull as pull_listed
from ablage.mailbox.session import open_session
from ablage.mailbox.status import Listed
from ablage.mailbox.syntax import Stream
from ablage.tenancy import TenantId

Start = Callable[[Script], HostileImap]
PATIENT = Bounds(seconds=60, silence=30)  # on a busy machine, too
SHORT = Bounds(seconds=4.0, silence=1.0)  # for servers that say no more
INBOX = Folder("0" * 16, "INBOX", "inbox", "INBOX")
PASSWORD = "canary-5up3r-secret"


def login(server: HostileImap, bounds: Bounds = PATIENT) -> str:
    """The code of the fault that a login ends in."""
    account = an_account(server)
    with (
        pytest.raises(AccountFault) as fault,
        open_session(network(server), account, PASSWORD, bounds),
    ):
        pass
    assert PASSWORD not in f"{fault.value!r} {fault.value.detail}"
    return fault.value.code


def an_account(server: HostileImap) -> Account:
    return Account(TenantId("t"), "a", "a@b.de", "a@b.de", server.host, server.port, "u", 1)


def pull(
    server: HostileImap, *uids: int, size: int = 10, bounds: Bounds = PATIENT
) -> tuple[list[Result], str | None]:
    """What came, and the code of the fault in which it ended."""
    came: list[Result] = []
    try:
        with open_session(network(server), an_account(server), PASSWORD, bounds) as session:
            listed = [Listed(uid, size, None) for uid in uids]
            for result in pull_listed(session.wire, listed, session.pace):
                came.append(result)  # noqa: PERF402 - what came before the fault is the point
    except AccountFault as fault:
        return came, fault.code
    return came, None


def answering(fetch: bytes, status: bytes = b"OK done", search: bytes = b"* SEARCH\r\n") -> Script:
    """Logs in; every FETCH is answered with `fetch`, every SEARCH with `search`."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            command = talk.hear()
            if b"FETCH" in command:
                talk.ok(fetch, status)
            elif b"SEARCH" in command:
                talk.ok(search)

    return script


def mail(uid: int, body: bytes = b"hello") -> bytes:
    return b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, uid, len(body), body)


def uids(results: list[Result]) -> list[int]:
    return [result.uid for result in results if isinstance(result, Fetched)]


# ---- before and at the login ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("greeting", "code"),
    [
        (b"", "server_hung_up"),
        (b"* BYE too many connections\r\n", "too_many_connections"),
        (b"* BYE\r\n", "server_hung_up"),
        (b"* PREAUTH welcome\r\n", "protocol_error"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol_error"),
        (b"\x00\xff\r\n", "protocol_error"),
        (b"* OK " + b"x" * 9_000_000, "budget_exceeded"),
        (b"* OK {999999999}\r\n", "budget_exceeded"),
    ],
)
def test_an_odd_greeting_ends_before_the_password_is_sent(
    hostile: Start, greeting: bytes, code: str
) -> None:
    def script(talk: Talk) -> None:
        talk.say(greeting)
        if b"PREAUTH" in greeting:
            talk.hear()

    server = hostile(script)

    assert login(server) == code
    assert not any(PASSWORD.encode() in line for line in server.heard)


def refusing(status: bytes) -> Script:
    def script(talk: Talk) -> None:
        talk.say(GREETING)
        talk.hear()
        talk.ok(status=status)

    return script


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (b"NO [AUTHENTICATIONFAILED] no " + PASSWORD.encode(), "login_refused"),
        (b"NO invalid credentials", "login_refused"),
        (b"NO [UNAVAILABLE] try later", "server_unavailable"),
        (b"NO [LIMIT] too many", "too_many_connections"),
        (b"BAD User is authenticated but not connected", "not_connected"),
        (b"BAD what", "protocol_error"),
    ],
)
def test_a_refused_login_says_why(hostile: Start, status: bytes, code: str) -> None:
    assert login(hostile(refusing(status))) == code


def test_a_server_with_another_ca_is_not_trusted(hostile: Start) -> None:
    server = hostile(answering(b""))
    strict = Network("", frozenset({f"{server.host}:{server.port}"}))

    with pytest.raises(AccountFault) as fault:
        connection.connect(strict, server.host, server.port, PATIENT)

    assert fault.value.code == "tls_failed"
    assert server.heard == []


def test_a_certificate_for_another_name_is_refused(hostile: Start) -> None:
    server = hostile(answering(b""))
    hosts = frozenset({f"127.0.0.1:{server.port}"})
    by_address = Network(str(server.ca_file), hosts)

    with pytest.raises(AccountFault) as fault:
        connection.connect(by_address, "127.0.0.1", server.port, PATIENT)

    assert fault.value.code == "tls_failed"


def test_a_drip_ends_at_the_deadline(hostile: Start) -> None:
    def script(talk: Talk) -> None:
        while True:
            talk.say(b"*")
            time.sleep(0.1)

    began = time.monotonic()

    assert login(hostile(script), Bounds(seconds=1.0, silence=0.5)) == "timeout"
    assert time.monotonic() - began < 20


def test_silence_ends_before_the_deadline(hostile: Start) -> None:
    def script(talk: Talk) -> None:
        talk.hear()

    began = time.monotonic()

    assert login(hostile(script), Bounds(seconds=60, silence=0.3)) == "timeout"
    assert time.monotonic() - began < 20


# ---- while fetching ------------------------------------------------------------------------------


def test_mails_before_the_connection_dropped_are_kept(hostile: Start) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.hear()
        talk.say(mail(1) + mail(2) + b"* 3 FETCH (UID 3 BODY[] {100}\r\nhalf a ma")

    came, code = pull(hostile(script), 1, 2, 3)

    assert uids(came) == [1, 2]
    assert code == "server_hung_up"


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (b"* 2 FETCH (UID 2 BODY[] {3}\r\nmore than announced)\r\n", "protocol_error"),
        (b"* 2 FETCH (UID 2 BODY[] {3}\r\nmore items)\r\n", "protocol_error"),
        (b"* 2 FETCH (UID 2 UID 3 BODY[] {2}\r\nhi)\r\n", "protocol_error"),
        (b"* 2 FETCH (UID 2 BODY[] {5}\r\nhello\r\n)\r\n", None),
        (b"* 2 FETCH (UID 2 BODY[] {9999999999}\r\n", "budget_exceeded"),
        (b"* 2 FETCH (UID 2 BODY[] {150000000}\r\n", "timeout"),
        (b"* 2 FETCH " + b"(" * 30 + b")" * 30 + b"\r\n", "protocol_error"),
        (b"* 2 FETCH (UID 2\r\n", "protocol_error"),
        (b"* 2 FETCH UID 2)\r\n", "protocol_error"),
        (b"garbage\r\n", "protocol_error"),
        (b"* 2 FETCH (FLAGS (\\Seen)", "timeout"),
        (b"* BYE shutting down\r\n", "server_hung_up"),
        (b"* " + b"x" * 9_000_000, "budget_exceeded"),
        (b"+ go on\r\n\r\n", None),
    ],
)
def test_an_odd_answer_ends_the_session_and_keeps_what_was_whole(
    hostile: Start, odd: bytes, code: str | None
) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.hear()
        talk.say(mail(1) + odd)
        if code == "timeout":
            talk.hear()
        talk.ok(mail(3))
        answering(b"")(talk)

    bounds = SHORT if code == "timeout" else PATIENT
    came, ended = pull(hostile(script), 1, 2, 3, bounds=bounds)

    assert ended == code
    assert uids(came)[0] == 1


def test_a_flood_of_answers_ends_at_the_bytes_of_the_session(hostile: Start) -> None:
    flood = b"* 7 EXPUNGE\r\n" * 40_000
    few_bytes = replace(PATIENT, received=400_000)

    came, code = pull(hostile(answering(flood)), 1, bounds=few_bytes)

    assert (came, code) == ([], "budget_exceeded")


def test_only_uids_asked_for_are_taken_and_each_once(hostile: Start) -> None:
    foreign = mail(999) + mail(99999999999999999999) + mail(0) + mail(1) + mail(1, b"twice")

    came, code = pull(hostile(answering(foreign)), 1)

    assert code is None
    assert [read_bytes(result) for result in came] == [b"hello"]


def read_bytes(result: Result) -> bytes:
    assert isinstance(result, Fetched)
    return b"".join(result.body) if isinstance(result.body, Stream) else result.body


def test_a_uid_behind_the_literal_belongs_to_its_own_answer(hostile: Start) -> None:
    late = b"* 1 FETCH (BODY[] {3}\r\none UID 1)\r\n* 2 FETCH (BODY[] {3}\r\ntwo UID 2)\r\n"

    came, _ = pull(hostile(answering(late)), 1, 2)

    assert {result.uid: read_bytes(result) for result in came} == {1: b"one", 2: b"two"}


def test_flags_of_another_client_are_no_mail(hostile: Start) -> None:
    between = b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n" + mail(1) + b"* 1 FETCH (FLAGS ())\r\n"

    came, _ = pull(hostile(answering(between)), 1)

    assert uids(came) == [1]


def test_a_body_may_be_a_quoted_string(hostile: Start) -> None:
    quoted = b'* 1 FETCH (UID 1 BODY[] "say \\"hi\\"")\r\n'

    came, _ = pull(hostile(answering(quoted)), 1)

    assert [read_bytes(result) for result in came] == [b'say "hi"']


@pytest.mark.parametrize("body", [b"BODY[] NIL", b"FLAGS ()", b'BODY[] ""', b"BODY[] {0}\r\n"])
@pytest.mark.parametrize("status", [b"OK done", b"NO cannot", b"BAD what"])
def test_a_mail_without_a_body_is_missed_not_stored_empty(
    hostile: Start, body: bytes, status: bytes
) -> None:
    empty = b"* 1 FETCH (UID 1 %b)\r\n" % body + mail(2)

    came, code = pull(hostile(answering(empty, status, b"* SEARCH 1 2\r\n")), 1, 2)

    assert code is None
    assert uids(came) == [2]
    assert Missed(1, "unfetchable") in came


def test_an_absent_mail_is_gone_only_when_the_server_says_so(hostile: Start) -> None:
    came, _ = pull(hostile(answering(mail(2), search=b"* SEARCH 2 3\r\n")), 1, 2, 3)

    assert came[1:] == [Missed(1, "gone"), Missed(3, "unfetchable")]


def test_a_mail_announced_too_large_is_not_asked_for(hostile: Start) -> None:
    server = hostile(answering(mail(1)))

    came, _ = pull(server, 1, size=200_000_000)

    assert came == [Missed(1, "too_large")]
    assert not any(b"FETCH" in line for line in server.heard)


def test_nothing_but_reading_commands_is_ever_sent(hostile: Start) -> None:
    server = hostile(answering(mail(1)))

    pull(server, 1, 2)

    told = {line.split()[1].upper() for line in server.heard}
    assert told <= {b"LOGIN", b"UID", b"LOGOUT"}
    assert all(b"PEEK" in line for line in server.heard if b"FETCH" in line)


def test_the_second_command_of_a_flight_does_not_wait_for_the_first_to_be_acknowledged(
    hostile: Start,
) -> None:
    """A server acknowledges with its answer, or after 40 ms."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.hear()
            first = talk.tag
            talk.hear()
            talk.ok(b"* OK [UIDVALIDITY 7] x\r\n" + first + b" OK\r\n* SEARCH 1\r\n")

    server, seconds = hostile(script), []
    with open_session(network(server), an_account(server), PASSWORD, PATIENT) as session:
        for _ in range(10):
            began = time.monotonic()
            session.examine(INBOX, Search(0))
            seconds.append(time.monotonic() - began)

    assert min(seconds) < 0.02
