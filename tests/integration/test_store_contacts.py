"""Contacts and customers: killed or overtaken anywhere, a repair leaves rows as the truth says."""

import random

import pytest
from tests.support.interleaving import Scheduler
from tests.support.tenants import index_many_contacts

from ablage.errors import NotFound
from ablage.messages import Entity
from ablage.records import new_contact, new_record
from ablage.store import address_index, keys, projection, record_writes, records
from ablage.store.aws import client
from ablage.store.repairs import repair_rows
from ablage.tenancy import TenantId

ACME, OTHER = TenantId("acme"), TenantId("other")
ADDRESSES = ["a@x.de", "b@x.de", "c@x.de", "d@x.de"]
C1, K1 = Entity("contact", "c-1"), Entity("customer", "K1")
NOW = 1_795_489_200


def put(aws, contact_id="c-1", addresses=(), groups=(), tenant=ACME):
    wanted = new_contact(tenant, contact_id, "Max", list(addresses), list(groups))
    return record_writes.save_record(aws, wanted, lambda _: None)


def put_customer(aws, customer_id, addresses=(), tenant=ACME):
    wanted = new_record(tenant, Entity("customer", customer_id), "Kunde", list(addresses))
    return record_writes.save_record(aws, wanted, lambda _: None)


def indexed(aws, tenant=ACME):
    """Of every address: contacts with their customers, and customers."""
    owners = address_index.read(aws.table, tenant, ADDRESSES, consistent=True)
    return {
        address: (_carried(found, "contact"), set(_carried(found, "customer")))
        for address, found in owners.items()
        if found.records
    }


def _carried(owners, kind):
    """Ids of one type, with the ids of their parents."""
    found = {Entity.parse(record): parents for record, parents in owners.records.items()}
    return {
        entity.entity_id: tuple(Entity.parse(parent).entity_id for parent in parents)
        for entity, parents in found.items()
        if entity.kind == kind
    }


def listed(aws, tenant=ACME):
    found, _ = records.page_records(aws.table, tenant, "contact", after=None, limit=100, now=NOW)
    return [contact.entity.entity_id for contact in found]


def members(aws, tenant=ACME):
    return {customer: _members(aws, tenant, customer) for customer in ("K1", "K2", "K3")}


def _members(aws, tenant, customer):
    parent = Entity("customer", customer)
    found, _ = records.page_children(aws.table, tenant, parent, "contact", after=None, limit=100)
    return tuple(found)


def assert_rows_are_the_truth(aws, tenant=ACME):
    contact = records.get_record(aws.table, tenant, C1)
    wanted = (
        {key: {"c-1": contact.parents_of("customer")} for key in contact.keys} if contact else {}
    )
    assert {address: found for address, (found, _) in indexed(aws, tenant).items()} == wanted
    assert listed(aws, tenant) == (["c-1"] if contact else [])
    named = contact.parents_of("customer") if contact else ()
    assert members(aws, tenant) == {k: ("c-1",) * (k in named) for k in ("K1", "K2", "K3")}


def test_the_index_says_whose_an_address_is(aws):
    put(aws, "c-1", ["A@x.de", "b@x.de"], ["K1", "K2"])
    put(aws, "c-2", ["a@x.de"])
    put_customer(aws, "K9", ["b@x.de"])

    assert indexed(aws) == {
        "a@x.de": ({"c-1": ("K1", "K2"), "c-2": ()}, set()),
        "b@x.de": ({"c-1": ("K1", "K2")}, {"K9"}),
    }


def test_equal_ids_of_two_tenants_have_rows_of_their_own(aws):
    put(aws, "c-1", ["a@x.de"], ["K1"])
    put(aws, "c-1", ["b@x.de"], ["K2"], OTHER)

    record_writes.delete_record(aws, OTHER, C1, NOW)

    assert_rows_are_the_truth(aws)
    assert indexed(aws, OTHER) == {}


def test_a_settled_contact_owes_nothing(aws):
    put(aws, "c-1", ["a@x.de"], ["K1"])

    item = aws.table.get(keys.record(ACME, "contact", "c-1"))

    assert not {"pending", "lost"} & set(item)


def test_a_deleted_contact_keeps_no_name_and_no_address(aws):
    put(aws, "c-1", ["a@x.de"], ["K1"])

    record_writes.delete_record(aws, ACME, C1, NOW)

    item = aws.table.get(keys.record(ACME, "contact", "c-1"))
    assert set(item) == {"pk", "sk", "schema", "version", "deleted", "expires"}


