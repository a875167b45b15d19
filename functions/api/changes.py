"""A person's change of one message: repaired by match if we die half way."""

from ablage.change import ask_repair, change
from ablage.errors import NotFound
from ablage.filings import Intent
from ablage.messages import Message
from ablage.store.storage import storage
from api.tenant import Caller


def changed(caller: Caller, found: Message, intent: Intent, seconds: float) -> Message:
    """`found` after `intent`; not settled if time ran out. What changes nothing sends nothing.

    Raises NotFound `not_found`."""
    if found.settled and intent(found) is None:
        return found
    ask_repair(storage(), caller.tenant, found.message_id)
    after = change(storage(), caller.tenant, found.message_id, intent, seconds=seconds)
    if after is None:
        raise NotFound("not_found", "There is no such message; unfiled mail expires.")
    return after
