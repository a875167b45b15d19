"""What today's index, blocklist and policy make of a stored message. Pure: message in, message out.

Only `auto` is touched, and nobody's word: what is filed by hand stays, what was unfiled or marked
private stays away. Whoever changes nothing hands back the message itself.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from ablage.addresses import normalise
from ablage.authentication import FAIL
from ablage.batches import with_hits_renamed
from ablage.copies import HITS_KEPT, PATHS_KEPT, is_open, ruling
from ablage.matching import Decision, Knowledge, block_keys, fans_out
from ablage.messages import (
    ACCEPTED,
    FAN_OUT,
    HELD_FAIL,
    OWN_ADDRESS,
    AddressDecision,
    Copy,
    Entity,
    Facts,
    Filing,
    Message,
    identity,
)

OPEN = ("filing_off", "before_since")  # gates of an account, lifted by back-filling it
_FILES = ("matched", OWN_ADDRESS)
_RELAYED = ("original_from", "reply_to")
_RECIPIENTS = ("to", "cc", "bcc")


@dataclass(frozen=True)
class Verdict:
    """What one copy of the message gets today. `own`: the address of its account."""

    copy: Copy
    own: str
    decision: Decision


def with_addresses(message: Message, addresses: Collection[str], known: Knowledge) -> Message:
    """Files what had hit nothing for want of a contact. `addresses` are exact keys; `known` covers
    them and the sender."""
    stopped = message.private or message.facts.kind not in known.policy.file_kinds
    if stopped or _blocked_sender(message, known.blocked):
        return message
    decided = [d if d.address not in addresses else _late(d, message, known)
               for d in message.decisions]  # fmt: skip
    found = [d for d, old in zip(decided, message.decisions, strict=True) if d is not old]
    limit = known.policy.fan_out_flag
    wide = {identity(d) for d in found if fans_out(d.hits, limit)}
    shown = replace(message, decisions=tuple(map(_shortened, decided)))
    return linked(shown, found, wide) if found else message


def is_left_open(message: Message, copy: Copy) -> bool:
    """The account of the copy may not have filed then: its mark goes once another account decides
    an address."""
    decided = not all(map(is_open, message.decisions))
    return (copy.gated and decided) or any(d.reason in OPEN for d in message.decisions)


def with_account(message: Message, verdict: Verdict) -> Message:
    """Decides what was left open because the account did not file then."""
    left = tuple(d for d in message.decisions if d.reason not in OPEN)
    taken = {identity(d) for d in left}
    said = _united((*left, *_contributed(message, verdict)))
    found = [d for d in said if d.reason not in OPEN and identity(d) not in taken]
    if message.private or not found:
        return message
    copies = tuple(replace(c, gated=c.gated and c != verdict.copy) for c in message.copies)
    decided = replace(message, copies=copies, decisions=(*left, *map(_shortened, found)))
    return linked(decided, found, verdict.decision.wide)


def without_blocked(message: Message, blocked: Collection[str]) -> Message:
    """Takes away what came through a blocked address or domain; everything automatic, where the
    sender is blocked."""
    all_of_it = _blocked_sender(message, blocked)
    filings = {}
    for entity, filing in message.filings.items():
        known = _with_every_path(entity, filing, message.decisions)
        gone = [p for p in known.paths if all_of_it or _hit(p.partition(":")[2], blocked)]
        left = _without_paths(known, gone) if gone else filing
        if left is not None:
            filings[entity] = replace(left, paths=left.paths[:PATHS_KEPT])
    if filings == message.filings:
        return message
    stopped = ("no_match", *_FILES) if all_of_it else _FILES
    decisions = [_stopped(d, blocked, stopped) for d in message.decisions]
    if all_of_it:
        decisions = [d for d in decisions if d.reason not in _FILES]
    return replace(message, filings=filings, decisions=tuple(decisions))


def _with_every_path(
    entity: Entity, filing: Filing, decisions: Iterable[AddressDecision]
) -> Filing:
    """A filing keeps the first of its paths; decisions tell the others."""
    if len(filing.paths) < PATHS_KEPT:
        return filing
    hit = (d for d in decisions if d.reason in _FILES and str(entity) in d.hits)
    paths = (*filing.paths, *(f"{decision.where}:{decision.address}" for decision in hit))
    return replace(filing, paths=tuple(dict.fromkeys(paths)))


def decided_again(message: Message, verdicts: Sequence[Verdict]) -> Message:
    """Every automatic link as today's verdicts have it: none, where a copy of its content is
    private.

    Own-address links of accounts without a verdict stay; and all others, where the verdicts are of
    variants alone."""
    if message.private:
        return message
    main = [verdict for verdict in verdicts if verdict.copy.digest == message.digest]
    secret = [verdict for verdict in main if verdict.decision.private]
    judged = {verdict.own for verdict in verdicts}
    stands = (d for d in message.decisions if d.where != OWN_ADDRESS or d.address not in judged)
    kept = [d for d in stands if not secret and (d.where == OWN_ADDRESS or not main)]
    found = _united(d for one in secret or verdicts for d in _contributed(message, one))
    paths = {f"{decision.where}:{decision.address}" for decision in kept}
    filings = {entity: _with_only(filing, paths) for entity, filing in message.filings.items()}
    bare = replace(
        message,
        filings={entity: left for entity, left in filings.items() if left is not None},
        decisions=(*kept, *map(_shortened, found)),
        facts=_turned(message, verdicts),
    )
    wide = frozenset().union(*(verdict.decision.wide for verdict in verdicts))
    return linked(bare, found, wide)


def _united(decisions: Iterable[AddressDecision]) -> list[AddressDecision]:
    """One for each address; a gate of one copy says nothing where another copy decided."""
    met: dict[tuple[str, bool], AddressDecision] = {}
    for decision in ruling(tuple(decisions)):
        met.setdefault(identity(decision), decision)
    return list(met.values())


def without_entity(message: Message, entity: Entity) -> Message:
    """Filed by whomever: the entity and its archive are gone. No tombstone: nobody unfiled it."""
    if entity not in message.filings:
        return message
    left = {other: filing for other, filing in message.filings.items() if other != entity}
    return replace(message, filings=left)


def merged(message: Message, source: Entity, into: Entity) -> Message:
    """Filing, tombstone and reasons of `source`, now at `into`. What `into` has already stands: its
    filing over the source's tombstone, its tombstone over a filing nobody made by hand."""
    filings, tombstones = dict(message.filings), set(message.tombstones)
    moved = filings.pop(source, None)
    unfiled = source in tombstones
    tombstones.discard(source)
    if moved and "manual" in moved.origins:
        tombstones.discard(into)
    if moved and into not in tombstones:
        filings[into] = _joined(filings.get(into), moved)
    if unfiled and into not in filings:
        tombstones.add(into)
    named = {str(source): str(into)}
    return replace(
        message,
        filings=filings,
        tombstones=frozenset(tombstones),
        decisions=tuple(with_hits_renamed(d, named) for d in message.decisions),
    )


