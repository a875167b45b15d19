"""The header of a mail whose body is not to be had."""

from ablage.limits import HEADER_BYTES
from ablage.mailbox.connection import LITERAL_BYTES
from ablage.mailbox.status import as_uid, fetch_items
from ablage.mailbox.syntax import string
from ablage.mailbox.wire import Wire


def fetch_header(wire: Wire, uid: int) -> bytes | None:
    """At most HEADER_BYTES of it; None when the server does not give it either. Raises
    AccountFault."""
    command = b"UID FETCH %d (UID BODY.PEEK[HEADER]<0.%d>)" % (uid, HEADER_BYTES)
    wire.literal_bytes = 2 * HEADER_BYTES
    try:
        _, answers = wire.finish(wire.send(command))
    finally:
        wire.literal_bytes = LITERAL_BYTES
    for answer in answers:
        items = fetch_items(answer)
        if as_uid(items.get(b"UID")) == uid:
            found = [string(items[name]) for name in items if name.startswith(b"BODY[HEADER]")]
            return next((header[:HEADER_BYTES] for header in found if header), None)
    return None
