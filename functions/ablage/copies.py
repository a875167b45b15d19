"""A copy of a mail arrives: what it adds to the message. Pure.

A decision is made once per (message, looked-at address): a further copy only adds. A copy of other
content is a variant and adds no address, except the Sent copy of the account that owns From.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ablage.filings import Intent
from ablage.matching import Decision
from ablage.messages import OWN_ADDRESS, AddressDecision, Copy, Entity, Facts, Filing, Message
from ablage.tenancy import TenantId

VARIANT = "variant"
_FILES = ("matched", OWN_ADDRESS)
_OPEN = ("filing_off", "before_since", "claimed_own")  # gates of a copy: the next one looks again


@dataclass(frozen=True)
class Arrival:
    """One copy, read and decided. `expires`: epoch seconds, two days before its raw goes."""

    tenant: TenantId
    message_id: str
    copy: Copy
    facts: Facts
    decision: Decision
    sort_time: str
    flags: frozenset[str]
    expires: int


def add_copy(arrival: Arrival) -> Intent:
    """The union of the message and this copy; nothing to do when it has the copy already."""

    def intent(message: Message | None) -> Message | None:
        if message is None:
            return _apply(_first(arrival), arrival.decision.addresses)
        if message.has_copy(arrival.copy.copy_id):
            return None
        joined = _join(message, arrival)
        if arrival.copy.digest == message.digest:
            return _apply(_turned(joined, arrival), arrival.decision.addresses)
        varied = replace(joined, flags=joined.flags | {VARIANT})
        if arrival.decision.authoritative and message.facts.via != "sent":
            return _rule(varied, arrival)
        own = [d for d in arrival.decision.addresses if d.where == OWN_ADDRESS]
        return _apply(varied, own)

    return intent


def _first(arrival: Arrival) -> Message:
    return Message(
        tenant=arrival.tenant,
        message_id=arrival.message_id,
        sort_time=arrival.sort_time,
        facts=arrival.facts,
        digest=arrival.copy.digest,
        copies=(arrival.copy,),
        private="header" if arrival.decision.private else "",
        flags=arrival.flags,
        expires=arrival.expires,
    )


def _join(message: Message, arrival: Arrival) -> Message:
    expires = None if message.expires is None else max(message.expires, arrival.expires)
    return replace(message, copies=(*message.copies, arrival.copy), expires=expires)


def _turned(message: Message, arrival: Arrival) -> Message:
    """A later Sent copy may turn inbound into outbound, never back; it alone knows Bcc."""
    facts = message.facts
    if arrival.decision.authoritative and facts.via != "sent":
        facts = arrival.facts
    elif facts.direction == "inbound" and arrival.facts.direction == "outbound":
        facts = replace(facts, direction="outbound", via=arrival.facts.via)
    decisions = message.decisions
    if message.facts.kind == "draft" and arrival.facts.kind != "draft":
        facts = replace(facts, kind=arrival.facts.kind)
        decisions = tuple(d for d in decisions if d.reason != "kind")
    bcc = tuple(dict.fromkeys((*facts.bcc, *message.facts.bcc, *arrival.facts.bcc)))
    return replace(message, facts=replace(facts, bcc=bcc), decisions=decisions)


def _rule(message: Message, arrival: Arrival) -> Message:
    """The genuine Sent copy becomes the main one, and re-decides what the other variant filed."""
    own = tuple(d for d in message.decisions if d.where == OWN_ADDRESS)
    left = {
        entity: kept
        for entity, filing in message.filings.items()
        if (kept := _without_looked_at(filing)) is not None
    }
    main = replace(
        message, digest=arrival.copy.digest, facts=arrival.facts, decisions=own, filings=left
    )
    return _apply(main, arrival.decision.addresses)


def _without_looked_at(filing: Filing) -> Filing | None:
    paths = tuple(path for path in filing.paths if path.startswith(OWN_ADDRESS))
    if paths:
        return replace(filing, paths=paths)
    origins = filing.origins - {"auto"}
    return replace(filing, origins=origins, paths=()) if origins else None


def _apply(message: Message, decisions: Iterable[AddressDecision]) -> Message:
    known = {_identity(d) for d in message.decisions if not _open(d, message)}
    new = [d for d in decisions if _identity(d) not in known]
    closed = [d for d in new if not _open(d, message)]
    kept = [d for d in message.decisions if not _open(d, message)]
    if not kept and not closed:
        kept = list(message.decisions)
        closed = [d for d in new if d not in kept]
    filed = replace(message, decisions=(*kept, *closed))
    for decision in closed:
        if decision.reason in _FILES:
            filed = _file(filed, decision)
    return filed


def _open(decision: AddressDecision, message: Message) -> bool:
    """A gate of the copy rather than of the address: a copy that passes it decides."""
    is_draft = decision.reason == "kind" and message.facts.kind == "draft"
    return decision.reason in _OPEN or is_draft


def _identity(decision: AddressDecision) -> tuple[str, bool]:
    return decision.address, decision.where == OWN_ADDRESS


def _file(message: Message, decision: AddressDecision) -> Message:
    if message.private:
        return message
    path = f"{decision.where}:{decision.address}"
    filings = dict(message.filings)
    for entity in map(Entity.parse, decision.hits):
        if entity in message.tombstones:
            continue
        known = filings.get(entity, Filing(frozenset()))
        paths = tuple(dict.fromkeys((*known.paths, path)))
        filings[entity] = replace(known, origins=known.origins | {"auto"}, paths=paths)
    return replace(message, filings=filings)
