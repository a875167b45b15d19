"""Several writers of one message at once, in real threads, each call to AWS under one lock; and
every value of every policy from its item to the overview."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from infra.local.aws import lock_moto
from tests.support.events import context, s3_created, sqs_event
from tests.support.tenants import connect_account, index_contact, index_many_contacts

from ablage.change import change
from ablage.filings import file_by_hand, unfile
from ablage.messages import Entity, Message
from ablage.policy import Policy
from ablage.store import keys, messages, policies
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from match.handler import lambda_handler
from match.read_copy import read_copy

ACME = TenantId("acme")
RECEIVED = "2026-11-20T10:00:05Z"
C1, K1, QUOTE = Entity("contact", "c1"), Entity("customer", "k1"), Entity("quote", "q1")


def mail(*fields: str) -> bytes:
    usual = ("Message-ID: <m1@k.de>", "Date: Fri, 20 Nov 2026 10:00:00 +0000", "Subject: Offer")
    return ("\r\n".join([*fields, *usual]) + "\r\n\r\nHello\r\n").encode()


def stored(where: Storage, raw: bytes, tenant: TenantId, account: str, **more: Any) -> RawKey:
    key = RawKey("30d", tenant, account, "0" * 16, 1, more.pop("uid", 1))
    where.raw.put(key, raw, RawMetadata(RECEIVED, role=more.pop("role", "inbox")))
    return key


def matched(where: Storage, *raw_keys: RawKey) -> None:
    event = sqs_event(*(s3_created(where.raw.bucket, key.text) for key in raw_keys))
    assert lambda_handler(event, context()) == {"batchItemFailures": []}


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    """Each in a thread of its own, started together; what any of them raised."""
    start = threading.Barrier(len(works))
    raised: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def archived(where: Storage, entity: Entity, tenant: TenantId = ACME) -> list[dict[str, Any]]:
    rows = where.table.query(keys.archive(tenant, entity.kind, entity.entity_id))
    return [row for row in rows if not row.get("gone")]


def found(where: Storage, tenant: TenantId, message_id: str) -> Message:
    message = messages.read(where.table, tenant, message_id)
    assert message is not None
    return message


@pytest.mark.parametrize("round_", range(3))
def test_copies_and_people_at_once_lose_nothing_and_double_nothing(
    aws: Storage, round_: int
) -> None:
    lock_moto()
    index_contact(aws, ACME, "max@k.de", "c1", ["k1"])
    accounts = [f"a{number}" for number in range(4)]
    for account in accounts:
        connect_account(aws, ACME, account, f"{account}@own.de", filing=True)
    raw = mail("From: max@k.de", "To: team@own.de")
    found_keys = [stored(aws, raw, ACME, account) for account in accounts]
    message_id = read_copy(aws, found_keys[0], None).message_id
    matched(aws, found_keys[round_])

    raised = at_once(
        *(lambda key=key: matched(aws, key) for key in (*found_keys, found_keys[0])),
        lambda: change(aws, ACME, message_id, unfile(C1, "eva")),
        lambda: change(aws, ACME, message_id, file_by_hand(QUOTE, "anna", RECEIVED)),
    )

    message = found(aws, ACME, message_id)
    assert raised == []
    assert sorted(message.accounts) == accounts
    assert len(message.copies) == 4
    assert (set(message.filings), message.tombstones) == ({K1, QUOTE}, {C1})
    assert [len(archived(aws, entity)) for entity in (C1, K1, QUOTE)] == [0, 1, 1]
    assert (message.settled, message.gone, message.outbox) == (True, frozenset(), ())


KUNDE = ("From: max@k.de", "To: a1@own.de")
LETTER = ("From: x@y.de", "To: a1@own.de", "Cc: max@k.de", "Reply-To: max@k.de")
INTERNAL = ("From: a1@own.de", "To: eva@own.de")
FORGED = ("Authentication-Results: mx; dmarc=fail", *KUNDE)
BULK = ("List-Id: <l.k.de>", *KUNDE)
MATCHED, NOBODY = ("matched", 2), ("no_match", 0)
POLICIES: list[tuple[Policy, tuple[str, ...], tuple[str, int]]] = [
    (Policy(), KUNDE, MATCHED),
    (Policy(match_subaddress=False), ("From: max+x@k.de",), NOBODY),
    (Policy(match_subaddress=True), ("From: max+x@k.de",), MATCHED),
    (Policy(match_reply_to=False), LETTER, NOBODY),
    (Policy(match_reply_to=True), LETTER, MATCHED),
    (Policy(match_inbound_recipients=True), LETTER, MATCHED),
    (Policy(file_internal_mail=True), INTERNAL, ("matched", 1)),
    (Policy(file_internal_mail=False), INTERNAL, ("internal", 0)),
    (Policy(file_kinds=("normal",)), BULK, ("kind", 0)),
    (Policy(file_kinds=("bulk",)), BULK, MATCHED),
    (Policy(file_kinds=("bulk",)), KUNDE, ("kind", 0)),
    (Policy(file_kinds=("invitation", "auto_reply")), KUNDE, ("kind", 0)),
    (Policy(own_address="file"), ("To: boss", "From: x@y.de"), ("own_address", 1)),
    (Policy(own_address="ask"), ("To: boss", "From: x@y.de"), NOBODY),
    (
        Policy(own_address="ask", acknowledged=("contact#boss",)),
        ("To: boss", "From: x@y.de"),
        ("own_address", 1),
    ),
    (Policy(own_address="skip"), ("To: boss", "From: x@y.de"), NOBODY),
    (Policy(own_domains=("firma.de",)), ("From: x@firma.de", "To: max@k.de"), MATCHED),
    (Policy(internal_addresses=("x@y.de",)), ("From: x@y.de", "To: max@k.de"), MATCHED),
    (Policy(hold_fail=False), FORGED, MATCHED),
    (Policy(hold_fail=True), FORGED, ("ambiguous_sender", 0)),
]


def test_every_policy_value_works_from_its_item_to_the_overview(aws: Storage) -> None:
    outcomes = []
    for number, (policy, fields, _) in enumerate(POLICIES):
        tenant = TenantId(f"t{number}")
        policies.put_policy(aws.table, tenant, policy, Policy())
        connect_account(aws, tenant, "a1", "a1@own.de", filing=True)
        connect_account(aws, tenant, "a2", "eva@own.de", filing=True)
        index_contact(aws, tenant, "max@k.de", "c1", ["k1"])
        carried = "a1@own.de" if fields[0] == "To: boss" else "eva@own.de"
        index_contact(aws, tenant, carried, "boss", [])
        matched(aws, stored(aws, mail(*fields), tenant, "a1"))
        pk = keys.account_partition(tenant, "a1")
        (row,) = aws.table.query(pk, prefix="MAIL#")
        outcomes.append((row["r"], row["n"]))

    assert outcomes == [expected for _, _, expected in POLICIES]


def test_a_thousand_contacts_of_one_address_all_get_the_mail_and_the_flag(aws: Storage) -> None:
    connect_account(aws, ACME, "a1", "a1@own.de", filing=True)
    index_many_contacts(aws, ACME, "max@k.de", [f"c{n}" for n in range(1000)], ["k1"])
    key = stored(aws, mail(*KUNDE), ACME, "a1")

    matched(aws, key)

    message = found(aws, ACME, read_copy(aws, key, None).message_id)
    assert (len(message.filings), message.flags) == (1001, {"fan_out"})
    (row,) = archived(aws, Entity("contact", "c999"))
    assert row["fl"] == ["fan_out"]
