"""A mail as those may have it who do not see the mailbox it was taken from. Pure."""

import re

from ablage.header_fields import body_start

# Fields that name the mailbox a copy came to or went from, and so tell of a Bcc recipient.
MAILBOX_FIELDS = frozenset(
    {
        b"apparently-to",
        b"bcc",
        b"delivered-to",
        b"envelope-to",
        b"original-recipient",
        b"received",
        b"resent-bcc",
        b"x-delivered-to",
        b"x-envelope-to",
        b"x-forwarded-for",
        b"x-forwarded-to",
        b"x-gm-original-to",
        b"x-original-to",
        b"x-rcpt-to",
        b"x-received",
    }
)
_LINE = re.compile(rb"[^\r\n]*+(?:\r*+\n|\r|\Z)")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")


def without_mailbox_fields(raw: bytes) -> bytes:
    """The same bytes without MAILBOX_FIELDS in the header. Any CR or LF ends a line here, so that
    no other reader's view of the lines finds such a field again."""
    end = body_start(raw)
    kept: list[bytes] = []
    drops = False
    for line in _LINE.findall(raw[:end]):
        if line[:1] not in (b" ", b"\t"):
            named = _NAME.match(line)
            drops = named is not None and named[1].lower() in MAILBOX_FIELDS
        if not drops or not line.strip():
            kept.append(line)
        elif kept and kept[-1].endswith(b"\r") and line.endswith(b"\n"):
            kept.append(b"\n")  # or the CR would take that of the header's end
    return b"".join(kept) + raw[end:]
