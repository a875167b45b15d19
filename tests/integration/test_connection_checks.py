"""A check is no port scanner, no banner reader and no tool to try passwords with [T04]."""

import pytest
from infra.local.certificates import Certificates
from tests.support.aws import received_bodies
from tests.support.hostile_imap import GREETING, HostileImap, Script, Talk
from tests.support.http_events import Client
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
