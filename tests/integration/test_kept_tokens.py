"""Access tokens that one worker was given serve all of them until they are over: what that spares,
and that nobody else gets at them."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import boto3
import pytest
from infra.local.certificates import Certificates
from infra.local.identity_provider import IdentityProvider
from tests.integration.test_access import Clock, token
from tests.support.aws_calls import aws_calls
from tests.support.faulty_aws import Attempt, Fault, FaultyAws, meeting, refuse
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import OTHER, TENANT, network, put_account, tools_for
from tests.support.oauth import an_access, an_account, grant_access, register, running
from tests.support.odd_inbox import answer
from tests.support.polling import poll_once

from ablage.accounts import Account
from ablage.errors import AccountFault
from ablage.mailbox.network import Network
from ablage.mailbox.tls import TlsStream
from ablage.store import connections, keys
from ablage.store.storage import Storage
from ablage.store.table import Item
from sync.access import Access

Hostile = Callable[[Script], HostileImap]
COLD = ["dynamodb:GetItem"]  # the sealed token
DATA_KEY = ["dynamodb:GetItem", "kms:Decrypt"]  # of the tenant, once an hour
ASKED = ["dynamodb:Query", "dynamodb:GetItem", "kms:Decrypt", "dynamodb:GetItem", "kms:Decrypt"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(aws: Storage, certificates: Certificates) -> Iterator[IdentityProvider]:
    with running(certificates) as started:
        started.answers.rotates = False
        register(aws)
        yield started


class Workers:
    """Each with nothing in its memory."""

    def __init__(self, where: Storage, certificates: Certificates, clock: Clock) -> None:
        self._make = lambda **more: an_access(where, certificates, now=clock, **more)

    def __call__(self, **more: int) -> Access:
        return self._make(**more)


@pytest.fixture
def worker(aws: Storage, certificates: Certificates, clock: Clock, provider: object) -> Workers:
    return Workers(aws, certificates, clock)


# ---- what it spares ------------------------------------------------------------------------------


def authorized(
    where: Storage, provider: IdentityProvider, access: Access, *names: str
) -> list[tuple[Account, str]]:
    """Mailboxes with the token each was given."""
    accounts = [an_account(account_id=name) for name in names or ("box",)]
    for account in accounts:
        grant_access(where, provider, account)
    given = [(account, token(access, account)) for account in accounts]
    provider.calls.clear()
    return given


def test_a_cold_worker_reads_one_item_and_asks_nobody(
    aws: Storage, provider: IdentityProvider, worker: Workers
) -> None:
    given = authorized(aws, provider, worker(), "box", "box2")

    cold, counted = worker(), []
    for account, known in given:
        with aws_calls() as calls:
            assert token(cold, account) == known
        counted.append(calls)

    assert counted == [COLD + DATA_KEY, COLD]
    assert provider.calls == []


def test_without_the_copy_it_would_ask_kms_twice_and_the_provider_once(
    aws: Storage, provider: IdentityProvider, worker: Workers
) -> None:
    ((account, _),) = authorized(aws, provider, worker())
    aws.table.delete(keys.opened_secret(TENANT, "box"))

    with aws_calls() as calls:
        token(worker(), account)

    assert calls[: len(COLD + ASKED)] == COLD + ASKED
    assert len(provider.calls) == 1


def test_many_more_mailboxes_than_memory_has_room_for_cost_a_call_an_hour_each(
    aws: Storage, provider: IdentityProvider, worker: Workers, clock: Clock
) -> None:
    """Polled in turn, every five minutes, by whichever of three workers."""
    given = authorized(aws, provider, worker(), *(f"box{n}" for n in range(20)))
    workers = [worker(entries=4) for _ in range(3)]

    with aws_calls() as calls:
        for look in range(1, 12):
            clock.at += 300 - (look == 11)
            for number, (account, known) in enumerate(given):
                assert token(workers[(number + look) % 3], account) == known
    assert provider.calls == []
    assert set(calls) == {"dynamodb:GetItem", "kms:Decrypt"}
    assert calls.count("kms:Decrypt") == 3

    clock.at += 1
    for account, _ in given:
        token(workers[0], account)
        token(workers[1], account)
    assert len(provider.calls) == 20


def test_an_idle_look_of_a_cold_worker_costs_one_read_more_than_a_warm_ones(
    aws: Storage, hostile: Hostile, provider: IdentityProvider, worker: Workers
) -> None:
    def script(talk: Talk) -> None:
        talk.say(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready\r\n")
        while True:
            answer(talk, talk.hear(), poison=0, last=2)

    server = hostile(script)
    account = an_account()
    grant_access(aws, provider, account)

    def look(access: Access) -> list[str]:
        tools = tools_for(aws, server, access=access, network=Elsewhere.to(server))
        with aws_calls() as calls:
            poll_once(tools, account)
        return calls

    warm = worker()
    look(warm)
    cold = worker()
    counted = [look(warm), look(cold), look(cold)]

    assert counted[0] == counted[2]
    assert counted[1] == [*counted[0], *COLD, *DATA_KEY]
    assert set(counted[0]) == {"dynamodb:BatchGetItem"}
    assert [call["grant_type"] for call in provider.calls] == ["authorization_code"]


@dataclass(frozen=True)
class Elsewhere(Network):
    """The provider's mail server is the scripted one."""

    server: HostileImap | None = None

    @classmethod
    def to(cls, server: HostileImap) -> "Elsewhere":
        known = network(server)
        return cls(known.ca_file, known.local_hosts, server=server)

    def connect(self, _host: str, _port: int, seconds: float) -> TlsStream:
        assert self.server
        return super().connect(self.server.host, self.server.port, seconds)


