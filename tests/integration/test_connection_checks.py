"""A check is no port scanner, no banner reader and no tool to try passwords with [T04]."""

from collections.abc import Callable

import pytest
from infra.local.certificates import Certificates
from tests.support.aws import received_bodies
from tests.support.hostile_imap import GREETING, HostileImap, Script, Talk
from tests.support.http_events import Answer, Client
from tests.support.mailboxes import TENANT, connect_mailbox, tools_for

from ablage.errors import TooMany
from ablage.faults import TABLE
from ablage.mailbox.connection import Bounds
from ablage.settings import settings
from ablage.store import jobs, rates
from ablage.store.jobs import Job
from ablage.store.rates import Rate
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from sync.jobs import run_job
from sync.tools import Tools

CANARY = b"canary-7f3a9"
OURS = {row.code for row in TABLE}
RATE = Rate(5, 3600)
OTHER = TenantId("other")


def says(*lines: bytes) -> Script:
    def script(talk: Talk) -> None:
        for line in lines:
            talk.say(line)
        while True:
            talk.hear()
            talk.ok(status=b"NO " + CANARY)

    return script


def hangs_up(_talk: Talk) -> None:
    return


BEHAVIOURS: dict[str, tuple[Script, str]] = {  # and whether it speaks TLS
    "hangs up": (hangs_up, "tls"),
    "silent": (says(), "tls"),
    "refuses": (says(GREETING), "tls"),
    "good-bye": (says(b"* BYE " + CANARY + b"\r\n"), "tls"),
    "another protocol": (says(b"220 " + CANARY + b" ESMTP\r\n"), "tls"),
    "a flood": (says(b"* OK " + CANARY + b"x" * 9_000_000), "tls"),
    "without TLS": (says(b"* OK " + CANARY + b"\r\n"), "plain"),
    "ssh": (says(b"SSH-2.0-" + CANARY + b"\r\n"), "plain"),
}


class Quick(Tools):
    def bounds(self) -> Bounds:
        return Bounds(seconds=2.0, silence=0.2)


@pytest.mark.parametrize("port", ["its own", "25", "143"])
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_check_answers_in_our_words_alone(
    aws: Storage, certificates: Certificates, behaviour: str, port: str
) -> None:
    script, kind = BEHAVIOURS[behaviour]
    server = HostileImap(certificates, script, "own" if kind == "tls" else None)
    known = tools_for(aws, server)
    tools = Quick(known.storage, known.access, known.network)
    at = server.port if port == "its own" else int(port)
    connect_mailbox(aws, server, "u@example.com", port=at)
    jobs.create(aws.table, Job(TENANT, "j", "check", "box"), tools.epoch())

    run_job(tools, TENANT, "j")
    server.stop()

    job = jobs.get(aws.table, TENANT, "j")
    assert job.state == "failed"
    assert job.code in OURS
    assert (job.code == "address_refused") == (port != "its own")
    assert (server.connections == 0) == (port != "its own")
    assert CANARY.decode() not in f"{job} {tools.summary.counts()}"
    assert CANARY.decode() not in str(list(aws.table.query_all(f"T#{TENANT}#ACCOUNT#box")))


