"""What is filed where: pure. Parties of a mail + what the index, blocklist and policy say ->
Decision.

Gates in their order; the first that decides, decides, and is the reason shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from ablage.accounts import Account
from ablage.addresses import Address, normalise
from ablage.authentication import FAIL, NO_EVIDENCE, NONE, Evidence, verdict
from ablage.folder_modes import is_private
from ablage.knowledge import IndexEntry, Knowledge, block_keys, index_keys
from ablage.limits import FILINGS_PER_MESSAGE
from ablage.messages import HELD_FAIL, OWN_ADDRESS, AddressDecision, identity
from ablage.policy import Policy

__all__ = [
    "Decision",
    "IndexEntry",
    "Knowledge",
    "Parties",
    "authenticated",
    "block_keys",
    "decide",
    "fans_out",
    "index_keys",
    "looked_up",
    "vouched_for",
]

PRIVATE_SENSITIVITY = ("private", "personal", "company-confidential")


@dataclass(frozen=True)
class Parties:
    """Who takes part in one copy of a mail, and what the copy tells about its way.

    `from_` is empty without a From field; `from_unparseable` when there is one nobody can read.
    """

    from_: tuple[Address, ...] = ()
    from_unparseable: bool = False
    reply_to: tuple[Address, ...] = ()
    original: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    kind: str = "normal"
    role: str = ""
    folder: str = ""
    delivered: bool = False
    evidence: Evidence = NO_EVIDENCE
    sensitivity: str = ""

    @property
    def sender(self) -> Address | None:
        """The one From mailbox; None if there is none, or several."""
        return self.from_[0] if len(self.from_) == 1 else None

    @property
    def recipients(self) -> tuple[tuple[str, Address], ...]:
        fields = (("to", self.to), ("cc", self.cc), ("bcc", self.bcc))
        seen = {a.exact: (where, a) for where, found in reversed(fields) for a in reversed(found)}
        return tuple(reversed(seen.values()))


@dataclass(frozen=True)
class Decision:
    """`authoritative`: the copy lies in the sent folder of the account that owns From.

    `private`: `header` or `folder`, whichever marks it so. `wide`: identities of decisions that hit
    more contacts than policy `fan_out_flag`.
    """

    direction: str
    via: str
    addresses: tuple[AddressDecision, ...]
    authoritative: bool = False
    private: str = ""
    authentication: str = NONE
    wide: frozenset[tuple[str, bool]] = frozenset()

    @property
    def is_held(self) -> bool:
        return any(decision.is_held for decision in self.addresses)


def fans_out(hits: Iterable[str], limit: int) -> bool:
    """Whether an address leads to more records than `limit`; customers come with their contacts."""
    return sum(not hit.startswith("customer#") for hit in hits) > limit


def looked_up(parties: Parties, account: Account, policy: Policy, *, own: bool) -> set[Address]:
    """The addresses a decision needs known. `own`: From is own, or may be (then recipients
    count)."""
    wanted = {*parties.from_}
    internal = not policy.file_internal_mail
    if own or internal or parties.role == "sent" or _looks_own(parties, account):
        wanted |= {address for _, address in parties.recipients}
        wanted |= {*parties.original, *parties.reply_to}
    if policy.match_reply_to:
        wanted |= {*parties.reply_to}
    if policy.match_inbound_recipients:
        wanted |= {*parties.to, *parties.cc}
    return wanted


def _looks_own(parties: Parties, account: Account) -> bool:
    mine = {account.own, *account.aliases}
    return any(mine & {*index_keys(address)} for address in parties.from_)


def decide(parties: Parties, account: Account, received_at: str, known: Knowledge) -> Decision:
    """The decision for one copy. Never raises; every input has an outcome with a reason."""
    way = _Way.of(parties, account, known)
    stopped = _closed_gate(parties, account, received_at, known.policy)
    if stopped:
        kind = (parties.kind,) if stopped == "kind" else ()
        mark = AddressDecision(_key(parties.sender), "from", stopped, kind)
        addresses: tuple[AddressDecision, ...] = (mark,)
    elif way.direction == "outbound":
        addresses = _outbound(parties, account, known)
    else:
        addresses = _inbound(parties, account, known, way)
    return Decision(
        way.direction,
        way.via,
        addresses,
        way.authoritative,
        _private(parties, account),
        authenticated(parties, account),
        frozenset(identity(d) for d in addresses if _is_wide(d, known.policy)),
    )


def _private(parties: Parties, account: Account) -> str:
    """What marks it private: `header`, `folder` or nothing."""
    if parties.sensitivity in PRIVATE_SENSITIVITY:
        return "header"
    return "folder" if is_private(account, parties.folder, parties.role) else ""


def authenticated(parties: Parties, account: Account) -> str:
    """What the account's provider says of the sender: `pass`, `fail` or `none`."""
    return verdict(parties.evidence, account.host, account.own.rpartition("@")[2])


def vouched_for(parties: Parties) -> Parties:
    """A person says that the sender is who it says: what the provider says no longer counts."""
    return replace(parties, evidence=NO_EVIDENCE)


def _is_wide(decision: AddressDecision, policy: Policy) -> bool:
    return fans_out(decision.hits, policy.fan_out_flag)


