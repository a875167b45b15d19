"""A stored mail's parties, as far as its item tells: enough to say beforehand what filing would do.
Pure."""

from collections.abc import Iterable

from ablage.addresses import Address, normalise
from ablage.matching import Parties
from ablage.messages import Copy, Message


def shown_parties(message: Message, copy: Copy) -> Parties:
    """From the texts a list shows: the first ten of each field, and none whose text was cut; whom a
    relayed mail is really from is not among them. Bytes tell more, and decide."""
    facts = message.facts
    sender = normalise(facts.from_key)
    return Parties(
        from_=(sender,) if sender else (),
        to=_addresses(facts.to),
        cc=_addresses(facts.cc),
        bcc=_addresses(facts.bcc),
        kind=facts.kind,
        role=copy.role,
        folder=copy.folder_id,
        delivered=facts.direction == "inbound",
    )


def _addresses(texts: Iterable[str]) -> tuple[Address, ...]:
    """`Name <address>` or an address: a name is never a source of addresses."""
    found = (normalise(text.rpartition("<")[2].removesuffix(">")) for text in texts)
    return tuple({a.exact: a for a in found if a is not None}.values())
