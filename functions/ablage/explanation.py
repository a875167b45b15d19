"""A decision in plain words: every reason code has its sentence. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ablage.messages import HELD, OWN_ADDRESS, REJECTED, AddressDecision, Entity, Message

_NAMED = 4  # entities or addresses of one sentence
_PLACES = {
    "from": "the sender {}",
    "original_from": "the original sender {}",
    "reply_to": "the Reply-To address {}",
    "to": "the recipient {}",
    "cc": "the recipient {} (Cc)",
    "bcc": "the recipient {} (Bcc)",
}
_KINDS = {
    "normal": "an ordinary mail",
    "bulk": "bulk mail",
    "invitation": "an invitation",
    "auto_reply": "an automatic reply",
    "bounce": "a delivery report",
    "receipt": "a read receipt",
    "invitation_reply": "an answer to an invitation",
    "draft": "a draft",
}
_VIA = {
    "relayed": "It was sent in your own name for somebody else, as web forms and group lists do: "
    "whom it really comes from counts.",
    "sent_folder": "It lies in a Sent folder, so it is yours, though its sender is no address you "
    "declared: perhaps an alias of the mailbox.",
}
_MARKS = {
    "header": "its sender marked it private (Sensitivity)",
    "folder": "it lies in a folder that is marked private",
}
# {who}: the address and where it stood; {hits}: what it hit; {kind}: what kind of mail it is.
SENTENCES: Mapping[str, str] = {
    "manual": "Filed by hand.",
    "tombstone": "Somebody took it away from where it was filed, and nothing files it there again.",
    "private": "The mail is marked private, and private mail is never filed automatically.",
    "filing_off": "Automatic filing is switched off for the mailbox it lies in.",
    "before_since": "It was received before the moment from which its mailbox files automatically.",
    "kind": "It is {kind}, a kind of mail that is not filed automatically.",
    "blocklist": "{who} is on the blocklist{hits}, so nothing is filed for it automatically.",
    OWN_ADDRESS: "{hits} the address {address} of a connected mailbox, and therefore every mail "
    "of that mailbox.",
    "internal": "Everybody who takes part is of your own company, and the policy leaves internal "
    "mail out.",
    "matched": "{who} is an address of {hits}.",
    "ambiguous_sender": "The mail names no sender, or more than one, so nobody can say whose it "
    "is.",
    "unparseable": "The sender's address cannot be read, so it matches nobody.",
    "claimed_own": "It claims to come from your own address {address}, but your mail provider says "
    "that is not so: it is held back.",
    "no_match": "{who} is not an address of any contact, customer or other record.",
}

FORGED = (
    "Your mail provider says that {who} is forged, and the policy holds such mail for a person to "
    "look at."
)
_HELD_HIT = "authentication:fail"  # of policy hold_fail, see `ablage.messages`


@dataclass(frozen=True)
class Explained:
    """One or two sentences for the whole, and one for each decision."""

    reason: str
    text: str
    addresses: tuple[tuple[AddressDecision, str], ...]


def explain(message: Message) -> Explained:
    shown = list(message.decisions)
    reason = message.reason()
    sentences = [_whole(message, reason, shown), *_about_the_way(message)]
    return Explained(
        reason,
        " ".join(sentences),
        tuple((decision, explain_address(decision, message.facts.kind)) for decision in shown),
    )


def explain_address(decision: AddressDecision, kind: str) -> str:
    """Why this address did, or did not, lead anywhere."""
    sentence = SENTENCES.get(decision.reason, f"The rule '{decision.reason}' decided.")
    if _HELD_HIT in decision.hits:
        sentence = FORGED
    filled = sentence.format(
        who=_who(decision), hits=_hits(decision), kind=kind_words(kind), address=decision.address
    )
    return filled[:1].upper() + filled[1:]


def kind_words(kind: str) -> str:
    return _KINDS.get(kind, f"of the kind '{kind}'")


def entity_words(entities: Iterable[Entity]) -> str:
    """`contact c-1, customer K1 and 3 more`."""
    return _listed([f"{entity.kind} {entity.entity_id}" for entity in entities])


def _whole(message: Message, reason: str, shown: list[AddressDecision]) -> str:
    if message.filings:
        return _filed(message, shown)
    if message.review == REJECTED:
        return "Not filed: somebody looked at it and rejected it, as its sender seems to be forged."
    if reason == "private":
        return "Not filed: " + _private(message.private)
    if reason == "tombstone":
        return f"Not filed: somebody took it away from {entity_words(sorted(message.tombstones))}."
    if reason == "no_match":
        return _nobody(shown)
    stopped = next((d for d in shown if d.reason == reason), AddressDecision("", "", reason))
    text = explain_address(stopped, message.facts.kind)
    return "Not filed: " + _lower_first(text)


def _filed(message: Message, shown: list[AddressDecision]) -> str:
    by_hand = [e for e, filing in sorted(message.filings.items()) if "manual" in filing.origins]
    by_itself = [e for e, filing in message.filings.items() if "auto" in filing.origins]
    parts = []
    if by_hand:
        parts.append(f"Filed by hand at {entity_words(by_hand)}.")
    if by_itself:
        also = "Also filed" if by_hand else "Filed"
        parts.append(f"{also} at {entity_words(by_itself)}, because {_because(message, shown)}.")
    return " ".join(parts)


def _because(message: Message, shown: list[AddressDecision]) -> str:
    found = [d for d in shown if d.reason == "matched"]
    because = [_matched(message, found)] if found else []
    own = [
        entity
        for entity, filing in message.filings.items()
        if any(path.startswith(f"{OWN_ADDRESS}:") for path in filing.paths)
    ]
    if own:
        carry = "carry" if len(own) > 1 else "carries"
        because.append(f"{entity_words(own)} {carry} the address of the mailbox it lies in")
    return " and ".join(because) or "of one of its recipients"


def _matched(message: Message, found: list[AddressDecision]) -> str:
    if message.facts.direction == "outbound":
        verb = "it was sent to"
    else:
        verb = "it names" if {d.where for d in found} & {"to", "cc"} else "it came from"
    return f"{verb} {_listed([d.address for d in found])}"


def _private(mark: str) -> str:
    who = _MARKS.get(mark, f"{mark} marked it private")
    return f"{who}, and such mail is never filed automatically."


def _nobody(shown: list[AddressDecision]) -> str:
    missed = [d.address for d in shown if d.reason == "no_match" and d.address]
    if not missed:
        return "Not filed: none of its addresses belongs to a contact, customer or other record."
    belongs = "belongs" if len(missed) == 1 else "belong"
    return f"Not filed: {_listed(missed)} {belongs} to no contact, customer or other record."


def _about_the_way(message: Message) -> list[str]:
    found = [_VIA[message.facts.via]] if message.facts.via in _VIA else []
    return [*found, "It waits for somebody's verdict."] if message.review == HELD else found


def _who(decision: AddressDecision) -> str:
    return _PLACES.get(decision.where, "the address {}").format(decision.address)


def _hits(decision: AddressDecision) -> str:
    if decision.reason == "blocklist":
        entry = decision.hits[0] if decision.hits else ""
        return f" (entry {entry})" if entry and entry != decision.address else ""
    words = entity_words(Entity.parse(hit) for hit in decision.hits)
    if decision.reason == OWN_ADDRESS:
        return f"{words or 'somebody'} {'carry' if len(decision.hits) > 1 else 'carries'}"
    return words


def _listed(words: list[str]) -> str:
    named, more = words[:_NAMED], len(words) - _NAMED
    if more > 0:
        return f"{', '.join(named)} and {more} more"
    return " and ".join([*([", ".join(named[:-1])] if named[1:] else []), *named[-1:]])


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