STORIES = {
    "create": ([], lambda aws: put(aws, "c-1", ["a@x.de", "b@x.de"], ["K1", "K2"])),
    "move": (
        [("a@x.de", "b@x.de"), ("K1", "K2")],
        lambda aws: put(aws, "c-1", ["b@x.de", "c@x.de"], ["K2", "K3"]),
    ),
    "delete": (
        [("a@x.de", "b@x.de"), ("K1", "K2")],
        lambda aws: record_writes.delete_record(aws, ACME, C1, NOW),
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_killed_at_any_call_a_repair_finishes_it(aws, story):
    before, act = STORIES[story]
    scheduler = Scheduler(client("dynamodb"), client("sqs"))
    calls = 0
    while True:
        if before:
            put(aws, "c-1", *before)
        else:
            forget_contact(aws)
        writer = scheduler.start(lambda: act(aws))
        for _ in range(calls):
            writer.step()
            if writer.ended:
                break
        if writer.ended:
            break
        writer.step(kill=True)

        repair_rows(aws, ACME, {"record": "contact#c-1"})

        assert writer.killed
        assert_rows_are_the_truth(aws)
        calls += 1
    assert_rows_are_the_truth(aws)
    assert calls > 10


def forget_contact(aws):
    if records.get_record(aws.table, ACME, C1):
        record_writes.delete_record(aws, ACME, C1, NOW)


def test_a_repair_was_asked_for_before_anything_was_written(aws):
    scheduler = Scheduler(client("dynamodb"), client("sqs"))
    sent, written = [], []
    client("sqs").meta.events.register("before-call.sqs", lambda **_: sent.append(len(written)))
    client("dynamodb").meta.events.register(
        "before-call.dynamodb.PutItem", lambda **_: written.append(1)
    )

    put(aws, "c-1", ["a@x.de"])

    assert scheduler.calls == 0
    assert sent == [0]


@pytest.mark.parametrize("seed", range(20))
def test_writers_interleaved_and_killed_leave_rows_as_the_truth_says(aws, seed):
    dice = random.Random(seed)
    scheduler = Scheduler(client("dynamodb"), client("sqs"))

    def act():
        if dice.random() < 0.2:
            forget_contact(aws)
        addresses = dice.sample(ADDRESSES, dice.randint(0, 3))
        put(aws, "c-1", addresses, dice.sample(["K1", "K2", "K3"], dice.randint(0, 2)))

    writers = [scheduler.start(act) for _ in range(4)]
    while writers:
        writer = dice.choice(writers)
        try:
            writer.step(kill=dice.random() < 0.02)
        except NotFound:
            assert writer.ended
        if writer.ended:
            writers.remove(writer)

    repair_rows(aws, ACME, {"record": "contact#c-1"})

    assert_rows_are_the_truth(aws)


@pytest.mark.parametrize("seed", range(12))
def test_of_source_versions_written_at_once_the_newest_stays(aws, seed):
    dice = random.Random(seed)
    scheduler = Scheduler(client("dynamodb"), client("sqs"))
    order = dice.sample(range(1, 6), 5)
    deletes = 5 if seed % 2 else 0

    def write(number):
        source = f"0#{number:018d}"
        if number == deletes:
            record_writes.delete_record(aws, ACME, C1, NOW, source=source)
            return
        wanted = new_contact(ACME, "c-1", "Max", [ADDRESSES[number % 4]], source=source)
        record_writes.save_record(aws, wanted, lambda _: None)

    writers = [scheduler.start(lambda n=number: write(n)) for number in order]
    while writers:
        writer = dice.choice(writers)
        writer.step()
        if writer.ended:
            writers.remove(writer)

    found = records.get_record(aws.table, ACME, C1)
    assert (found and found.source) == (None if deletes else f"0#{5:018d}")
    assert_rows_are_the_truth(aws)


@pytest.mark.parametrize("seed", range(6))
def test_contacts_of_one_address_written_at_once_are_all_indexed(aws, seed):
    dice = random.Random(seed)
    scheduler = Scheduler(client("dynamodb"))
    names = [f"c-{number}" for number in range(4)]
    writers = [scheduler.start(lambda n=name: put(aws, n, ["a@x.de"])) for name in names]

    while writers:
        writer = dice.choice(writers)
        writer.step()
        if writer.ended:
            writers.remove(writer)

    found, _ = indexed(aws)["a@x.de"]
    assert sorted(found) == names


def test_contacts_leave_a_deleted_customer(aws):
    put(aws, "c-1", ["a@x.de"], ["K1", "K2"])
    put(aws, "c-2", ["b@x.de"], ["K1"])
    put_customer(aws, "K1", ["d@x.de"])

    record_writes.delete_record(aws, ACME, K1, NOW)

    assert indexed(aws) == {"a@x.de": ({"c-1": ("K2",)}, set()), "b@x.de": ({"c-2": ()}, set())}
    assert members(aws)["K1"] == ()


def test_killed_while_contacts_leave_a_repair_finishes_it(aws):
    scheduler = Scheduler(client("dynamodb"), client("sqs"))
    calls = 0
    while True:
        put(aws, "c-1", ["a@x.de"], ["K1", "K2"])
        put_customer(aws, "K1", ["d@x.de"])
        writer = scheduler.start(lambda: record_writes.delete_record(aws, ACME, K1, NOW))
        for _ in range(calls):
            writer.step()
            if writer.ended:
                break
        if writer.ended:
            break
        writer.step(kill=True)

        repair_rows(aws, ACME, {"record": "customer#K1"})

        if records.get_record(aws.table, ACME, K1) is None:
            assert indexed(aws) == {"a@x.de": ({"c-1": ("K2",)}, set())}
        else:
            assert indexed(aws)["d@x.de"] == ({}, {"K1"})
        calls += 1
    assert calls > 10


def test_a_late_writer_of_an_older_version_cannot_bring_an_entry_back(aws):
    index(aws, "c-1", {"v": 3, "gone": True})

    index(aws, "c-1", {"v": 2, "k": ["customer#K1"]})

    assert indexed(aws) == {}


def test_a_stub_gives_way_after_its_day(aws, monkeypatch):
    index(aws, "c-1", {"v": 30, "gone": True})
    day_later = address_index.time.time() + address_index.STUB_SECONDS + 1
    monkeypatch.setattr(address_index.time, "time", lambda: day_later)

    index(aws, "c-1", {"v": 1, "k": []})

    assert indexed(aws) == {"a@x.de": ({"c-1": ()}, set())}


def index(aws, contact_id, entry):
    entity = f"contact#{contact_id}"
    address_index.write(aws.table, ACME, "a@x.de", group="records", entity=entity, entry=entry)


def test_an_address_of_many_contacts_spills_into_chunks(aws):
    names = [f"c-{number:03d}" for number in range(130)]
    index_many_contacts(aws, ACME, "a@x.de", names[:95], ["K1"])
    for name in names[95:]:
        index(aws, name, {"v": 1, "k": ["customer#K1"]})

    index(aws, "c-005", {"v": 2, "k": ["customer#K2"]})
    index(aws, "c-120", {"v": 2, "gone": True})
    address_index.write(aws.table, ACME, "a@x.de", group="own", entity="anna", entry={"v": 1})

    owners = address_index.read(aws.table, ACME, ["a@x.de"])["a@x.de"]
    found = _carried(owners, "contact")
    assert sorted(found) == [name for name in names if name != "c-120"]
    assert found["c-005"] == ("K2",)
    assert owners.own == {"anna"}
    assert aws.table.get(keys.address(ACME, "a@x.de"))["chunks"] == 1


def test_large_entries_spill_before_an_item_is_full(aws):
    groups = [f"K{number}".ljust(128, "x") for number in range(50)]
    index_many_contacts(aws, ACME, "a@x.de", [f"c-{number}" for number in range(40)], groups)
    for number in range(40, 50):
        index(aws, f"c-{number}", {"v": 1, "k": [f"customer#{name}" for name in groups]})

    owners = address_index.read(aws.table, ACME, ["a@x.de"])["a@x.de"]

    assert len(owners.records) == 50
    assert aws.table.get(keys.address(ACME, "a@x.de"))["chunks"] == 1


def test_items_put_for_tests_are_those_that_are_written(aws):
    names = [f"c-{number:03d}" for number in range(102)]
    index_many_contacts(aws, ACME, "a@x.de", names[:99], ["K1"])
    for name in names[99:]:
        index(aws, name, {"v": 1, "k": ["customer#K1"]})

    index_many_contacts(aws, OTHER, "a@x.de", names, ["K1"])

    for number in (0, 1):
        written, put_at_once = (
            aws.table.get(keys.address(tenant, "a@x.de", number)) for tenant in (ACME, OTHER)
        )
        assert {**written, "pk": ""} == {**put_at_once, "pk": ""}


def test_a_late_row_of_an_older_version_replaces_nothing(aws):
    row = keys.record_row(ACME, "contact", "c-1")
    projection.put_row(aws.table, row, 3, gone=True)

    projection.put_row(aws.table, row, 2)

    assert aws.table.get(row)["gone"]


def test_a_row_tombstone_gives_way_after_its_day(aws, monkeypatch):
    row = keys.record_row(ACME, "contact", "c-1")
    projection.put_row(aws.table, row, 30, gone=True)
    day_later = projection.time.time() + projection.ROW_TOMBSTONE_SECONDS + 1
    monkeypatch.setattr(projection.time, "time", lambda: day_later)

    projection.put_row(aws.table, row, 1)

    assert "gone" not in aws.table.get(row)
