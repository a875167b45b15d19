"""RFC 2047 encoded-words -> text. Unknown charsets and broken words never raise; time is linear."""

import binascii
import re

from ablage.charsets import decode_charset
from ablage.header_fields import clean

# The text ends at `?=`; mailers leave `?` in it, so only `=?` of a next word bounds the search.
_CHARSET = r"[^?\s*\"<>]{1,60}"
_LANGUAGE = r"(?:\*[^?\s]{0,20})?"
# Python 3.11.2 matches nothing with a look ahead inside `(...)*+`; `(?>...)` is the same.
_TEXT = r"(?>(?:[^?=]+|=(?!\?[^=])|\?(?!=))*)"
ENCODED_WORD = rf"=\?{_CHARSET}{_LANGUAGE}\?[bBqQ]\?{_TEXT}\?="
_WORD = re.compile(rf"=\?({_CHARSET}){_LANGUAGE}\?([bBqQ])\?({_TEXT})\?=")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]+")


def decode_words(text: str) -> str:
    """`text` with its encoded-words decoded; neighbours of one charset are joined before decoding,
    as mailers split characters over two words. Without control and bidi characters."""
    if "=?" not in text:
        return text
    out: list[str] = []
    pending = bytearray()
    charset = ""
    end = 0
    for word in _WORD.finditer(text):
        name, encoding, written = word.groups()
        name = name.lower()
        start, behind = word.span()
        gap = text[end:start]
        apart = bool(gap) and not gap.isspace()
        if pending and (apart or name != charset):
            out.append(decode_charset(bytes(pending), charset))
            pending.clear()
        if apart or not end:
            out.append(gap)
        pending += _word_bytes(encoding, written)
        charset, end = name, behind
    out.append(decode_charset(bytes(pending), charset))
    out.append(text[end:])
    return _BIDI_CONTROLS.sub("", clean("".join(out)))


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding not in "qQ":
        return decode_base64(data)
    last = b"=" if data.endswith(b"=") else b""  # no soft line break here
    return binascii.a2b_qp(data.removesuffix(b"=").replace(b"\n", b" "), header=True) + last


def decode_base64(data: bytes | memoryview) -> bytes:
    """Base64 with stray characters, wrong padding or a cut end: what can be had of it."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        kept = bytes(data).translate(None, _NOT_BASE64)
        kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
        return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))
