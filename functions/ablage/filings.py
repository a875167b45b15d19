"""What a person may do to a message's filings: pure intents for `change`. None means nothing to
change."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from ablage.messages import (
    ACCEPTED,
    CLAIMED_OWN,
    FAN_OUT,
    HELD_FAIL,
    REJECTED,
    AddressDecision,
    Entity,
    Filing,
    Message,
)

Intent = Callable[[Message | None], Message | None]


def file_by_hand(entity: Entity, by: str, at: str) -> Intent:
    """Files at `entity`, lifting a tombstone. Filing again by hand changes nothing."""

    def intent(message: Message | None) -> Message | None:
        if message is None:
            return None
        known = message.filings.get(entity)
        if known and "manual" in known.origins:
            return None
        origins = (known.origins if known else frozenset()) | {"manual"}
        filing = Filing(origins, known.paths if known else (), by, at)
        return replace(
            message,
            filings={**message.filings, entity: filing},
            tombstones=message.tombstones - {entity},
        )

    return intent


def filed_with(added: Intent, copy_id: str, entities: Iterable[Entity], by: str, at: str) -> Intent:
    """`added`, and where it is new what was said with the copy, as by hand. Once the message has
    the copy, what people did since stands."""

    def intent(message: Message | None) -> Message | None:
        wanted = added(message)
        if wanted is None or (message is not None and message.has_copy(copy_id)):
            return wanted
        for entity in entities:
            wanted = file_by_hand(entity, by, at)(wanted) or wanted
        return wanted

    return intent


def unfile(entity: Entity, by: str) -> Intent:
    """Takes the message away from `entity`, and leaves a tombstone: nothing files it there again
    by itself."""

    def intent(message: Message | None) -> Message | None:
        if message is None or (entity in message.tombstones and entity not in message.filings):
            return None
        left = {other: filing for other, filing in message.filings.items() if other != entity}
        tombstones = message.tombstones | {entity}
        return replace(message, filings=left, tombstones=tombstones, acting=by)

    return intent


def mark_private(by: str) -> Intent:
    """No automatic filing ever; existing automatic ones go, those by hand stay."""

    def intent(message: Message | None) -> Message | None:
        if message is None or message.private:
            return None
        return replace(message, private=by, filings=manual_only(message.filings), acting=by)

    return intent


def unmark_private(message: Message | None) -> Message | None:
    """Lifts the mark. Files nothing: that is an explicit re-evaluation."""
    return replace(message, private="") if message and message.private else None


def keep_only(keep: Collection[Entity], by: str) -> Intent:
    """Unfiles everywhere but at `keep`, whoever filed it there; the flag has done its work."""

    def intent(message: Message | None) -> Message | None:
        if message is None or set(message.filings) <= set(keep):
            return None
        left = {entity: f for entity, f in message.filings.items() if entity in keep}
        gone = frozenset(message.filings) - frozenset(left)
        return replace(
            message,
            filings=left,
            tombstones=message.tombstones | gone,
            flags=message.flags - {FAN_OUT},
            acting=by,
        )

    return intent


def accept(message: Message | None) -> Message | None:
    """A person vouches for the sender: what was held may be decided, and what a rejection closed is
    open again."""
    if message is None or message.review == ACCEPTED:
        return None
    if message.review == REJECTED:
        open_again = _held_again(message)
        return replace(message, review=ACCEPTED, private="", decisions=open_again)
    return replace(message, review=ACCEPTED)


def reject(by: str) -> Intent:
    """Nothing files it by itself any more; what was filed so goes, as with a private mark."""

    def intent(message: Message | None) -> Message | None:
        if message is None or message.review == REJECTED:
            return None
        mark = message.private or by or REJECTED
        return replace(
            message,
            review=REJECTED,
            private=mark,
            filings=manual_only(message.filings),
            decisions=_held_again(message),
            acting=by,
        )

    return intent


def _held_again(message: Message) -> tuple[AddressDecision, ...]:
    """Open again, so that a later acceptance decides it as the first one did."""
    held = tuple(decision for decision in message.decisions if decision.is_held)
    why = CLAIMED_OWN if message.facts.direction == "outbound" else HELD_FAIL
    return held or (AddressDecision(message.facts.from_key, "from", *why),)


def manual_only(filings: Mapping[Entity, Filing]) -> dict[Entity, Filing]:
    return {
        entity: replace(filing, origins=frozenset({"manual"}), paths=())
        for entity, filing in filings.items()
        if "manual" in filing.origins
    }
