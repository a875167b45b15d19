"""A mail that somebody typed or pasted -> its bytes. Pure."""

import base64
import binascii

from ablage.errors import InvalidInput, TooLarge
from ablage.limits import EXPLAIN_BYTES


def mail_bytes(message: str | None, headers: str | None) -> bytes:
    """Of a mail as its text, or that in base64; or of a header block alone.

    Every mail has a colon, base64 has none: neither is taken for the other. Raises TooLarge
    `message_too_large`, InvalidInput `not_a_mail`."""
    if headers is not None:
        return _within_limit(headers.rstrip("\r\n").encode() + b"\r\n\r\n", "/headers")
    text = message or ""
    return _within_limit(text.encode() if ":" in text else _decoded(text), "/message")


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_mail() from error
    if b":" not in raw:
        raise _no_mail()
    return raw


def _within_limit(raw: bytes, pointer: str) -> bytes:
    if len(raw) <= EXPLAIN_BYTES:
        return raw
    detail = f"At most {EXPLAIN_BYTES} bytes are explained; send the header block alone."
    raise TooLarge("message_too_large", detail, pointer)


def _no_mail() -> InvalidInput:
    detail = "Send the mail as its text, with its header, or that in base64."
    return InvalidInput("not_a_mail", detail, "/message")
