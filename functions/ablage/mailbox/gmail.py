"""Gmail's extensions (X-GM-EXT-1): a mail has one id in all folders, and labels that name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ablage.mailbox.syntax import number, string

ITEMS = b" X-GM-MSGID X-GM-LABELS"
_MSGID_BITS = 64


@dataclass(frozen=True)
class Gmail:
    """`labels` as sent: `\\Inbox`, `\\Sent`, or the raw name of a folder."""

    msgid: int
    labels: tuple[bytes, ...]


def gmail_of(items: Mapping[bytes, Any]) -> Gmail | None:
    """Of a FETCH answer; None where it tells no id."""
    msgid = number(items.get(b"X-GM-MSGID"))
    if msgid is None or msgid >> _MSGID_BITS:
        return None
    labels = items.get(b"X-GM-LABELS")
    words = map(string, labels) if isinstance(labels, list) else ()
    return Gmail(msgid, tuple(word for word in words if word))
