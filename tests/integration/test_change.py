"""The one writer of messages, on moto: what each step leaves, and what a reader then sees."""

from dataclasses import replace

import pytest
from tests.support.aws import received_bodies
from tests.support.feed import whole_feed

from ablage.change import REPAIR_DELAY, ask_repair, change, within_limits
from ablage.copies import Arrival, add_copy
from ablage.errors import Gone
from ablage.filings import file_by_hand, mark_private, unfile
from ablage.matching import Decision
from ablage.messages import AddressDecision, Copy, Entity, Facts, Filing, Message, next_version
from ablage.settings import settings
from ablage.store import keys, messages
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.rows import archive_key
from ablage.store.storage import Storage
from ablage.store.table import ConditionFailed, Item
from ablage.tenancy import TenantId

ACME, OTHER = TenantId("acme"), TenantId("acme2")
MESSAGE = "m" * 26
C1, QUOTE = Entity("contact", "c1"), Entity("quote", "q1")
SHA, DIGEST = "bb" * 32, "aa" * 32
BY_HAND = file_by_hand(QUOTE, "anna", "2026-11-20T12:00:00Z")


def arrival(
    where: Storage,
    *hits: str,
    account: str = "a1",
    tenant: TenantId = ACME,
    raw: bytes | None = b"mail",
    digest: str = DIGEST,
) -> Arrival:
    """A copy whose raw mail is stored, unless `raw` is None."""
    key = RawKey("30d", tenant, account, "0" * 16, 1, 7)
    if raw is not None:
        where.raw.put(key, raw, RawMetadata("2026-11-20T10:00:00Z"))
    copy = Copy(account, "0" * 16, 1, 7, "2026-11-20T10:00:00Z", SHA, digest)
    found = AddressDecision("x@kunde.de", "from", "matched" if hits else "no_match", hits)
    decision = Decision("inbound", "", (found,))
    facts = Facts(subject="Offer", sender="x@kunde.de")
    return Arrival(
        tenant, MESSAGE, copy, facts, decision, "2026-11-20T10:00:00Z", frozenset(), 4_000_000_000
    )


def arrived(where: Storage, *hits: str, tenant: TenantId = ACME) -> Message:
    message = change(where, tenant, MESSAGE, add_copy(arrival(where, *hits, tenant=tenant)))
    assert message is not None
    return message


def archive(where: Storage, entity: Entity, tenant: TenantId = ACME) -> list[Item]:
    rows = where.table.query(keys.archive(tenant, entity.kind, entity.entity_id))
    return [row for row in rows if not row.get("gone")]


def test_messages_of_equal_ids_are_their_tenants_own(aws: Storage) -> None:
    arrived(aws, "contact#c1")
    arrived(aws, tenant=OTHER)

    change(aws, ACME, MESSAGE, unfile(C1, "eva"))
    change(aws, OTHER, MESSAGE, BY_HAND)

    assert (archive(aws, C1), archive(aws, QUOTE)) == ([], [])
    assert len(archive(aws, QUOTE, OTHER)) == 1


def test_nothing_is_owed_when_a_change_ends(aws: Storage) -> None:
    message = arrived(aws, "contact#c1")

    stored = messages.read(aws.table, ACME, MESSAGE)

    assert stored == message
    assert (message.settled, message.gone, message.outbox) == (True, frozenset(), ())


def test_an_intent_that_changes_nothing_writes_nothing(aws: Storage) -> None:
    message = arrived(aws, "contact#c1")

    again = change(aws, ACME, MESSAGE, add_copy(arrival(aws, "contact#c1")))

    assert again == message


def test_filing_by_hand_after_the_raw_expired_writes_nothing(aws: Storage) -> None:
    change(aws, ACME, MESSAGE, add_copy(arrival(aws, raw=None)))

    with pytest.raises(Gone) as caught:
        change(aws, ACME, MESSAGE, BY_HAND, archive_first=True)

    stored = messages.read(aws.table, ACME, MESSAGE)
    assert caught.value.code == "raw_expired"
    assert stored is not None
    assert (stored.version, stored.filings) == (1, {})


def test_a_filing_whose_bytes_expired_is_still_a_filing(aws: Storage) -> None:
    message = change(aws, ACME, MESSAGE, add_copy(arrival(aws, "contact#c1", raw=None)))

    assert message is not None
    assert (message.settled, len(archive(aws, C1)), message.archived) == (True, 1, {})


def test_each_variant_keeps_its_own_bytes(aws: Storage) -> None:
    arrived(aws, "contact#c1")
    variant = arrival(aws, account="a2", raw=b"forged", digest="cc" * 32)
    variant = replace(variant, copy=replace(variant.copy, sha256="dd" * 32))

    message = change(aws, ACME, MESSAGE, add_copy(variant))

    assert message is not None
    kept = {aws.archive.read(ACME, MESSAGE, sha) for sha in message.archived.values()}
    assert kept == {b"mail", b"forged"}
    assert archive(aws, C1)[0]["fl"] == ["variant"]


def test_unfiling_leaves_a_tombstone_row_that_readers_do_not_see(aws: Storage) -> None:
    arrived(aws, "contact#c1")

    change(aws, ACME, MESSAGE, unfile(C1, "eva"))

    (row,) = aws.table.query(keys.archive(ACME, "contact", "c1"))
    assert row["gone"]
    assert row["expires"] > 0


