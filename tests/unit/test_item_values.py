"""Attribute values of DynamoDB, held to boto3's own."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from ablage.store.item_values import from_wire, to_wire

VALUES = [
    "", "kunde@ä.example", 0, -7, 10**37, True, False, None, b"", b"\x00\xff", {}, [],
    {"1"}, {1}, {b"1"}, [1, [True, None]], {"a": {"b": [{"c": {"x"}}]}},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_written_as_boto3_does_and_read_as_it_was(value: Any) -> None:
    assert to_wire(value) == TypeSerializer().serialize(value)
    assert from_wire(to_wire(value)) == value == TypeDeserializer().deserialize(to_wire(value))
    assert type(from_wire(to_wire(value))) is (frozenset if isinstance(value, set) else type(value))


def test_tuples_are_lists_and_frozen_sets_sets() -> None:
    assert to_wire(("a", 1)) == to_wire(["a", 1])
    assert to_wire(frozenset({"a"})) == to_wire({"a"})
    assert sorted(to_wire({"b", "a"})["SS"]) == ["a", "b"]


@pytest.mark.parametrize(
    "value",
    [1.5, Decimal("1.5"), object(), set(), {1, "a"}, {True}, [{"canary": 1.5}]],
    ids=["float", "decimal", "object", "no members", "two kinds", "booleans", "within"],
)
def test_what_no_item_can_keep_is_refused_without_its_value(value: Any) -> None:
    with pytest.raises(TypeError) as refused:
        to_wire(value)

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("wire", [{"N": "1.5"}, {"S": "a", "N": "1"}, {}, {"X": "a"}])
def test_what_we_never_wrote_is_not_guessed_at(wire: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        from_wire(wire)
