"""Identity, order and items of a message."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablage.messages import (
    AddressDecision,
    Copy,
    Entity,
    Event,
    Facts,
    Filing,
    Message,
    message_id,
    sort_time,
)
from ablage.store.message_items import message_from_items, message_items
from ablage.store.rows import cut, wanted_rows
from ablage.tenancy import TenantId

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def message(**changes: object) -> Message:
    known: dict[str, object] = {
        "tenant": TenantId("acme"),
        "message_id": "m" * 26,
        "sort_time": "2026-11-20T12:00:00Z",
        "facts": Facts(subject="Hello", sender="Max <max@kunde.de>", to=("me@own.de",), size=7),
        "digest": "ab" * 32,
        "version": 3,
        "settled": False,
        "copies": (Copy("a1", "f" * 16, 1, 7, "2026-11-20T12:00:01Z", "cd" * 32, "ab" * 32),),
        "decisions": (AddressDecision("max@kunde.de", "from", "matched", ("contact#c1",)),),
        "filings": {Entity("contact", "c1"): Filing(frozenset({"auto"}), ("from:max@kunde.de",))},
    }
    return Message(**known | changes)  # type: ignore[arg-type]  names checked by the dataclass


def whole(one: Message) -> Message:
    item, parts = message_items(one)
    stored = [{"name": part.name, "entries": list(part.entries)} for part in parts]
    return message_from_items(one.tenant, one.message_id, item, stored)


def test_a_message_survives_its_item() -> None:
    one = message(
        tombstones=frozenset({Entity("customer", "k1")}),
        gone=frozenset({Entity("customer", "k1")}),
        outbox=(Event(2, Entity("customer", "k1"), "unfiled"),),
        archived={"ab" * 8: "cd" * 32},
        private="anna",
        flags=frozenset({"variant"}),
        expires=1_800_000_000,
    )

    assert whole(one) == one


def test_long_lists_spill_to_parts_and_come_back() -> None:
    entities = [Entity("contact", f"{n:04d}" + "c" * 124) for n in range(2000)]
    paths = tuple(f"to:{'x' * 200}{n}" for n in range(5))
    one = message(
        filings={entity: Filing(frozenset({"auto"}), paths) for entity in entities},
        decisions=tuple(
            AddressDecision(f"{n}@x.de", "to", "matched", tuple(map(str, entities[:20])))
            for n in range(1000)
        ),
        tombstones=frozenset(entities),
        gone=frozenset(entities),
        outbox=tuple(Event(2, entity, "unfiled") for entity in entities),
        dormant=tuple(
            ("aa" * 8, AddressDecision(f"{n}@x.de", "to", "no_match")) for n in range(99)
        ),
    )
    item, parts = message_items(one)

    assert max(_size(part.entries) for part in parts) < 350_000
    assert _size(item) < 300_000
    assert whole(one) == replace(one, spilled=True)


def _size(value: object) -> int:
    return len(json.dumps(value, default=lambda other: other.hex()))


def test_what_was_owed_is_nothing_once_settled() -> None:
    entities = [Entity("contact", f"c{n}") for n in range(70)]
    one = message(settled=True, gone=frozenset(entities))

    assert whole(one).gone == frozenset()


def test_writers_of_one_version_that_differ_write_different_parts() -> None:
    def filed(count: int) -> Message:
        return message(filings={Entity("c", f"{n}"): Filing(frozenset()) for n in range(count)})

    hashes = {message_items(filed(count))[0]["parts"]["hash"] for count in (80, 81)}

    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("date", "received", "expected"),
    [
        (NOON, NOON + timedelta(minutes=1), (NOON, False)),
        (NOON, None, (NOON, False)),
        (None, NOON, (NOON, False)),
        (datetime(1970, 1, 1, tzinfo=UTC), NOON, (NOON, False)),
        (NOON + timedelta(days=2), NOON, (NOON, False)),
        (NOON - timedelta(days=29), NOON, (NOON - timedelta(days=29), False)),
        (NOON - timedelta(days=31), NOON, (NOON, True)),
    ],
)
def test_sort_time_believes_a_plausible_date_only(
    date: datetime | None, received: datetime | None, expected: tuple[datetime, bool]
) -> None:
    moment, implausible = expected

    found = sort_time(date, received, NOON + timedelta(minutes=5) if date != NOON else NOON)

    assert found == (moment.strftime("%Y-%m-%dT%H:%M:%SZ"), implausible)


@pytest.mark.parametrize("year", [1, 99, 1979, 2200, 9999])
def test_a_received_time_no_server_has_is_not_believed(year: int) -> None:
    odd = datetime(year, 12, 31, 23, 59, tzinfo=UTC)

    assert sort_time(None, odd, NOON)[0] == "2026-11-20T12:00:00Z"
    assert sort_time(odd, None, NOON)[0] == "2026-11-20T12:00:00Z"
    assert len(sort_time(None, None, odd)[0]) == 20


def test_identity_is_message_id_sender_and_date_and_ignores_the_rest() -> None:
    same = {message_id("<a@b>", "x@y", NOON, [body]) for body in ("one", "two")}
    others = {
        message_id("<a@c>", "x@y", NOON, []),
        message_id("<a@b>", "z@y", NOON, []),
        message_id("<a@b>", "x@y", NOON + timedelta(seconds=1), []),
    }

    assert (len(same), len(others | same)) == (1, 4)


def test_without_a_message_id_the_content_tells_mails_apart() -> None:
    assert message_id("", "x@y", None, ["one"]) != message_id("", "x@y", None, ["two"])


@given(st.text(), st.text())
def test_an_id_fits_the_route_and_the_key(mail_id: str, sender: str) -> None:
    found = message_id(mail_id, sender, None, [])

    assert len(found) == 26
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz234567")


@given(st.text(), st.integers(min_value=4, max_value=200))
def test_cut_never_splits_a_character_and_keeps_its_limit(text: str, limit: int) -> None:
    clean = text.encode("utf-8", "replace").decode()
    found = cut(clean, limit)

    assert len(found.encode()) <= limit
    assert clean.startswith(found.removesuffix("\u2026"))


def test_an_archive_row_stays_within_640_bytes_whatever_the_mail_says() -> None:
    long = "ü" * 400
    facts = Facts(subject=long, sender=long, to=(long,), snippet=long, attachments=99)
    recipients = tuple(f"somebody{n}@example.com" for n in range(20))
    facts = replace(facts, authentication="fail", direction="outbound", cc=recipients)
    flags = frozenset({"variant", "date_implausible", "fan_out", "fan_out_limited", "limited"})
    one = message().copies[0]
    copies = tuple(replace(one, account_id=f"{n}" * 30) for n in range(9))
    rows = wanted_rows(message(facts=facts, flags=flags, copies=copies))
    ((key, row),) = [(key, row) for key, row in rows.items() if key[1].startswith("FILED#")]

    def taken(value: object) -> int:
        return len(value if isinstance(value, bytes) else str(value).encode())

    size = sum(len(name) + taken(value) for name, value in row.items() if value)

    assert size + len(key[0]) + len(key[1]) <= 640
