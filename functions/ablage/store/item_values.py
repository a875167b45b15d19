"""Values of an item as DynamoDB's API writes them: text, whole numbers, bytes, booleans, None, and
sets, lists and maps of them. boto3 has the same for fractions too, and takes a tenth of a bare
start.

Source: AWS, API_AttributeValue.
"""

from collections.abc import Callable, Mapping, Set
from typing import Any

Wire = dict[str, Any]


def to_wire(value: Any) -> Wire:
    """TypeError for what cannot be kept, fractions among it, without its value."""
    match value:
        case str():
            wire: Wire = {"S": value}
        case bool():
            wire = {"BOOL": value}
        case int():
            wire = {"N": str(value)}
        case None:
            wire = {"NULL": True}
        case Mapping():
            wire = {"M": {name: to_wire(inner) for name, inner in value.items()}}
        case list() | tuple():
            wire = {"L": [to_wire(inner) for inner in value]}
        case bytes():
            wire = {"B": value}
        case Set():
            wire = _set_to_wire(value)
        case _:
            raise TypeError(type(value).__name__)
    return wire


def _set_to_wire(values: Set[Any]) -> Wire:
    """Of one kind; DynamoDB keeps no empty ones."""
    wires = [to_wire(value) for value in values]
    kinds = {kind for wire in wires for kind in wire}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise TypeError(f"set of {sorted(kinds)}")
    (kind,) = kinds
    return {f"{kind}S": [wire[kind] for wire in wires]}


def from_wire(wire: Mapping[str, Any]) -> Any:
    """Sets are frozen. KeyError for a kind that DynamoDB does not have."""
    ((kind, value),) = wire.items()
    return _READ[kind](value)


_READ: dict[str, Callable[[Any], Any]] = {
    "S": lambda text: text,
    "BOOL": lambda flag: flag,
    "N": int,
    "NULL": lambda _: None,
    "M": lambda fields: {name: from_wire(inner) for name, inner in fields.items()},
    "L": lambda values: [from_wire(inner) for inner in values],
    "B": bytes,
    "SS": frozenset,
    "NS": lambda numbers: frozenset(map(int, numbers)),
    "BS": lambda values: frozenset(map(bytes, values)),
}