def linked(
    message: Message,
    decisions: Iterable[AddressDecision],
    wide: Collection[tuple[str, bool]] = (),
) -> Message:
    """What the decisions hit is filed, unless somebody unfiled it or marked the mail private. Those
    in `wide` flag it."""
    filings, flags = dict(message.filings), set(message.flags)
    for decision in decisions:
        if message.private or decision.reason not in _FILES:
            continue
        link = Filing(frozenset({"auto"}), (f"{decision.where}:{decision.address}",))
        for entity in map(Entity.parse, decision.hits):
            if entity not in message.tombstones:
                filings[entity] = _joined(filings.get(entity), link)
        flags |= {FAN_OUT} if identity(decision) in wide else set()
    return replace(message, filings=filings, flags=frozenset(flags))


def by_hand(filing: Filing) -> Filing | None:
    if "manual" not in filing.origins:
        return None
    return replace(filing, origins=frozenset({"manual"}), paths=())


def _late(decision: AddressDecision, message: Message, known: Knowledge) -> AddressDecision:
    """A decision that had no match, made again; the same object where nothing is found."""
    address = normalise(decision.address)
    if decision.reason != "no_match" or address is None or known.blocked_by(address):
        return decision
    outbound = message.facts.direction == "outbound"
    if decision.where in _RECIPIENTS and not (outbound or known.policy.match_inbound_recipients):
        return decision
    hits = tuple(str(entity) for entity in known.entities(address))
    if hits and _is_held(message, known):
        reason, why = HELD_FAIL
        return replace(decision, reason=reason, hits=why)
    return replace(decision, reason="matched", hits=hits) if hits else decision


def _is_held(message: Message, known: Knowledge) -> bool:
    """The provider says that the sender is forged, and nobody has vouched for it."""
    failed = message.facts.authentication == FAIL and message.facts.direction == "inbound"
    return known.policy.hold_fail and failed and message.review != ACCEPTED


def _shortened(decision: AddressDecision) -> AddressDecision:
    return replace(decision, hits=decision.hits[:HITS_KEPT])


def _contributed(message: Message, verdict: Verdict) -> tuple[AddressDecision, ...]:
    """A variant contributes no address; the own-address rule counts every copy."""
    decisions = verdict.decision.addresses
    if verdict.copy.digest == message.digest:
        return decisions
    return tuple(d for d in decisions if d.where == OWN_ADDRESS)


def _turned(message: Message, verdicts: Sequence[Verdict]) -> Facts:
    """Outbound as soon as one copy says so."""
    main = [v.decision for v in verdicts if v.copy.digest == message.digest]
    chosen = next((d for d in main if d.direction == "outbound"), main[0] if main else None)
    if chosen is None:
        return message.facts
    return replace(message.facts, direction=chosen.direction, via=chosen.via)


def _blocked_sender(message: Message, blocked: Collection[str]) -> bool:
    """Of inbound mail; who sent it, not who relayed it."""
    if message.facts.direction != "inbound":
        return False
    if message.facts.via == "relayed":
        senders = [d.address for d in message.decisions if d.where in _RELAYED]
    else:
        senders = [message.facts.from_key]
    return any(_hit(sender, blocked) for sender in senders)


def _hit(text: str, blocked: Collection[str]) -> str | None:
    address = normalise(text)
    return next((k for k in block_keys(address) if k in blocked), None) if address else None


def _stopped(
    decision: AddressDecision, blocked: Collection[str], reasons: Collection[str]
) -> AddressDecision:
    entry = _hit(decision.address, blocked) if decision.reason in reasons else None
    return replace(decision, reason="blocklist", hits=(entry,)) if entry else decision


def _with_only(filing: Filing, kept: Collection[str]) -> Filing | None:
    return _without_paths(filing, [path for path in filing.paths if path not in kept])


def _without_paths(filing: Filing, gone: Collection[str]) -> Filing | None:
    if not gone:
        return filing
    paths = tuple(path for path in filing.paths if path not in gone)
    return replace(filing, paths=paths) if paths else by_hand(filing)


def _joined(filing: Filing | None, other: Filing) -> Filing:
    if filing is None:
        return other
    paths = tuple(dict.fromkeys((*filing.paths, *other.paths)))[:PATHS_KEPT]
    return Filing(
        filing.origins | other.origins, paths, filing.by or other.by, filing.at or other.at
    )
