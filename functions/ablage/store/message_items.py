"""Messages as items. Attribute names are short: a mail must fit one write unit (1 KB) with its
facts.

MESSAGE item: `v` version, `st` settled, `s` sort_time, `f` facts, `d` digest, `c` copies, `a`
address
decisions, `fi` filings, `t` tombstones, `g` gone, `o` outbox, `ar` archived, `pv` private, `rv`
review, `fl`
flags, `dl` failed deliveries, `vs` versions, `b` batches, `h` history.
Long lists spill to PART items, named by version and content, written before the item and never
changed.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ablage.limits import FILINGS_IN_ITEM
from ablage.messages import (
    AddressDecision,
    Copy,
    DeliveryFailure,
    Entity,
    Event,
    Facts,
    Filing,
    Message,
)
from ablage.store import keys
from ablage.store.table import Item
from ablage.tenancy import TenantId

SCHEMA = 1
INLINE_BYTES = 40_000  # of one list: all of them stay far below the 400 KB of an item [AWS]
PART_BYTES = 250_000
HISTORY = 100  # events, of at most about 450 bytes each
SPILLED = ("c", "a", "fi", "t", "g", "o", "dv")

_FACT_NAMES = {
    "subject": "s", "sender": "n", "from_key": "f", "to": "t", "cc": "c", "bcc": "b", "date": "d",
    "mail_id": "i", "kind": "k", "snippet": "p", "direction": "w", "via": "v", "size": "z",
    "attachments": "a", "authentication": "u",
}  # fmt: skip
_FACT_DEFAULTS = Facts()
_FACT_TUPLES = ("to", "cc", "bcc")


@dataclass(frozen=True)
class Part:
    """Entries of a list that is too long for the item."""

    number: int
    name: str
    entries: tuple[Any, ...]


def message_items(message: Message) -> tuple[Item, tuple[Part, ...]]:
    """The item, and the parts to be written before it (none for all but the rarest mail)."""
    lists: dict[str, list[Any]] = {
        "c": [_copy_value(copy) for copy in message.copies],
        "a": [_decision_value(decision) for decision in message.decisions],
        "fi": [_filing_value(entity, message.filings[entity]) for entity in message.filings],
        "t": sorted(str(entity) for entity in message.tombstones),
        "g": sorted(str(entity) for entity in message.gone),
        "o": [event_value(event) for event in message.outbox],
        "dv": [[digest, *_decision_value(decision)] for digest, decision in message.dormant],
    }
    parts = tuple(_parts({name: lists[name] for name in SPILLED if _spills(lists[name])}))
    inline = {name: values for name, values in lists.items() if values and not _spills(values)}
    item = _head(message) | inline
    if parts:
        item["parts"] = {"hash": _content_hash(parts), "count": len(parts), "v": message.version}
    return item, parts


def _spills(values: Sequence[Any]) -> bool:
    return len(values) > FILINGS_IN_ITEM or sum(map(_bytes, values)) > INLINE_BYTES


def _bytes(value: Any) -> int:
    """About what DynamoDB counts; never less."""
    return len(json.dumps(value, default=_plain, ensure_ascii=False).encode()) + 8


def _parts(lists: Mapping[str, list[Any]]) -> Iterator[Part]:
    number = 0
    for name, values in lists.items():
        for entries in _chunks(values):
            yield Part(number, name, entries)
            number += 1


def _chunks(values: list[Any]) -> Iterator[tuple[Any, ...]]:
    chunk: list[Any] = []
    room = PART_BYTES
    for value in values:
        size = _bytes(value)
        if chunk and size > room:
            yield tuple(chunk)
            chunk, room = [], PART_BYTES
        chunk.append(value)
        room -= size
    yield tuple(chunk)


def _content_hash(parts: Iterable[Part]) -> str:
    """Two writers of one version that differ write different parts: neither can spoil the
    other's."""
    text = json.dumps([[part.name, part.entries] for part in parts], default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else sorted(value)


def _head(message: Message) -> Item:
    known = {
        "schema": SCHEMA,
        "v": message.version,
        "st": message.settled,
        "s": message.sort_time,
        "f": _facts_value(message.facts),
        "d": bytes.fromhex(message.digest),
        "ar": {k: bytes.fromhex(sha) for k, sha in message.archived.items()},
        "pv": message.private,
        "rv": message.review,
        "fl": sorted(message.flags),
        "b": list(message.batches),
        "vs": list(message.versions),
        "h": [event_value(event) for event in message.history],
        "dl": [[f.recipient, f.status, f.report] for f in message.delivery],
        "expires": message.expires,
    }
    return {name: value for name, value in known.items() if value not in (None, "", [], {})}


def message_from_items(
    tenant: TenantId, message_id: str, item: Item, parts: Iterable[Item] = ()
) -> Message:
    lists: dict[str, list[Any]] = {name: list(item.get(name, ())) for name in SPILLED}
    for part in parts:
        lists[part["name"]] += part["entries"]
    return Message(
        tenant=tenant,
        message_id=message_id,
        version=item["v"],
        settled=item["st"],
        sort_time=item["s"],
        facts=_facts(item.get("f", {})),
        digest=item["d"].hex(),
        copies=tuple(_copy(value) for value in lists["c"]),
        decisions=tuple(_decision(value) for value in lists["a"]),
        filings=dict(_filing(value) for value in lists["fi"]),
        tombstones=_entities(lists["t"]),
        gone=_entities(() if item["st"] else lists["g"]),
        outbox=() if item["st"] else tuple(_event(value) for value in lists["o"]),
        history=tuple(_event(value) for value in item.get("h", ())),
        dormant=tuple((digest, _decision(value)) for digest, *value in lists["dv"]),
        archived={k: sha.hex() for k, sha in item.get("ar", {}).items()},
        private=item.get("pv", ""),
        review=item.get("rv", ""),
        flags=frozenset(item.get("fl", ())),
        versions=tuple(item.get("vs", ())),
        delivery=tuple(DeliveryFailure(*value) for value in item.get("dl", ())),
        expires=item.get("expires"),
        spilled="parts" in item,
        batches=tuple(item.get("b", ())),
    )


def part_keys(message: Message, item: Item) -> list[keys.Key]:
    parts = item["parts"]
    return [
        keys.message_part(message.tenant, message.message_id, parts["v"], parts["hash"], number)
        for number in range(parts["count"])
    ]


def event_value(event: Event) -> list[Any]:
    value = [event.version, str(event.entity), event.kind, event.at]
    return [*value, event.by, event.batch] if event.by or event.batch else value


def _event(value: Sequence[Any]) -> Event:
    version, entity, kind, *rest = value
    return Event(version, Entity.parse(entity), kind, *rest)


def _entities(texts: Iterable[str]) -> frozenset[Entity]:
    return frozenset(Entity.parse(text) for text in texts)


def _facts_value(facts: Facts) -> dict[str, Any]:
    return {
        short: list(value) if isinstance(value, tuple) else value
        for name, short in _FACT_NAMES.items()
        if (value := getattr(facts, name)) != getattr(_FACT_DEFAULTS, name)
    }


def _facts(value: Mapping[str, Any]) -> Facts:
    known = {name: value[short] for name, short in _FACT_NAMES.items() if short in value}
    return Facts(**known | {name: tuple(known[name]) for name in _FACT_TUPLES if name in known})


def _copy_value(copy: Copy) -> list[Any]:
    place = [copy.account_id, copy.folder_id, copy.uidvalidity, copy.uid]
    what = [bytes.fromhex(copy.sha256), bytes.fromhex(copy.digest)]
    value = [*place, copy.received_at, *what, copy.role, copy.retention]
    return [*value, True] if copy.gated else value


def _copy(value: Sequence[Any]) -> Copy:
    account, folder, uidvalidity, uid, received, sha256, digest, *rest = value
    return Copy(account, folder, uidvalidity, uid, received, sha256.hex(), digest.hex(), *rest)


def _decision_value(decision: AddressDecision) -> list[Any]:
    return [decision.address, decision.where, decision.reason, list(decision.hits)]


def _decision(value: Sequence[Any]) -> AddressDecision:
    address, where, reason, hits = value
    return AddressDecision(address, where, reason, tuple(hits))


def _filing_value(entity: Entity, filing: Filing) -> list[Any]:
    value: list[Any] = [str(entity), "".join(sorted(origin[0] for origin in filing.origins))]
    value.append(list(filing.paths))
    return [*value, filing.by, filing.at] if filing.by or filing.at else value


def _filing(value: Sequence[Any]) -> tuple[Entity, Filing]:
    entity, letters, paths, *hand = value
    origins = frozenset({"a": "auto", "m": "manual"}[letter] for letter in letters)
    by, at = hand or ("", "")
    return Entity.parse(entity), Filing(origins, tuple(paths), by, at)


def with_settled(message: Message) -> Message:
    """Nothing is owed; of what was, the last stays as history."""
    history = message.events[-HISTORY:]
    return replace(message, settled=True, gone=frozenset(), outbox=(), history=history)
