"""Mail that was held, and accepted by a person: read again, and decided as if its sender were
proven."""

from ablage.change import change
from ablage.copies import decide_accepted
from ablage.errors import NotFound
from ablage.messages import Copy, Message
from ablage.store.raw_mail import RawKey
from ablage.store.storage import Storage
from match.file_message import arrival_of, know
from match.read_copy import ReadCopy, read_copy


def decide_held(storage: Storage, message: Message) -> None:
    """Every copy of the content that was held, as long as its raw mail is kept."""
    held = [copy for copy in message.copies if copy.digest == message.digest]
    read = [found for copy in held if (found := _read(storage, message, copy)) is not None]
    known = know(storage, read)
    arrivals = [
        arrival_of(one, account, known)
        for one in read
        if (account := known.account(one)) is not None
    ]
    change(storage, message.tenant, message.message_id, decide_accepted(arrivals))


def _read(storage: Storage, message: Message, copy: Copy) -> ReadCopy | None:
    place = (copy.account_id, copy.folder_id, copy.uidvalidity, copy.uid)
    try:
        return read_copy(storage, RawKey(copy.retention, message.tenant, *place), None)
    except NotFound:
        return None
