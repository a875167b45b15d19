"""Very many contacts at one address, very many recipients: filed at all, and no limit is met."""

import pytest
from boto3.dynamodb.types import TypeSerializer
from tests.bench.meter import item_bytes
from tests.support.walks import Arriving, contact, filed, index_entry, knowing, mail, walked

from ablage.change import within_limits
from ablage.filings import keep_only
from ablage.limits import FILINGS_PER_MESSAGE
from ablage.messages import Entity, Message, next_version
from ablage.store.message_items import message_items

ITEM_BYTES = 400_000  # of one DynamoDB item, key and names included [AWS: 400 KB]
LONGEST = 128  # characters of an id


def named(number: int) -> str:
    return f"{number:06d}".ljust(LONGEST, "c")


def largest(message: Message) -> int:
    """Bytes of the largest item the message is written as."""
    item, parts = message_items(message)
    values = [item, *({"name": part.name, "entries": list(part.entries)} for part in parts)]
    written = [TypeSerializer().serialize(_without_none(value))["M"] for value in values]
    return max(item_bytes(one) for one in written)


def _without_none(item: dict) -> dict:
    return {name: value for name, value in item.items() if value is not None}


def from_one_address(count: int, **policy: object) -> Message:
    entry = contact(*(named(n) for n in range(count)), customers=("k1",))
    known = knowing({"info@many.de": entry}, **policy)
    return walked(Arriving(mail("From: info@many.de"), known))


@pytest.mark.parametrize("count", [1, 98, 100, 250, 1000])
def test_all_contacts_of_an_address_get_the_mail_within_the_limits(count: int) -> None:
    message = from_one_address(count)

    assert len(message.filings) == count + 1
    assert message.flags == ({"fan_out"} if count > 25 else set())
    assert largest(message) < ITEM_BYTES


@pytest.mark.parametrize(
    ("count", "limit", "flags"),
    [(25, 25, set()), (26, 25, {"fan_out"}), (2, 1, {"fan_out"}), (26, 26, set())],
)
def test_more_contacts_than_policy_finds_usual_are_flagged(
    count: int, limit: int, flags: set[str]
) -> None:
    assert from_one_address(count, fan_out_flag=limit).flags == flags


def test_five_hundred_recipients_of_one_customer_are_one_filing_there() -> None:
    index = {f"p{n}@list.de": contact(named(n), customers=("k1",)) for n in range(500)}
    to = "To: " + ", ".join(index)

    message = walked(Arriving(mail("From: info@own.de", to), knowing(index), role="sent"))

    assert len(message.filings) == 501
    assert len(message.decisions) == 500
    assert message.flags == set()
    assert largest(message) < ITEM_BYTES


def test_what_is_over_the_most_a_message_takes_is_flagged() -> None:
    message = within_limits(from_one_address(FILINGS_PER_MESSAGE + 5))

    assert len(message.filings) == FILINGS_PER_MESSAGE
    assert message.flags == {"fan_out", "fan_out_limited"}
    assert largest(message) < ITEM_BYTES


def test_keeping_one_of_the_most_fits_too_and_is_one_change() -> None:
    message = within_limits(from_one_address(FILINGS_PER_MESSAGE))
    kept = Entity("contact", named(7))

    wanted = keep_only([kept], "eva")(message)

    assert wanted is not None
    after = next_version(message, wanted)
    assert set(after.filings) == {kept}
    assert len(after.tombstones) == len(after.gone) == FILINGS_PER_MESSAGE - 1
    assert (after.flags, after.version) == ({"fan_out_limited"}, message.version + 1)
    assert largest(after) < ITEM_BYTES
    assert keep_only([kept], "eva")(after) is None


def test_a_customer_alone_is_no_fan_out() -> None:
    entry = index_entry(customers=tuple(f"k{n}" for n in range(40)))

    message = walked(Arriving(mail("From: info@many.de"), knowing({"info@many.de": entry})))

    assert (len(filed(message)), message.flags) == (40, set())
