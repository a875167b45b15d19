"""Each event comes into the feed once, whoever dies, and no reader passes one that is still to
come."""

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.aws import fresh_aws
from tests.support.aws_calls import aws_calls, killed_at
from tests.support.feed import whole_feed
from tests.support.interleaving import Scheduler, Writer

from ablage.change import change
from ablage.events import told
from ablage.filings import Intent, file_by_hand, unfile
from ablage.messages import Entity, Facts, Message
from ablage.store import feed, messages
from ablage.store.aws import client
from ablage.store.feed import moment, rows_after
from ablage.store.storage import Storage, storage
from ablage.tenancy import TenantId

OTHER = TenantId("other")
ID = "m" * 26
T0 = 1_790_000_000.0
Q1, Q2 = Entity("quote", "q1"), Entity("quote", "q2")
FIRST = [("EmailFiled", Q1)]


def arrived(where: Storage, tenant: TenantId, now: float = T0) -> None:
    def intent(message: Message | None) -> Message | None:
        return message or Message(tenant, ID, "2026-11-20T10:00:00Z", Facts(), "aa" * 32)

    change(where, tenant, ID, intent, now=lambda: now)


def filed(where: Storage, tenant: TenantId, now: float, intent: Intent | None) -> None:
    change(where, tenant, ID, intent, now=lambda: now)


def by_hand(entity: Entity) -> Intent:
    return file_by_hand(entity, "anna", "2026-11-20T12:00:00Z")


def seen(where: Storage, tenant: TenantId) -> list[tuple[str, Entity | None]]:
    return [(event.type, event.entity) for event in whole_feed(where, tenant, T0)]


@pytest.mark.parametrize("later", [0.5, 90_000.0])
@pytest.mark.parametrize("moment_", ["before-call", "after-call"])
def test_an_event_comes_once_wherever_its_writer_died(
    aws: Storage, moment_: str, later: float
) -> None:
    arrived(aws, TenantId("counted"))
    with aws_calls() as calls:
        filed(aws, TenantId("counted"), T0, by_hand(Q1))
    assert len(calls) > 3

    for number in range(len(calls)):
        tenant = TenantId(f"t{number}")
        arrived(aws, tenant)
        with killed_at(number, moment_):
            filed(aws, tenant, T0, by_hand(Q1))
        filed(aws, tenant, T0 + later, None)
        filed(aws, tenant, T0 + later, by_hand(Q1))
        filed(aws, tenant, T0 + later + 100, by_hand(Q2))

        found = whole_feed(aws, tenant, T0 + later + 200)
        message = messages.read(aws.table, tenant, ID)
        assert [(e.type, e.entity) for e in found] == [*FIRST, ("EmailFiled", Q2)], number
        assert message is not None
        assert [event.entity for event in message.history] == [Q1, Q2]


@pytest.mark.parametrize("moment_", ["before-call", "after-call"])
def test_a_repair_may_die_too(aws: Storage, moment_: str) -> None:
    for number in range(12):
        tenant = TenantId(f"t{number}")
        arrived(aws, tenant)
        with killed_at(2, "before-call"):  # the message is written, its event is not
            filed(aws, tenant, T0, by_hand(Q1))
        with killed_at(number, moment_):
            filed(aws, tenant, T0 + 70, None)
        filed(aws, tenant, T0 + 140, None)

        assert seen(aws, tenant) == FIRST, number


def test_a_late_event_stands_where_it_was_put_not_where_it_was_owed(aws: Storage) -> None:
    tenant = TenantId("acme")
    arrived(aws, tenant)
    with killed_at(2, "before-call"):
        filed(aws, tenant, T0, by_hand(Q1))

    filed(aws, tenant, T0 + 70, None)

    (event,) = whole_feed(aws, tenant, T0)
    assert event.at == moment(int((T0 + 70) * 1000))


def test_who_comes_after_a_void_cannot_put_the_row_any_more(aws: Storage) -> None:
    tenant = TenantId("acme")
    arrived(aws, tenant)
    with killed_at(2, "before-call"):
        filed(aws, tenant, T0, by_hand(Q1))
    slow = messages.read(aws.table, tenant, ID)
    assert slow is not None
    filed(aws, tenant, T0 + 70, None)

    assert not feed.put_events(aws.table, slow, lambda: T0 + 1)
    assert seen(aws, tenant) == FIRST


def test_a_put_that_took_too_long_is_put_again_where_readers_still_come(aws: Storage) -> None:
    tenant = TenantId("acme")
    arrived(aws, tenant)
    clock = iter([T0, T0, *[T0 + 12] * 9])

    change(aws, tenant, ID, by_hand(Q1), now=lambda: next(clock))

    first, again = whole_feed(aws, tenant, T0)
    assert first.event_id == again.event_id
    assert again.at == moment(int((T0 + 12) * 1000))