# ---- who gets at them, and for how long ----------------------------------------------------------


def copy_of(where: Storage) -> Item | None:
    return where.table.get(keys.opened_secret(TENANT, "box"))


def test_a_token_lies_there_sealed_and_goes_when_it_is_over(
    aws: Storage, provider: IdentityProvider, worker: Workers, clock: Clock
) -> None:
    ((_, known),) = authorized(aws, provider, worker())

    dump = repr(boto3.client("dynamodb").scan(TableName=aws.table.name)["Items"]).encode()

    shown = (known.encode(), base64.b64encode(known.encode()), known.encode().hex().encode())
    assert not any(form in dump for form in shown)
    copy = copy_of(aws)
    assert copy
    assert copy["expires"] == int(clock.at) + 3600 - 300


@pytest.mark.parametrize(
    "change",
    [{"version": 7}, {"kind": "password"}, {"sealed": b"x" * 60}, {"kind": "refresh_token"}],
)
def test_what_does_not_fit_is_not_believed(
    aws: Storage, provider: IdentityProvider, worker: Workers, change: Item
) -> None:
    ((account, known),) = authorized(aws, provider, worker())
    copy = copy_of(aws)
    assert copy

    aws.table.put(keys.opened_secret(TENANT, "box"), copy | change)

    assert token(worker(), account) != known
    assert len(provider.calls) == 1


def test_a_copy_put_elsewhere_opens_for_nobody(
    aws: Storage, provider: IdentityProvider, worker: Workers
) -> None:
    ((_, known), *_) = authorized(aws, provider, worker(), "box", "box2")
    copy = copy_of(aws)
    assert copy
    aws.table.put(keys.opened_secret(TENANT, "box2"), copy)
    aws.table.put(keys.opened_secret(OTHER, "box"), copy)

    assert token(worker(), an_account(account_id="box2")) != known
    with pytest.raises(AccountFault):
        worker().credential(an_account(tenant=OTHER))


def test_a_token_that_is_refused_is_replaced_for_all(
    aws: Storage, provider: IdentityProvider, worker: Workers
) -> None:
    ((account, known),) = authorized(aws, provider, worker())

    anew = token(worker(), account, anew=True)

    assert anew != known
    assert token(worker(), account) == anew
    assert len(provider.calls) == 1


def test_another_login_begins_with_a_token_of_its_own(
    aws: Storage, provider: IdentityProvider, worker: Workers
) -> None:
    ((account, known),) = authorized(aws, provider, worker())
    again = replace(account, login_version=2)
    grant_access(aws, provider, again)

    fresh = token(worker(), again)
    slow = worker()
    token(slow, account, anew=True)  # it had read the account before

    assert fresh != known
    assert token(worker(), again) == fresh


def test_a_disconnected_mailbox_has_none_and_gets_none(
    aws: Storage, provider: IdentityProvider, worker: Workers
) -> None:
    ((account, _),) = authorized(aws, provider, worker())
    secrets = worker()._secrets

    connections.disconnect(aws, TENANT, "box", "job-1", 1_000)
    assert copy_of(aws) is None
    secrets.keep_token(TENANT, "box", account.login_version, "1 late", 1)

    assert copy_of(aws) is None


def test_access_without_a_person_is_kept_too(
    aws: Storage, provider: IdentityProvider, worker: Workers
) -> None:
    register(aws, "microsoft", directory="00000000-1111-2222-3333-444444444444")
    account = an_account("microsoft_app")
    put_account(aws, account)

    assert token(worker(), account) == token(worker(), account)

    assert len(provider.calls) == 1


def test_a_token_that_cannot_be_kept_is_used_all_the_same(
    aws: Storage, provider: IdentityProvider, worker: Workers
) -> None:
    grant_access(aws, provider, an_account())
    access = worker()
    refused = FaultyAws(at=lambda _, attempt: _only_copies(attempt))

    with meeting(refused):
        known = token(access, an_account())

    assert token(access, an_account()) == known
    assert copy_of(aws) is None


def _only_copies(attempt: Attempt) -> Fault | None:
    is_copy = attempt.name == "dynamodb:TransactWriteItems" and b"OPENED" in attempt.request.body
    return refuse(400, "AccessDeniedException") if is_copy else None
