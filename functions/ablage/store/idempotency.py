"""Requests that are done once, however often they are sent: a key the caller chose, for a day.

claimed until U                    U: its function cannot be running any more
 |--- done: the answer is kept ------|   a repeat gets that answer
 |--- refused, failed: given back ---|   a repeat is a first time
 |--- killed                         |--- a repeat claims it anew
"""

import secrets
from dataclasses import dataclass, field
from typing import Any

from ablage.errors import Conflict, InvalidInput
from ablage.store.keys import Key
from ablage.store.table import ConditionFailed, Item, Table

SCHEMA = 1
KEPT_SECONDS = 24 * 3600
ANSWER_BYTES = 300 * 1024  # of an item's 400 KB


class InProgress(Conflict):
    """`retry_after`: seconds."""

    retry_after = 2


@dataclass(frozen=True)
class Kept:
    """An answer as it was given; `body` is None where only that it was done is kept."""

    status: int
    headers: dict[str, str]
    body: str | None = field(repr=False)


@dataclass(frozen=True)
class Claim:
    """Held by one invocation; `digest` is of the request."""

    key: Key
    digest: str
    token: str


def claim(table: Table, key: Key, digest: str, now: int, until: int) -> Claim | Kept:
    """The claim, or the answer that was given before.

    Raises InProgress `request_in_progress`, InvalidInput `idempotency_key_reused`."""
    taken = Claim(key, digest, secrets.token_hex(8))
    item = {
        "schema": SCHEMA,
        "digest": digest,
        "token": taken.token,
        "until": until,
        "expires": now + KEPT_SECONDS,
    }
    is_new, is_over = "attribute_not_exists(pk)", "expires < :now"
    is_dead = "(attribute_exists(#until) AND #until < :now AND digest = :digest)"
    try:
        table.put(
            key,
            item,
            condition=f"{is_new} OR {is_over} OR {is_dead}",
            names={"#until": "until"},
            values={":now": now, ":digest": digest},
        )
    except ConditionFailed:
        return _kept(table.get(key, consistent=True), digest)
    return taken


def _kept(item: Item | None, digest: str) -> Kept:
    if item and item["digest"] != digest:
        detail = "This Idempotency-Key was sent with another request; choose a new one for this."
        raise InvalidInput("idempotency_key_reused", detail, "Idempotency-Key")
    if item is None or "status" not in item:
        detail = "The first request with this Idempotency-Key is still running; ask again."
        raise InProgress("request_in_progress", detail, "Idempotency-Key")
    return Kept(item["status"], item["headers"], item.get("body"))


def keep(table: Table, held: Claim, answer: Kept) -> None:
    """From here on repeats get this answer. A claim that somebody took over is left to them."""
    fits = answer.body is not None and len(answer.body.encode()) <= ANSWER_BYTES
    values: dict[str, Any] = {
        ":status": answer.status,
        ":headers": answer.headers,
        ":token": held.token,
    }
    sets = "SET #status = :status, #headers = :headers"
    if fits:
        values[":body"] = answer.body
        sets += ", #body = :body"
    names = {"#status": "status", "#headers": "headers", "#until": "until", "#token": "token"}
    try:
        table.update(
            held.key,
            f"{sets} REMOVE #until",
            condition="#token = :token",
            names=names | ({"#body": "body"} if fits else {}),
            values=values,
        )
    except ConditionFailed:
        return


def give_back(table: Table, held: Claim) -> None:
    try:
        table.delete(
            held.key,
            condition="#token = :token",
            names={"#token": "token"},
            values={":token": held.token},
        )
    except ConditionFailed:
        return
