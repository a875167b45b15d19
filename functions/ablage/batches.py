"""Batches: long work on stored messages, with a ledger that undo goes by. Pure.

A batch marks every message it changed with its id, in the same write: done twice, it changes
nothing. Before that write its ledger says what the write adds and takes away, so that undo takes
back exactly this: no link of a person, of a later copy or of another batch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ablage.filings import Intent
from ablage.messages import AddressDecision, Entity, Filing, Message

BACKFILL_CONTACT, BACKFILL_ACCOUNT = "backfill_contact", "backfill_account"
PURGE_BLOCKED, REEVALUATE, UNDO = "purge_blocked", "reevaluate", "undo"
DELETE_ARCHIVE, MERGE_CONTACT = "delete_archive", "merge_contact"
UNDOABLE = (BACKFILL_CONTACT, BACKFILL_ACCOUNT, PURGE_BLOCKED, REEVALUATE, DELETE_ARCHIVE)
KINDS = (*UNDOABLE, UNDO, MERGE_CONTACT)
UNDO_DAYS = 7
MARKS = 50  # batches a message remembers; none counts after its undo_until


@dataclass(frozen=True)
class Ledger:
    """What one batch changes at one message, planned on its `version`.

    A filing here holds the origins and paths that come or go, not all that stand. `decided` are
    new decisions, `dropped` those they replace. `way` is direction and via before, if they change.
    """

    version: int
    added: Mapping[Entity, Filing] = field(default_factory=dict)
    removed: Mapping[Entity, Filing] = field(default_factory=dict)
    decided: tuple[AddressDecision, ...] = ()
    dropped: tuple[AddressDecision, ...] = ()
    way: tuple[str, str] | None = None


def ledger(before: Message, after: Message) -> Ledger:
    entities = {**before.filings, **after.filings}
    nothing = Filing(frozenset())
    pairs = {e: (before.filings.get(e, nothing), after.filings.get(e, nothing)) for e in entities}
    added = {entity: _less(new, old) for entity, (old, new) in pairs.items()}
    removed = {entity: _less(old, new) for entity, (old, new) in pairs.items()}
    return Ledger(
        version=before.version,
        added={entity: filing for entity, filing in added.items() if _says_something(filing)},
        removed={entity: filing for entity, filing in removed.items() if _says_something(filing)},
        decided=_missing(after.decisions, before.decisions),
        dropped=_missing(before.decisions, after.decisions),
        way=None if _way(before) == _way(after) else _way(before),
    )


def marked(after: Message, batch: str) -> Message:
    return replace(after, batches=(*after.batches, batch)[-MARKS:])


def becomes(after: Message, version: int) -> Intent:
    """`after`, made from the message's `version`; nothing where another version stands."""

    def intent(message: Message | None) -> Message | None:
        return after if message is not None and message.version == version else None

    return intent


def undone(message: Message, done: Ledger) -> Message:
    """The links the batch made go, and a tombstone keeps the next sync from refiling them; those it
    took come back, unless somebody unfiled or marked the mail since. What is filed by hand stays.
    """
    tombstones = set(message.tombstones)
    filings = dict(message.filings)
    for entity, link in done.added.items():
        if entity not in filings:  # another batch took it, whose undoing must not bring it back
            tombstones |= {entity} if link.origins else set()
            continue
        left = _without(filings.pop(entity), link)
        if left is None:
            tombstones.add(entity)
        else:
            filings[entity] = left
    for entity, link in done.removed.items():
        back = _manual(link) if message.private else link
        if entity not in message.tombstones and back is not None:
            filings[entity] = _with(filings.get(entity), back)
    direction, via = done.way or _way(message)
    return replace(
        message,
        filings=filings,
        tombstones=frozenset(tombstones - set(filings)),
        decisions=_restored(message.decisions, done),
        facts=replace(message.facts, direction=direction, via=via),
    )


def moved(done: Ledger, places: Mapping[Entity, Entity | None]) -> Ledger:
    """What it says of an entity, said of the one that took its place: a merged contact's. What it
    took from one whose place is None is not put back."""
    named = {str(source): str(into) for source, into in places.items() if into}
    return replace(
        done,
        added=_moved(done.added, {e: into or e for e, into in places.items()}),
        removed=_moved(done.removed, places),
        decided=tuple(with_hits_renamed(decision, named) for decision in done.decided),
        dropped=tuple(with_hits_renamed(decision, named) for decision in done.dropped),
    )


def _moved(
    links: Mapping[Entity, Filing], places: Mapping[Entity, Entity | None]
) -> dict[Entity, Filing]:
    found: dict[Entity, Filing] = {}
    for entity, link in links.items():
        place = places.get(entity, entity)
        if place is not None:
            found[place] = _with(found.get(place), link)
    return found


def with_hits_renamed(decision: AddressDecision, named: Mapping[str, str]) -> AddressDecision:
    return replace(decision, hits=tuple(dict.fromkeys(named.get(h, h) for h in decision.hits)))


def _way(message: Message) -> tuple[str, str]:
    return message.facts.direction, message.facts.via


def _missing(
    these: Iterable[AddressDecision], those: Iterable[AddressDecision]
) -> tuple[AddressDecision, ...]:
    known = set(those)
    return tuple(decision for decision in these if decision not in known)


def _restored(decisions: tuple[AddressDecision, ...], done: Ledger) -> tuple[AddressDecision, ...]:
    """Decisions made since the batch stay, and win over those it replaced."""
    kept = [decision for decision in decisions if decision not in done.decided]
    taken = {(decision.address, decision.where) for decision in kept}
    return (*(d for d in done.dropped if (d.address, d.where) not in taken), *kept)


def _less(filing: Filing, other: Filing) -> Filing:
    paths = tuple(path for path in filing.paths if path not in other.paths)
    return replace(filing, origins=filing.origins - other.origins, paths=paths)


def _says_something(filing: Filing) -> bool:
    return bool(filing.origins or filing.paths)


def _without(filing: Filing, link: Filing) -> Filing | None:
    """None where nothing else holds the filing."""
    paths = tuple(path for path in filing.paths if path not in link.paths)
    origins = filing.origins if paths else filing.origins - {"auto"}
    return replace(filing, origins=origins, paths=paths) if origins else None


def _with(filing: Filing | None, link: Filing) -> Filing:
    """What has a path is automatic."""
    known = filing or Filing(frozenset())
    paths = tuple(dict.fromkeys((*known.paths, *link.paths)))
    origins = known.origins | link.origins | ({"auto"} if paths else set())
    return Filing(origins, paths, known.by or link.by, known.at or link.at)


def _manual(link: Filing) -> Filing | None:
    return (
        replace(link, origins=frozenset({"manual"}), paths=()) if "manual" in link.origins else None
    )