@dataclass(frozen=True)
class _Way:
    """How a mail came or went, as far as its parties show it."""

    direction: str
    via: str = ""
    authoritative: bool = False
    relayed: tuple[str, Address] | None = None
    claimed: bool = False

    @classmethod
    def of(cls, parties: Parties, account: Account, known: Knowledge) -> "_Way":
        sender = parties.sender
        if sender is None:
            return cls("inbound")
        if known.is_own(sender):
            return cls._from_own(parties, account, known, sender)
        sent = parties.role == "sent" and not parties.delivered
        if sent and not known.entities(sender) and not known.blocked_by(sender):
            return cls("outbound", "sent_folder")
        return cls("inbound")

    @classmethod
    def _from_own(
        cls, parties: Parties, account: Account, known: Knowledge, sender: Address
    ) -> "_Way":
        if authenticated(parties, account) == FAIL:  # no copy its sender filed has a verdict
            return cls("inbound", claimed=True)
        if parties.role == "sent":
            mine = _owns(account, sender, known)
            return cls("outbound", "sent" if mine else "", authoritative=mine)
        relayed = _original_sender(parties, known)
        return cls("inbound", "relayed", relayed=relayed) if relayed else cls("outbound")


def _owns(account: Account, sender: Address, known: Knowledge) -> bool:
    entries = [known.index[key] for key in index_keys(sender) if key in known.index]
    return any(account.account_id in entry.own for entry in entries)


def _original_sender(parties: Parties, known: Knowledge) -> tuple[str, Address] | None:
    """Web forms and group lists send as us for somebody else (matching: relayed)."""
    for where, found in (("original_from", parties.original), ("reply_to", parties.reply_to)):
        for address in found:
            if not known.is_own(address):
                return where, address
    return None


def _closed_gate(
    parties: Parties, account: Account, received_at: str, policy: Policy
) -> str | None:
    if _private(parties, account):
        return "private"
    if not account.filing_enabled or account.deleted:
        return "filing_off"
    if not account.files(received_at):
        return "before_since"
    if parties.kind not in policy.file_kinds:
        return "kind"
    return None


def _inbound(
    parties: Parties, account: Account, known: Knowledge, way: _Way
) -> tuple[AddressDecision, ...]:
    where, sender = way.relayed or ("from", parties.sender)
    senders = (sender,) if sender else parties.from_
    for address in () if way.claimed else senders:
        entry = known.blocked_by(address)
        if entry:
            return (AddressDecision(address.exact, where, "blocklist", (entry,)),)
    own = _own_address(account, known)
    if _internal(parties, known):
        return (*own, AddressDecision(_key(sender), where, "internal"))
    if sender is None:
        reason = "unparseable" if parties.from_unparseable else "ambiguous_sender"
        return (*own, AddressDecision("", where, reason))
    if way.claimed:
        return (*own, AddressDecision(sender.exact, where, "claimed_own"))
    matched = tuple(_matched_inbound(parties, known, where, sender))
    if known.policy.hold_fail and authenticated(parties, account) == FAIL:
        matched = _held(matched, AddressDecision(sender.exact, where, *HELD_FAIL))
    return (*own, *matched)


def _held(
    matched: tuple[AddressDecision, ...], mark: AddressDecision
) -> tuple[AddressDecision, ...]:
    """Only what would be filed is worth a person's look."""
    return (mark,) if any(decision.reason == "matched" for decision in matched) else matched


def _matched_inbound(
    parties: Parties, known: Knowledge, where: str, sender: Address
) -> Iterable[AddressDecision]:
    first = _match(sender, where, known)
    yield first
    if known.policy.match_reply_to and first.reason == "no_match" and where == "from":
        yield from (_participant(a, "reply_to", known) for a in parties.reply_to if a != sender)
    if known.policy.match_inbound_recipients:
        for place, address in parties.recipients:
            if place != "bcc" and address.exact != sender.exact:
                yield _participant(address, place, known)


def _outbound(parties: Parties, account: Account, known: Knowledge) -> tuple[AddressDecision, ...]:
    own = _own_address(account, known)
    sender = parties.from_[0]
    entry = known.blocked_by(sender)
    if entry and _all_own(parties, known):
        return (*own, AddressDecision(sender.exact, "from", "blocklist", (entry,)))
    if _internal(parties, known):
        met = [("from", sender), *parties.recipients]
        return (*own, *(AddressDecision(a.exact, where, "internal") for where, a in met))
    looked_at = (_participant(address, where, known) for where, address in parties.recipients)
    return (*own, *looked_at)


def _participant(address: Address, where: str, known: Knowledge) -> AddressDecision:
    entry = known.blocked_by(address)
    if entry:
        return AddressDecision(address.exact, where, "blocklist", (entry,))
    return _match(address, where, known)


def _match(address: Address, where: str, known: Knowledge) -> AddressDecision:
    """One entity more than a message takes: then the message is flagged, instead of cut in
    silence."""
    found = islice(known.entities(address), FILINGS_PER_MESSAGE + 1)
    hits = tuple(str(entity) for entity in found)
    return AddressDecision(address.exact, where, "matched" if hits else "no_match", hits)


def _own_address(account: Account, known: Knowledge) -> tuple[AddressDecision, ...]:
    """The own-address rule; an own address or own domain on the blocklist stops it."""
    carriers = known.carriers(account.own)
    if not carriers:
        return ()
    mine = normalise(account.own)
    entry = known.blocked_by(mine) if mine else None
    if entry:
        return (AddressDecision(account.own, OWN_ADDRESS, "blocklist", (entry,)),)
    hits = tuple(str(entity) for entity in carriers)
    return (AddressDecision(account.own, OWN_ADDRESS, OWN_ADDRESS, hits),)


def _internal(parties: Parties, known: Knowledge) -> bool:
    return not known.policy.file_internal_mail and _all_own(parties, known)


def _all_own(parties: Parties, known: Knowledge) -> bool:
    everybody = [*parties.from_, *(address for _, address in parties.recipients)]
    return bool(everybody) and all(known.is_own(address) for address in everybody)


def _key(address: Address | None) -> str:
    return address.exact if address else ""
