"""A copy of a mail arrives: what it adds to the message. Pure.

A decision is made once per (message, looked-at address): a further copy only adds. A copy of other
content is a variant: what it would add lies dormant, until the Sent copy of the account that owns
From makes that content the main one.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from ablage.authentication import VERDICTS
from ablage.filings import Intent, manual_only
from ablage.matching import Decision
from ablage.messages import (
    ACCEPTED,
    BODY_NOT_STORED,
    CONTENT_DIGITS,
    CONTENT_FLAGS,
    FAN_OUT,
    OWN_ADDRESS,
    AddressDecision,
    Copy,
    Entity,
    Facts,
    Filing,
    Message,
    identity,
)
from ablage.tenancy import TenantId

VARIANT = "variant"
_MARKS_OF_COPIES = ("header", "folder")
HITS_KEPT = 20  # entities named in a decision; the filings themselves are all kept
PATHS_KEPT = 5
_FILES = ("matched", OWN_ADDRESS)
INTERNAL = "internal"
_OPEN = ("private", "filing_off", "before_since", "kind")


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
    versions: tuple[int, ...] = ()
    vouched: Decision | None = None

    @property
    def content(self) -> str:
        return self.copy.digest[:CONTENT_DIGITS]

    @property
    def is_gated(self) -> bool:
        """Nothing of it was decided: its account, or its kind, is not filed."""
        return all(is_open(decision) for decision in self.decision.addresses)

    @property
    def is_draft(self) -> bool:
        return self.facts.kind == "draft"

    @property
    def is_header(self) -> bool:
        """Its body could not be had."""
        return BODY_NOT_STORED in self.flags


def add_copy(arrival: Arrival) -> Intent:
    """The union of the message and this copy; nothing to do when it has the copy already."""

    def intent(message: Message | None) -> Message | None:
        now = _by_word(message, arrival)
        wanted = _added(message, now)
        return _flagged(wanted, message, now) if wanted else None

    return intent


def _by_word(message: Message | None, arrival: Arrival) -> Arrival:
    """A person's verdict stands for every copy."""
    if message is None or message.review != ACCEPTED or arrival.vouched is None:
        return arrival
    return replace(arrival, decision=arrival.vouched, vouched=None)


def _added(message: Message | None, arrival: Arrival) -> Message | None:
    if message is None:
        return _apply(_first(arrival), arrival.decision.addresses)
    whole = _completed(message, arrival)
    wanted = _added_to(whole, arrival)
    return wanted if wanted or whole is message else whole


def _completed(message: Message, arrival: Arrival) -> Message:
    """Its header was all we had, and here is its body. What was decided by the header stands."""
    is_first_body = BODY_NOT_STORED in message.flags and not arrival.is_header
    if not is_first_body or not _is_same_header(message, arrival):
        return message
    read = arrival.facts
    facts = replace(
        message.facts, snippet=read.snippet, size=read.size, attachments=read.attachments
    )
    return _of_content(replace(message, facts=facts), arrival)


def _of_content(message: Message, arrival: Arrival) -> Message:
    flags = (message.flags - CONTENT_FLAGS) | (arrival.flags & CONTENT_FLAGS)
    return replace(message, digest=arrival.copy.digest, flags=flags)


def _is_same_header(message: Message, arrival: Arrival) -> bool:
    """As far as it is shown; a copy that is known is the mail it was."""
    one, other = message.facts, arrival.facts
    shown = (one.subject, one.sender, one.to, one.cc)
    is_known = message.has_copy(arrival.copy.copy_id)
    return is_known or shown == (other.subject, other.sender, other.to, other.cc)


def _is_main(message: Message, arrival: Arrival) -> bool:
    """Of the main content, or the header of it."""
    is_its_header = arrival.is_header and _is_same_header(message, arrival)
    return arrival.copy.digest == message.digest or is_its_header


def _added_to(message: Message, arrival: Arrival) -> Message | None:
    if message.has_copy(arrival.copy.copy_id):
        return _stored_again(message, arrival)
    joined = _join(message, arrival)
    if _is_main(message, arrival):
        return _apply(_turned(joined, arrival), _news(message, arrival))
    if _becomes_main(message, arrival):
        return _rule(joined, message, arrival)
    return _as_variant(joined, message, arrival)


def decide_accepted(arrivals: Sequence[Arrival]) -> Intent:
    """What was held is decided, from every copy of its content, as a person's word has it."""

    def intent(message: Message | None) -> Message | None:
        if message is None or not message.awaits_decision:
            return None
        left = tuple(decision for decision in message.decisions if not decision.is_held)
        wanted = replace(message, decisions=left)
        for arrival in (_by_word(message, one) for one in arrivals):
            if arrival.copy.digest == message.digest:
                decided = _apply(_turned(wanted, arrival), arrival.decision.addresses)
                wanted = _flagged(decided, wanted, arrival)
        return wanted

    return intent