def test_tenants_of_equal_ids_have_feeds_of_their_own(aws: Storage) -> None:
    for tenant in (TenantId("acme"), OTHER):
        arrived(aws, tenant)
    filed(aws, TenantId("acme"), T0, by_hand(Q1))
    filed(aws, OTHER, T0, by_hand(Q2))
    filed(aws, OTHER, T0 + 1, unfile(Q2, "eva"))

    assert seen(aws, TenantId("acme")) == FIRST
    assert seen(aws, OTHER) == [("EmailFiled", Q2), ("EmailUnfiled", Q2)]


def test_two_thousand_events_of_one_change_come_each_once(aws: Storage) -> None:
    tenant = TenantId("acme")
    arrived(aws, tenant)
    entities = [Entity("contact", f"c{number}") for number in range(80)]

    def everywhere(message: Message | None) -> Message | None:
        for entity in entities:
            message = by_hand(entity)(message) or message
        return message

    with killed_at(4, "before-call"):
        filed(aws, tenant, T0, everywhere)
    filed(aws, tenant, T0 + 70, None)

    assert [entity for _, entity in seen(aws, tenant)] != []
    assert sorted(e for _, e in seen(aws, tenant) if e) == sorted(entities)


# ---- readers and writers -------------------------------------------------------------------------


@dataclass
class World:
    """One tenant; true time moves only between steps. Writers' clocks and the reader's are skewed
    by up to two seconds. No writer dies right after a put that took longer than two seconds: that
    would be two faults at once."""

    where: Storage
    scheduler: Scheduler
    tenant: TenantId
    reader_skew: float
    time: float = T0
    writers: list[Writer] = field(default_factory=list)
    stepped: dict[int, float] = field(default_factory=dict)
    hasty: set[int] = field(default_factory=set)
    cursor: str = moment(int((T0 - 1000) * 1000))
    heard: list[str] = field(default_factory=list)
    number: int = 0
    stalls: bool = False

    def start(self, skew: float, entity: int | None) -> None:
        intent = by_hand(Entity("quote", f"q{entity}")) if entity is not None else None

        def work() -> None:
            change(self.where, self.tenant, ID, intent, now=lambda: self.time + skew)

        self.stepped[len(self.writers)] = self.time
        self.writers.append(self.scheduler.start(work))

    def step(self, chosen: int, *, kill: bool = False) -> None:
        live = [n for n, writer in enumerate(self.writers) if not writer.ended]
        if not live:
            return
        number = live[chosen % len(live)]
        was_slow = number in self.hasty
        took = self.time - self.stepped[number]
        self.hasty.discard(number)
        if took > 2:
            self.hasty.add(number)
            self.stalls = True
        self.stepped[number] = self.time
        self.writers[number].step(kill=kill and not was_slow)

    def read(self) -> None:
        until = moment(int((self.time + self.reader_skew) * 1000) - feed.SEEN_AFTER)
        if until <= self.cursor:
            return
        rows, more = rows_after(self.where.table, self.tenant, self.cursor, until, 1000)
        assert not more
        self.heard += [event.event_id for row in rows for event in told(row)]
        self.cursor = until

    def end(self) -> None:
        for _ in range(3):
            while any(not writer.ended for writer in self.writers):
                self.step(0)
            self.time += 61
            self.read()
            self.start(0, None)
        while any(not writer.ended for writer in self.writers):
            self.step(0)
        self.time += 61
        self.read()


SKEW = st.floats(-2, 2)
ACTIONS = st.one_of(
    st.tuples(st.just("start"), SKEW, st.one_of(st.none(), st.integers(0, 5))),
    st.tuples(st.just("step"), st.integers(0, 5)),
    st.tuples(st.just("step"), st.integers(0, 5)),
    st.tuples(st.just("kill"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.floats(0.1, 8)),
    st.tuples(st.just("read")),
)


def test_a_reader_never_misses_an_event() -> None:
    numbers = itertools.count()
    with fresh_aws():
        scheduler = Scheduler(client("dynamodb"))

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(SKEW, st.lists(ACTIONS, min_size=10, max_size=60))
        def run(skew: float, actions: list[tuple]) -> None:  # type: ignore[type-arg]
            world = World(storage(), scheduler, TenantId(f"t{next(numbers)}"), skew)
            arrived(world.where, world.tenant)
            for name, *values in actions:
                if name == "start":
                    world.start(*values)
                elif name == "wait":
                    world.time += values[0]
                elif name == "read":
                    world.read()
                else:
                    world.step(values[0], kill=name == "kill")
            world.end()

            message = messages.read(world.where.table, world.tenant, ID)
            stored = whole_feed(world.where, world.tenant, world.time)
            assert message is not None
            assert message.settled
            assert {e.entity for e in stored} == set(message.filings)
            assert set(world.heard) == {e.event_id for e in stored}
            if not world.stalls:
                assert len(world.heard) == len(message.filings)

        run()
