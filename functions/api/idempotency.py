"""`Idempotency-Key` on POST: done once, the same answer after.

A key counts for one tenant, user and route. Of an answer that repeats mail, or opens something,
only that it was given is kept: a repeat is worked out anew, which changes nothing there. A secret
that is shown once is null in what is kept."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from ablage.errors import InvalidInput
from ablage.store import idempotency, keys
from ablage.store.idempotency import Claim, Kept
from ablage.store.table import Table
from api.clock import now_epoch
from api.operations import Operation
from api.tenant import Caller

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_HEADERS = ("Content-Type", "ETag", "Location", "Retry-After")

Result = dict[str, Any]


def once(
    table: Table,
    event: dict[str, Any],
    operation: Operation,
    caller: Caller,
    *,
    seconds: float,
    work: Callable[[], Result],
) -> Result:
    """What `work` answers, or answered before. `seconds`: how long it can take at most.

    Raises InvalidInput `invalid_idempotency_key`, `idempotency_key_reused`, InProgress."""
    key = _key(event) if operation.method == "POST" else None
    if key is None:
        return work()
    place = keys.idempotency(caller.tenant, _digest(operation.path, caller.subject, key))
    now = now_epoch()
    request = _digest(key, event["rawPath"], event.get("rawQueryString", ""), event.get("body"))
    held = idempotency.claim(table, place, request, now, now + int(seconds) + 1)
    if isinstance(held, Kept):
        return work() if held.body is None else _replayed(held)
    return _held(table, held, operation, work)


def _held(table: Table, held: Claim, operation: Operation, work: Callable[[], Result]) -> Result:
    """What was refused or failed changed nothing: the key is free again."""
    try:
        result = work()
    except BaseException:
        idempotency.give_back(table, held)
        raise
    if result["statusCode"] >= 400:
        idempotency.give_back(table, held)
    else:
        idempotency.keep(table, held, _as_kept(result, operation))
    return result


def _as_kept(result: Result, operation: Operation) -> Kept:
    given = {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    headers = {name: given[name.lower()] for name in _HEADERS if name.lower() in given}
    body = (result.get("body") or "") if operation.is_replayed else None
    if operation.shown_once:
        body = json.dumps(json.loads(body or "{}") | {operation.shown_once: None})
    return Kept(result["statusCode"], headers, body)


def _replayed(kept: Kept) -> Result:
    return {
        "statusCode": kept.status,
        "headers": kept.headers | {REPLAYED: "true"},
        "body": kept.body,
        "isBase64Encoded": False,
    }


def _key(event: dict[str, Any]) -> str | None:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    key = headers.get(HEADER.lower())
    if key is not None and not _KEY.fullmatch(key):
        detail = "An Idempotency-Key has 1 to 255 printable ASCII characters without blanks."
        raise InvalidInput("invalid_idempotency_key", detail, HEADER)
    return key


def _digest(*parts: str | None) -> str:
    """Of all parts, each with its length: none runs into the next."""
    texts = [part or "" for part in parts]
    return hashlib.sha256("".join(f"{len(t)}:{t}" for t in texts).encode()).hexdigest()