def _flagged(wanted: Message, before: Message | None, arrival: Arrival) -> Message:
    """One address filed it at very many contacts: that is the rule, and worth a look."""
    known = {identity(decision) for decision in before.decisions} if before else set()
    filed = {identity(d) for d in wanted.decisions if d.reason in _FILES} - known
    if not filed & arrival.decision.wide or not wanted.filings:
        return wanted
    return replace(wanted, flags=wanted.flags | {FAN_OUT})


def _stored_again(message: Message, arrival: Arrival) -> Message | None:
    """The raw mail had expired and is back, or is stored for longer: so is what can be seen of it.
    The copy names the class its raw mail is found in."""
    outlives = message.expires is not None and arrival.expires > message.expires
    known = {copy.copy_id: copy for copy in message.copies}
    known[arrival.copy.copy_id] = _kept_as(known[arrival.copy.copy_id], arrival, outlives=outlives)
    again = replace(message, copies=tuple(known.values()))
    again = replace(again, expires=arrival.expires) if outlives else again
    return again if again != message else None


def _kept_as(copy: Copy, arrival: Arrival, *, outlives: bool) -> Copy:
    """An event that comes late, of a shorter class, changes nothing."""
    is_longer = _days(arrival.copy.retention) > _days(copy.retention)
    if not arrival.is_header and arrival.copy.digest != copy.digest:  # its body has come
        copy = replace(copy, sha256=arrival.copy.sha256, digest=arrival.copy.digest)
    return replace(copy, retention=arrival.copy.retention) if outlives or is_longer else copy


def _days(retention: str) -> int:
    return int(retention.removesuffix("d") or 0)


def _first(arrival: Arrival) -> Message:
    return Message(
        tenant=arrival.tenant,
        message_id=arrival.message_id,
        sort_time=arrival.sort_time,
        facts=_facts(arrival),
        digest=arrival.copy.digest,
        copies=(_gated(arrival),),
        private=arrival.decision.private,
        flags=arrival.flags,
        expires=arrival.expires,
        versions=arrival.versions,
    )


def _facts(arrival: Arrival) -> Facts:
    decision = arrival.decision
    return replace(
        arrival.facts,
        direction=decision.direction,
        via=decision.via,
        authentication=decision.authentication,
    )


def _gated(arrival: Arrival) -> Copy:
    return replace(arrival.copy, gated=arrival.is_gated)


def _join(message: Message, arrival: Arrival) -> Message:
    expires = None if message.expires is None else max(message.expires, arrival.expires)
    return replace(
        message,
        copies=(*message.copies, _gated(arrival)),
        expires=expires,
        versions=max(message.versions, arrival.versions),
    )


def _news(message: Message, arrival: Arrival) -> list[AddressDecision]:
    """What this copy may add: the own-address rule looks once at each account, and a kind that was
    stopped stays stopped whatever policy says by now."""
    decisions = arrival.decision.addresses
    stopped = [d for d in message.decisions if d.reason == "kind"]
    if any(arrival.facts.kind in decision.hits for decision in stopped):
        return []
    account = arrival.copy.account_id
    seen = any(copy.account_id == account and not copy.gated for copy in message.copies)
    return [d for d in decisions if not (seen and d.where == OWN_ADDRESS)]


def _turned(message: Message, arrival: Arrival) -> Message:
    """A later Sent copy may turn inbound into outbound, never back; it alone knows Bcc. The kind is
    that of the copy which decided."""
    facts = message.facts
    if arrival.decision.authoritative and facts.via != "sent":
        facts = _facts(arrival)
    elif facts.direction == "inbound" and arrival.decision.direction == "outbound":
        facts = replace(facts, direction="outbound", via=arrival.decision.via)
    if not arrival.is_gated and all(map(is_open, message.decisions)):
        facts = replace(facts, kind=arrival.facts.kind)
    bcc = tuple(dict.fromkeys((*facts.bcc, *message.facts.bcc, *arrival.facts.bcc)))
    said = (message.facts.authentication, arrival.decision.authentication)
    facts = replace(facts, bcc=bcc, authentication=min(said, key=VERDICTS.index))
    turned = replace(message, facts=facts)
    return _made_private(turned, arrival.decision.private)


def _made_private(message: Message, mark: str) -> Message:
    """The mail or its folder says so: existing automatic filings go, those by hand stay."""
    if not mark:
        return message
    return replace(message, private=message.private or mark, filings=manual_only(message.filings))


def _becomes_main(message: Message, arrival: Arrival) -> bool:
    """The genuine Sent copy beats every other content, and a sent mail beats its draft."""
    if arrival.is_draft:
        return False
    authoritative = arrival.decision.authoritative and message.facts.via != "sent"
    return authoritative or message.facts.kind == "draft"


