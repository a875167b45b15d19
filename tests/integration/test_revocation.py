"""Disconnecting ends access: the secret is gone at once, and the provider is told till it knows."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from infra.local.certificates import Certificates
from infra.local.identity_provider import IdentityProvider
from tests.support.aws import received_bodies
from tests.support.http_events import Client
from tests.support.mailboxes import TENANT
from tests.support.oauth import an_access, an_account, grant_access, register, running

from ablage.errors import AccountFault
from ablage.settings import settings
from ablage.store import jobs, keys
from ablage.store.grants import Grants
from ablage.store.storage import Storage
from sync.jobs import run_job
from sync.plain_jobs import LONGEST_WAIT
from sync.tools import Tools

api = Client()
NOW = 1_800_000_000


class World:
    def __init__(self, where: Storage, certificates: Certificates) -> None:
        self.where = where
        self.at = float(NOW)
        access = an_access(where, certificates, now=lambda: self.at)
        self.tools = Tools(where, access, None, now=lambda: self.at)  # type: ignore[arg-type] - unused

    def connect(self, provider: IdentityProvider, auth: str = "google") -> None:
        register(self.where, auth)
        grant_access(self.where, provider, an_account(auth))
        self.tools.access.credential(an_account(auth))

    def disconnect(self) -> None:
        assert api("DELETE", "/v1/accounts/box").status == 204

    def job(self) -> str:
        """Its id; all its messages are lost."""
        (body,) = received_bodies(settings().sync_queue_url)
        found: str = json.loads(body)["job"]
        return found

    def work(self, job_id: str, tries: int) -> None:
        for _ in range(tries):
            run_job(replace(self.tools), TENANT, job_id)
            self.at += LONGEST_WAIT + 1


@pytest.fixture
def provider(aws: Storage, certificates: Certificates) -> Iterator[IdentityProvider]:
    with running(certificates) as started:
        yield started


@pytest.fixture
def world(aws: Storage, certificates: Certificates, provider: IdentityProvider) -> World:
    return World(aws, certificates)


def test_the_secret_is_gone_at_once_and_access_ends(
    world: World, provider: IdentityProvider
) -> None:
    world.connect(provider)

    world.disconnect()
    assert Grants(world.where.table, TENANT, "box").read() == (None, None)
    with pytest.raises(AccountFault):
        world.tools.access.credential(an_account(login_version=9))
    world.work(world.job(), 1)

    assert len(provider.revocations) == 1
    assert world.where.table.get(keys.secret(TENANT, "box")) is None


FAULTS: list[tuple[int, bytes]] = [
    (500, b""), (503, b"busy"), (302, b""), (429, b"{}"), (404, b"<html>"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_provider_that_fails_is_told_again_till_it_knows(
    world: World, provider: IdentityProvider, fault: tuple[int, bytes]
) -> None:
    world.connect(provider)
    world.disconnect()
    job = world.job()
    provider.answers.failing = fault
    world.work(job, 5)
    assert jobs.get(world.where.table, TENANT, job).state == "running"

    provider.answers.failing = None
    world.work(job, 3)

    assert len(provider.revocations) == 1
    assert jobs.get(world.where.table, TENANT, job).state == "done"
    assert world.where.table.get(keys.secret(TENANT, "box")) is None


def test_what_is_dead_already_is_forgotten(world: World, provider: IdentityProvider) -> None:
    world.connect(provider)
    world.disconnect()
    provider.withdraw(an_account().username)

    world.work(world.job(), 1)

    assert provider.revocations == []
    assert world.where.table.get(keys.secret(TENANT, "box")) is None


def test_after_days_without_an_answer_the_token_is_forgotten_too(
    world: World, provider: IdentityProvider
) -> None:
    world.connect(provider)
    world.disconnect()
    job = world.job()
    provider.answers.failing = 503, b""

    world.work(job, 25)

    ended = jobs.get(world.where.table, TENANT, job)
    assert (ended.state, ended.code, ended.attempts) == ("failed", "not_revoked", 20)
    assert world.where.table.get(keys.secret(TENANT, "box")) is None


def test_a_lost_message_is_made_good_by_dispatch(world: World, provider: IdentityProvider) -> None:
    world.connect(provider)
    world.disconnect()

    item = world.where.table.get(keys.job(TENANT, world.job()))

    assert item is not None
    assert item["due"] == keys.DUE_MORE


def test_a_mailbox_connected_anew_is_not_ended(world: World, provider: IdentityProvider) -> None:
    """Google ends all access of a person's to a client with one token of it."""
    world.connect(provider)
    world.disconnect()
    job = world.job()
    grant_access(world.where, provider, an_account(login_version=3))
    token = world.tools.access.credential(an_account(login_version=3))

    world.work(job, 1)

    assert provider.revocations == []
    assert token
    assert world.tools.access.credential(an_account(login_version=3))


def test_without_revocation_nothing_is_left(world: World, provider: IdentityProvider) -> None:
    world.connect(provider, "microsoft")

    world.disconnect()

    assert received_bodies(settings().sync_queue_url) == []
    assert world.where.table.get(keys.secret(TENANT, "box")) is None
