"""A connection cut at any byte, either way: the next looks go on, nothing is lost, doubled or
mis-keyed [R15]."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from random import Random
from unittest import mock

import pytest
from infra.local.aws import lock_moto
from tests.chaos.test_sync_faults_seen import WritesBehind, keeping
from tests.support.aws import fresh_aws
from tests.support.cut_imap import ENDLESS, Cut, CutImap
from tests.support.faulty_aws import FaultyAws, meeting
from tests.support.mailboxes import connect_mailbox, state_of, tools_for
from tests.support.polling import poll_once
from tests.support.scripted_imap import Clock, Mail, ScriptedFolder
from tests.support.sync_chaos import Disguise
from tests.support.sync_oracle import Oracle

from ablage.errors import NotFound
from ablage.observability import Summary
from ablage.store import jobs, keys
from ablage.store.jobs import Job
from ablage.store.storage import Storage, storage
from ablage.tenancy import TenantId
from sync.jobs import run_job
from sync.poll import more
from sync.tools import Tools

SESSIONS, CUTS = 5, 20  # recorded of each situation, cut so often
TURNS = 5
TICK = 2 * 3600  # seconds: longer than any backoff
BASE = 1_795_500_000


class World:
    """A mailbox of its own tenant, its server, and what must be stored of it."""

    def __init__(
        self, where: Storage, name: str, random: Random, disguise: Disguise = lambda tools: tools
    ) -> None:
        self.where, self.random = where, random
        self.clock = Clock()
        self.folders = [ScriptedFolder(n, b"", 7) for n in (b"INBOX", b"Sent")]
        self.folders[1].flags = b"\\Sent"
        self.server = CutImap(self.folders, self.clock, random)
        self.account = connect_mailbox(where, self.server, "u@own.example", TenantId(name))
        self.oracle = Oracle(where, self.account, self.folders)
        self.aws = FaultyAws(saw=self.oracle.saw)
        self.warm = disguise(tools_for(where, self.server, network=self.server.network()))

    def deliver(self, count: int) -> None:
        for _ in range(count):
            folder, size = self.random.choice(self.folders), self.random.choice((9, 300, 3000))
            raw = b"Subject: %x\r\n\r\n%b\r\n" % (self.random.getrandbits(64), b"y" * size)
            folder.deliver(Mail(raw, len(raw)), self.random.choice((0, 0, 5)))

    def tools(self) -> Tools:
        now = BASE + self.clock.seconds
        clock, began = self.clock, self.clock.seconds
        return replace(self.warm, summary=Summary(), now=lambda: now, clock=clock, began=began)

    def poll(self) -> None:
        with meeting(self.aws):
            poll_once(self.tools(), self.account)
            place = self.account.tenant, self.account.account_id
            if self.where.table.get(keys.more(*place)):
                more(self.tools(), *place)
        self.clock.seconds += TICK

    def sync(self) -> None:
        """A slice of the one job."""
        with meeting(self.aws):
            run_job(self.tools(), self.account.tenant, "j1")
        self.clock.seconds += TICK

    def is_open(self) -> bool:
        """A fault stays shown until the next look."""
        job, state = self._job(), state_of(self.where, self.account)
        return self.oracle.is_open() or (job and not job.synced) or state.code is not None

    def judged(self) -> Counter[str]:
        self.oracle.judge(self.aws.created)
        job, mails = self._job(), sum(len(folder.mails) for folder in self.folders)
        if job and (job.total, job.failed, job.code) != (mails, 0, None):
            self.oracle.broken["a job that miscounts"] += 1
        return self.oracle.broken

    def _job(self) -> Job | None:
        try:
            return jobs.get(self.where.table, self.account.tenant, "j1")
        except NotFound:
            return None


def cut_of(random: Random, whole: Cut) -> Cut:
    """At a byte of a session that went over as `whole`."""
    said, heard = whole.moved
    at = random.randrange(said + heard)
    is_reset = random.random() < 0.5
    return Cut(at, ENDLESS, is_reset) if at < said else Cut(ENDLESS, at - said, is_reset)


Situation = Callable[[World], Callable[[], None]]


def first_import(world: World) -> Callable[[], None]:
    world.deliver(5)
    return world.poll


def news(world: World) -> Callable[[], None]:
    world.deliver(3)
    world.poll()
    world.deliver(4)
    return world.poll


def asked_for(world: World) -> Callable[[], None]:
    world.deliver(3)
    world.poll()
    world.deliver(2)
    tenant, at = world.account.tenant, BASE + int(world.clock.seconds)
    jobs.create(world.where.table, Job(tenant, "j1", "sync", "box"), at)
    return world.sync


SITUATIONS = (first_import, news, asked_for)


def recorded(situation: Situation, seed: int) -> Cut:
    """A session as it goes over the wire when nobody cuts it."""
    world = World(storage(), "whole", Random(seed))
    act, before = situation(world), world.server.connections
    act()
    return world.server.seen[before]


def cut_run(
    situation: Situation, number: int, seed: int, cuts: list[Cut], **more: Disguise
) -> Counter[str]:
    """What is broken afterwards."""
    world = World(storage(), f"cut-{number}", Random(seed), **more)
    act = situation(world)
    world.server.cuts = deque(cuts)

    act()
    for _ in range(TURNS):
        if not world.is_open():
            break
        act()
        world.poll()
    return world.judged()


def cut_runs(situation: Situation, seed: int, **more: Disguise) -> Counter[str]:
    random, broken, met = Random(seed), Counter[str](), 0
    lock_moto()
    with fresh_aws(), mock.patch.object(time, "sleep"):
        whole = recorded(situation, seed)
        for number in range(CUTS):
            cuts = [cut_of(random, whole) for _ in range(random.choice((1, 2)))]
            found = cut_run(situation, number, seed, cuts, **more)
            met += cuts[0].is_over
            broken.update({f"{what} at {cuts}": 1 for what in found})
    assert met > CUTS / 2  # a tenant whose full look it is says more than the recorded one
    return broken


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("seed", range(SESSIONS))
def test_a_cut_at_any_byte_loses_and_doubles_nothing(situation: Situation, seed: int) -> None:
    assert cut_runs(situation, seed) == Counter()


def test_a_worker_that_says_stored_too_early_is_found() -> None:
    broken = cut_runs(first_import, 0, disguise=keeping(WritesBehind))

    assert any(what.startswith("cursor ahead of S3") for what in broken)