def test_a_user_checks_five_times_an_hour(aws: Storage) -> None:
    user, colleague = Client("acme", subject="u"), Client("acme", subject="v")
    body = {"id": "a", "address": "a@firma.de", "host": "imap.firma.de", "username": "a"}
    assert user("POST", "/v1/accounts", body | {"password": "p"}).status == 201
    assert Client("other")("POST", "/v1/accounts", body | {"password": "p"}).status == 201
    received_bodies(settings().sync_queue_url)

    answers = []
    while not answers or answers[-1].status == 202:
        answers.append(user("POST", "/v1/accounts/a/check"))

    refused = answers[-1]
    assert len(answers) in range(6, 12)  # a new hour may begin in between
    assert (refused.status, refused.code) == (429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert colleague("POST", "/v1/accounts/a/check").status == 202
    assert Client("other", subject="u")("POST", "/v1/accounts/a/check").status == 202
    assert len(received_bodies(settings().sync_queue_url)) >= 5


def test_a_tenant_checks_twenty_times_a_day(aws: Storage) -> None:
    body = {"id": "a", "address": "a@firma.de", "host": "imap.firma.de", "username": "a"}
    Client("acme")("POST", "/v1/accounts", body | {"password": "p"})

    statuses = [
        Client("acme", subject=f"u{n}")("POST", "/v1/accounts/a/check").status for n in range(41)
    ]

    assert statuses.count(202) in range(20, 41)
    assert statuses[-1] == 429


MAILBOX = {"id": "a", "address": "a@firma.de", "host": "imap.firma.de", "username": "a"}


def until_refused(ask: Callable[[int], Answer]) -> list[Answer]:
    """A window may end in between: twice as many get in then."""
    answers: list[Answer] = []
    while not answers or answers[-1].status < 400:
        answers.append(ask(len(answers)))
        assert len(answers) < 50
    return answers


def polls() -> int:
    return len(received_bodies(settings().sync_queue_url))


def test_a_password_is_sent_five_times_an_hour(aws: Storage) -> None:
    acme, other = Client("acme"), Client("other")
    for client in (acme, other):
        assert client("POST", "/v1/accounts", MAILBOX | {"password": "p"}).status == 201
    polls()

    answers = until_refused(lambda n: acme("PATCH", "/v1/accounts/a", {"password": f"p{n}"}))

    refused = answers[-1]
    assert len(answers) in range(5, 11)  # connecting was the first
    assert (refused.status, refused.code) == (429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert polls() == len(answers) - 1
    shown = acme("GET", "/v1/accounts/a").json
    assert shown["version"] == len(answers)  # the refused one changed nothing
    assert acme("PATCH", "/v1/accounts/a", {"owner": "o", "sync": False}).status == 200
    assert other("PATCH", "/v1/accounts/a", {"password": "p2"}).status == 200


@pytest.mark.parametrize(
    "changes",
    [{"username": "A"}, {"sync": False}, {"port": 994}],
    ids=["written otherwise", "switched off", "another port"],
)
def test_a_refused_password_gets_in_by_no_detour(aws: Storage, changes: dict[str, object]) -> None:
    acme = Client("acme")
    acme("POST", "/v1/accounts", MAILBOX | {"password": "p"})
    until_refused(lambda _: acme("PATCH", "/v1/accounts/a", {"password": "p"}))

    tries = [lambda _: acme("PATCH", "/v1/accounts/a", {"password": "p"} | changes)]
    tries += [lambda n: acme("POST", "/v1/accounts", MAILBOX | {"id": f"b{n}", "password": "p"})]

    for ask in tries:
        assert until_refused(ask)[-1].code == "too_many_requests"
    assert acme("PATCH", "/v1/accounts/a", {"username": "b", "password": "p"}).status == 200


def test_connecting_and_disconnecting_tries_no_passwords(aws: Storage) -> None:
    acme = Client("acme")

    def connect(n: int) -> Answer:
        acme("DELETE", "/v1/accounts/a")
        return acme("POST", "/v1/accounts", MAILBOX | {"password": f"p{n}"})

    answers = until_refused(connect)

    assert len(answers) in range(6, 12)
    assert answers[-1].code == "too_many_requests"
    assert polls() == len(answers) - 1
    assert acme("GET", "/v1/accounts/a").status == 404


def test_what_logs_in_nowhere_counts_as_no_login(aws: Storage) -> None:
    acme = Client("acme")
    body = MAILBOX | {"password": "p"}
    answers = [acme("POST", "/v1/accounts", body).status for _ in range(12)]

    wrong = [acme("PATCH", "/v1/accounts/a", {"password": "p", "version": 9}) for _ in range(12)]
    owners = [acme("PATCH", "/v1/accounts/a", {"owner": f"o{n}"}).status for n in range(12)]

    assert answers == [201] + [200] * 11
    assert {answer.status for answer in wrong} == {412}
    assert owners == [200] * 12
    assert acme("PATCH", "/v1/accounts/a", {"password": "p"}).status == 200


def test_hosts_are_tried_twice_a_day_for_each_mailbox_there_may_be(
    aws: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOTA_ACCOUNTS", "3")
    settings.cache_clear()
    acme = Client("acme")

    def connect(n: int) -> Answer:
        acme("DELETE", "/v1/accounts/a")
        return acme("POST", "/v1/accounts", MAILBOX | {"host": f"h{n}.de", "password": "p"})

    answers = until_refused(connect)

    assert len(answers) in range(7, 14)
    assert answers[-1].code == "too_many_requests"
    assert int(answers[-1].headers["Retry-After"]) <= 86400


def test_a_rate_counts_by_window_name_and_tenant(aws: Storage) -> None:
    for _ in range(RATE.most):
        rates.count(aws.table, TENANT, "x", RATE, 7199)
    with pytest.raises(TooMany) as refused:
        rates.count(aws.table, TENANT, "x", RATE, 7190)

    assert refused.value.retry_after == 10
    rates.count(aws.table, TENANT, "x", RATE, 7200)
    rates.count(aws.table, TENANT, "y", RATE, 7199)
    rates.count(aws.table, OTHER, "x", RATE, 7199)


def test_what_is_refused_is_not_counted_and_goes_by_itself(aws: Storage) -> None:
    for _ in range(RATE.most):
        rates.count(aws.table, TENANT, "x", RATE, 3600)
    for _ in range(7):
        with pytest.raises(TooMany):
            rates.count(aws.table, TENANT, "x", RATE, 3600)

    item = next(iter(aws.table.query_all(f"T#{TENANT}#RATE#x")))
    assert (item["asked"], item["expires"]) == (5, 3600 + 7200)
