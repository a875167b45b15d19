"""What is told to others of a tenant: one shape for `GET /v1/changes` and for whatever is sent.

Ids and facts about them alone, never what a mail says. An event's id is made from what it tells, so
that whoever hears it twice knows.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ablage.messages import Entity

FILED, UNFILED, HELD = "EmailFiled", "EmailUnfiled", "EmailHeld"
ACCOUNT, JOB = "AccountStatusChanged", "JobFinished"
TYPES = (FILED, UNFILED, HELD, ACCOUNT, JOB)
_OF_MESSAGES = {"filed": FILED, "unfiled": UNFILED, "held": HELD}


@dataclass(frozen=True)
class Told:
    """`at` is RFC 3339 UTC to the millisecond; `facts` are the other fields of AccountStatusChanged
    (account, status, previous, code) and JobFinished (job, kind, state, account, code)."""

    event_id: str
    type: str
    at: str
    message: str | None = None
    entity: Entity | None = None
    by: str | None = None
    batch: str | None = None
    facts: Mapping[str, str] | None = None


def told(row: Mapping[str, Any]) -> Iterator[Told]:
    """The events of a row of the feed, in order; a void one has none."""
    at = row["sk"].partition("#")[0]
    for kind, entity, *by in row.get("e", ()):
        mark = _id(row["m"], row["v"], entity, kind)
        yield Told(
            event_id=mark,
            type=_OF_MESSAGES[kind],
            at=at,
            message=row["m"],
            entity=Entity.parse(entity) if kind != "held" else None,
            by=by[0] if by else None,
            batch=row.get("b"),
        )
    if "f" in row:
        yield Told(_id(row["n"]), row["t"], at, facts=row["f"])


def as_json(event: Told) -> dict[str, Any]:
    """As it is sent; what does not apply is absent."""
    entity = event.entity
    known: dict[str, Any] = {
        "id": event.event_id,
        "type": event.type,
        "at": event.at,
        "message": event.message,
        "entity_type": entity.kind if entity else None,
        "entity_id": entity.entity_id if entity else None,
        "by": event.by,
        "batch": event.batch,
        **(event.facts or {}),
    }
    return {name: value for name, value in known.items() if value is not None}


def _id(*parts: object) -> str:
    return hashlib.sha256("#".join(map(str, parts)).encode()).hexdigest()[:32]
