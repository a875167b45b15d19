"""RFC 2047 encoded-words -> text. Unknown charsets and broken words never raise; time is linear."""

import binascii
import codecs
import re

from ablage.header_fields import clean, utf8_or_western
from ablage.japanese import decode_japanese

# The text ends at `?=`; mailers leave `?` in it, so only `=?` of a next word bounds the search.
_CHARSET = r"[^?\s*\"<>]{1,60}"
_LANGUAGE = r"(?:\*[^?\s]{0,20})?"
_TEXT = r"(?:[^?=]++|=(?!\?[^=])|\?(?!=))*+"
ENCODED_WORD = rf"=\?{_CHARSET}{_LANGUAGE}\?[bBqQ]\?{_TEXT}\?="
_WORD = re.compile(rf"=\?({_CHARSET}){_LANGUAGE}\?([bBqQ])\?({_TEXT})\?=")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]+")

# Names mailers use, as WHATWG reads them: gb2312 mail holds gb18030 characters, and so on.
_CHARSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "iso-8859-6-e": "iso-8859-6",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "iso-8859-9": "cp1254",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "big5": "big5hkscs",
    "unicode-1-1-utf-7": "utf-7",
    "x-unknown": "utf-8",
    "unknown-8bit": "utf-8",
}
# Codecs that are no charset; some are slow or warn.
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}
)


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


def decode_charset(data: bytes, charset: str) -> str:
    """`data` in `charset`; where that is unknown or wrong UTF-8, else what fits."""
    codec = _codec(charset)
    if codec.startswith("iso2022_jp"):
        return decode_japanese(data)
    for candidate in (codec, "utf-8"):
        try:
            return data.decode(candidate)
        except (UnicodeError, LookupError):
            continue
    try:
        unknown = codec in ("utf-8", "cp1252")
        return utf8_or_western(data) if unknown else data.decode(codec, "replace")
    except (UnicodeError, LookupError):  # a codec of bytes, as `hex`
        return utf8_or_western(data)


def _codec(charset: str) -> str:
    plain = charset.strip("\"' ").lower()
    try:
        name = codecs.lookup(_CHARSETS.get(plain, plain)).name
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if name in _NO_CHARSETS else name


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(data.replace(b"\n", b" "), header=True)
    return decode_base64(data)


def decode_base64(data: bytes | memoryview) -> bytes:
    """Base64 with stray characters, wrong padding or a cut end: what can be had of it."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        kept = _NOT_BASE64.sub(b"", bytes(data))
        kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
        return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))