def test_a_late_writer_of_an_older_version_is_refused(aws: Storage) -> None:
    first = arrived(aws, "contact#c1")
    change(aws, ACME, MESSAGE, unfile(C1, "eva"))

    messages.put_row(aws.table, archive_key(first, C1), first, {"s": "late"})

    assert archive(aws, C1) == []


def test_two_writers_of_one_version_cannot_both_win(aws: Storage) -> None:
    current = arrived(aws)
    wanted = BY_HAND(current)
    assert wanted is not None
    messages.write(aws.table, next_version(current, wanted))

    with pytest.raises(ConditionFailed):
        messages.write(aws.table, next_version(current, wanted))


def test_a_repair_of_nothing_is_nothing(aws: Storage) -> None:
    assert change(aws, ACME, "n" * 26, None) is None


def test_parts_of_older_versions_go_once_a_newer_one_is_settled(aws: Storage) -> None:
    arrived(aws, *(f"contact#c{n}" for n in range(70)))

    change(aws, ACME, MESSAGE, unfile(C1, "eva"))

    pk, _ = keys.message(ACME, MESSAGE)
    parts = aws.table.query(pk, prefix="PART#")
    stored = messages.read(aws.table, ACME, MESSAGE)
    assert {part["sk"].split("#")[1] for part in parts} == {"0000000002"}
    assert stored is not None
    assert len(stored.filings) == 69


def test_a_message_beyond_two_thousand_filings_is_flagged(aws: Storage) -> None:
    wanted = add_copy(arrival(aws, *(f"contact#c{n}" for n in range(2001))))(None)
    assert wanted is not None

    message = within_limits(wanted)

    assert len(message.filings) == 2000
    assert "fan_out_limited" in message.flags


def test_events_add_up_to_what_is_filed(aws: Storage) -> None:
    arrived(aws, "contact#c1")
    change(aws, ACME, MESSAGE, unfile(C1, "eva"))
    change(aws, ACME, MESSAGE, BY_HAND)

    message = messages.read(aws.table, ACME, MESSAGE)
    expected = [
        ("contact#c1", "EmailFiled"),
        ("contact#c1", "EmailUnfiled"),
        ("quote#q1", "EmailFiled"),
    ]
    assert [(str(each.entity), each.type) for each in whole_feed(aws, ACME)] == expected
    assert message is not None
    assert [(str(event.entity), f"Email{event.kind.title()}") for event in message.history] == (
        expected
    )


def test_an_expired_message_is_not_there_for_readers(aws: Storage) -> None:
    arrived(aws)

    assert messages.get(aws.table, ACME, MESSAGE, now=4_000_000_001) is None
    assert messages.get(aws.table, ACME, MESSAGE, now=3_999_999_999) is not None


def test_a_repair_is_asked_for_with_a_delay_that_outlives_the_asker(aws: Storage) -> None:
    ask_repair(aws, ACME, MESSAGE)

    assert received_bodies(settings().match_queue_url) == []
    assert REPAIR_DELAY > 29


def test_a_copy_that_comes_after_a_dead_writer_projects_his_rows_too(aws: Storage) -> None:
    died = add_copy(arrival(aws, "contact#c1"))(None)
    assert died is not None
    messages.write(aws.table, next_version(None, died))

    second = change(aws, ACME, MESSAGE, add_copy(arrival(aws, "contact#c1", account="a2")))

    assert second is not None
    assert second.settled
    assert len(archive(aws, C1)) == 1


def test_a_change_out_of_time_is_kept_and_finished_by_its_repair(aws: Storage) -> None:
    arrived(aws)

    hurried = change(aws, ACME, MESSAGE, BY_HAND, archive_first=True, seconds=0)
    before = archive(aws, QUOTE)
    change(aws, ACME, MESSAGE, None)

    assert hurried is not None
    assert (hurried.settled, before) == (False, [])
    assert len(archive(aws, QUOTE)) == 1


def test_unfiling_and_private_marks_keep_no_bytes_of_an_unfiled_mail(aws: Storage) -> None:
    arrived(aws)

    change(aws, ACME, MESSAGE, mark_private("anna"), archive_first=True)

    with pytest.raises(Gone):
        aws.archive.read(ACME, MESSAGE, SHA)


def test_an_expired_row_gives_way_to_the_mail_that_came_back(aws: Storage) -> None:
    arrived(aws)
    aws.table.delete(keys.message(ACME, MESSAGE))
    row = aws.table.query(keys.account_partition(ACME, "a1"), prefix="MAIL#")[0]
    aws.table.put((row["pk"], row["sk"]), {"v": 9, "expires": 1, "s": "old"})

    arrived(aws)

    (row,) = aws.table.query(keys.account_partition(ACME, "a1"), prefix="MAIL#")
    assert (row["v"], row["s"]) == (1, "Offer")


def test_filing_by_hand_is_never_what_the_limit_leaves_out() -> None:
    auto = {Entity("contact", f"c{n}"): Filing(frozenset({"auto"})) for n in range(2000)}
    by_hand = {QUOTE: Filing(frozenset({"manual"}))}
    message = Message(ACME, MESSAGE, "2026-11-20T10:00:00Z", Facts(), DIGEST)

    kept = within_limits(replace(message, filings=auto | by_hand))

    assert QUOTE in kept.filings
    assert len(kept.filings) == 2000