def _rule(joined: Message, message: Message, arrival: Arrival) -> Message:
    """This content becomes the main one, and re-decides what the other one filed by itself."""
    own = tuple(d for d in joined.decisions if d.where == OWN_ADDRESS)
    looked_at = [d for d in joined.decisions if d.where != OWN_ADDRESS and not is_open(d)]
    left = {
        entity: kept
        for entity, filing in joined.filings.items()
        if (kept := _without_looked_at(filing)) is not None
    }
    mark = joined.private if joined.private not in _MARKS_OF_COPIES else ""
    main = replace(
        _of_content(joined, arrival),
        facts=_facts(arrival),
        decisions=own,
        filings=left,
        private=mark or arrival.decision.private,
        dormant=_dormant(joined, joined.digest[:CONTENT_DIGITS], looked_at),
    )
    if joined.facts.kind != "draft":
        main = replace(main, flags=main.flags | {VARIANT})
    waited = [d for content, d in joined.dormant if content == arrival.content]
    return _apply(main, _youngest_first(_news(message, arrival), waited))


def _youngest_first(
    news: list[AddressDecision], waited: list[AddressDecision]
) -> list[AddressDecision]:
    """What lay dormant filed nothing: whom it hit may be deleted, or merged, since."""
    fresh = {identity(decision) for decision in news if is_decided(decision)}
    return [*news, *(decision for decision in waited if identity(decision) not in fresh)]


def _as_variant(joined: Message, message: Message, arrival: Arrival) -> Message:
    """Kept, listed, flagged; its addresses lie dormant. The own-address rule counts every copy."""
    news = _news(message, arrival)
    looked_at = [d for d in news if d.where != OWN_ADDRESS and not is_open(d)]
    flags = joined.flags if arrival.is_draft else joined.flags | {VARIANT}
    dormant = _dormant(joined, arrival.content, looked_at)
    varied = replace(joined, flags=flags, dormant=dormant)
    return _apply(varied, [d for d in news if d.where == OWN_ADDRESS])


def _dormant(
    message: Message, content: str, decisions: Iterable[AddressDecision]
) -> tuple[tuple[str, AddressDecision], ...]:
    """Beside what lies dormant already; the first decision about an address stands."""
    known = {(content, d.address): d for d in decisions}
    known |= {(digest, d.address): d for digest, d in message.dormant}
    return tuple((digest, decision) for (digest, _), decision in known.items())


def _without_looked_at(filing: Filing) -> Filing | None:
    paths = tuple(path for path in filing.paths if path.startswith(OWN_ADDRESS))
    if paths:
        return replace(filing, paths=paths)
    origins = filing.origins - {"auto"}
    return replace(filing, origins=origins, paths=()) if origins else None


def is_open(decision: AddressDecision) -> bool:
    """A gate of the copy, not of the address: a copy that passes it decides."""
    return decision.reason in _OPEN or decision.is_held


def is_decided(decision: AddressDecision) -> bool:
    """Internal is a mail only until a copy names somebody else, as a Sent copy does in Bcc."""
    return not is_open(decision) and decision.reason != INTERNAL


def ruling(decisions: Collection[AddressDecision]) -> list[AddressDecision]:
    """What stands of what several copies say: what was decided, else that all are own, else the
    gates; beside them the own-address rule."""
    ranked = {d: 0 if is_decided(d) else 1 + is_open(d) for d in decisions}
    first = min((rank for d, rank in ranked.items() if d.where != OWN_ADDRESS), default=0)
    return [d for d, rank in ranked.items() if d.where == OWN_ADDRESS or rank == first]


def _apply(message: Message, decisions: Iterable[AddressDecision]) -> Message:
    """Adds what is new."""
    known = {identity(decision) for decision in message.decisions if is_decided(decision)}
    news = {identity(d): d for d in decisions if identity(d) not in known}
    shortened = [replace(d, hits=d.hits[:HITS_KEPT]) for d in news.values()]
    filed = replace(message, decisions=tuple(ruling((*message.decisions, *shortened))))
    if message.private:
        return filed
    return replace(filed, filings=_filed(filed, news.values()))


def _filed(message: Message, decisions: Iterable[AddressDecision]) -> dict[Entity, Filing]:
    filings = dict(message.filings)
    for decision in decisions:
        if decision.reason in _FILES:
            path = f"{decision.where}:{decision.address}"
            for entity in map(Entity.parse, decision.hits):
                if entity not in message.tombstones:
                    filings[entity] = _with_path(filings.get(entity), path)
    return filings


def _with_path(known: Filing | None, path: str) -> Filing:
    """The own-address rule comes first: it is what a re-decision keeps."""
    filing = known or Filing(frozenset())
    paths = dict.fromkeys((*filing.paths, path))
    ordered = sorted(paths, key=lambda one: not one.startswith(OWN_ADDRESS))
    return replace(filing, origins=filing.origins | {"auto"}, paths=tuple(ordered[:PATHS_KEPT]))
