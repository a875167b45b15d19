"""Folder names: what the server calls them, and what people read. Modified UTF-7 (RFC 3501 5.1.3)
where a server keeps to it."""

import hashlib
import re
from base64 import b64decode, b64encode

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def folder_id(raw: bytes) -> str:
    """16 hex digits of the SHA-256 of the raw name: names hold anything, keys do not."""
    return hashlib.sha256(raw).hexdigest()[:16]


def decode_name(raw: bytes) -> str:
    """What is not valid stays as it is; raw UTF-8 and raw Latin-1 are read as such. Never raises; a
    control character is shown as U+FFFD."""
    is_utf7 = raw.isascii()
    name = _SHIFTED.sub(_unshift, raw.decode("ascii")) if is_utf7 else _decode_raw(raw)
    return _CONTROL.sub("\ufffd", name)


def _decode_raw(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unshift(match: re.Match[str]) -> str:
    encoded = match.group(1)
    if not encoded:
        return "&"
    padded = encoded.replace(",", "/") + "=" * (-len(encoded) % 4)
    try:
        return b64decode(padded, validate=True).decode("utf-16-be")
    except ValueError:
        return match.group(0)


def encode_name(name: str) -> bytes:
    """Modified UTF-7 of a name, for folders we look for by name."""
    encoded = re.sub(r"&|[^\x20-\x7e]+", _shift, name)
    return encoded.encode("ascii")


def _shift(match: re.Match[str]) -> str:
    if match.group(0) == "&":
        return "&-"
    packed = b64encode(match.group(0).encode("utf-16-be")).decode("ascii")
    return "&" + packed.rstrip("=").replace("/", ",") + "-"
