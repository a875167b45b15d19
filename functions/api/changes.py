"""A person's change of one message: repaired by match if we die half way."""

from ablage.change import ask_repair, change
from ablage.errors import NotFound
from ablage.filings import Intent
from ablage.messages import Message
from ablage.store.storage import storage
from api.tenant import Caller
from api.visibility import find_message


def change_by_hand(
    caller: Caller, message_id: str, intent: Intent, seconds: float, *, archive_first: bool = False
) -> Message:
    """As `changed`, by the message's id; with `archive_first` the bytes are archived first.

    Raises NotFound `not_found`, Gone `raw_expired`."""
    found = find_message(caller, message_id)
    return changed(caller, found, intent, seconds, archive_first=archive_first)


def changed(
    caller: Caller,
    found: Message,
    intent: Intent,
    seconds: float,
    *,
    archive_first: bool = False,
) -> Message:
    """`found` after `intent`; not settled if time ran out. What changes nothing sends nothing.

    Raises NotFound `not_found`, Gone `raw_expired`."""
    if found.settled and intent(found) is None:
        return found
    message_id = found.message_id
    ask_repair(storage(), caller.tenant, message_id)
    after = change(
        storage(),
        caller.tenant,
        message_id,
        intent,
        archive_first=archive_first,
        seconds=seconds,
    )
    if after is None:
        raise NotFound("not_found", "There is no such message; unfiled mail expires.")
    return after
