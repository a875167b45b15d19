"""Bytes -> text in the charset a mail names, or really is in. Never raises; time is linear."""

import codecs
import re

from ablage.japanese import decode_japanese

# Names Python does not know.
_NAMES = {
    "gb_2312-80": "gb2312",
    "windows-31j": "cp932",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "iso-8859-6-e": "iso-8859-6",
    "unicode-1-1-utf-7": "utf-7",
}
_CODE_PAGE = re.compile(r"(?:windows|win|cp|ibm|dos|ms)[-_]?(?:cp)?[-_]?(\d{3,4})")
# Codecs as WHATWG reads their names: gb2312 mail holds gb18030 characters, and so on.
_WIDER = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
_ASCII = b"From: <a@x>"  # what is written so in every charset a header can be in
# Codecs that are no charset; some are slow or warn.
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}
)


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


def decode_undeclared(data: bytes, likely: str = "") -> str:
    """ISO-2022-JP by its escapes, UTF-8, `likely` if the bytes are of that charset, else what fits.

    `likely` is what the mail names for its body."""
    if b"\x1b$" in data:
        return decode_japanese(data)
    for codec in ("utf-8", *([_codec(likely)] if likely else [])):
        try:
            if _ASCII.decode(codec) == _ASCII.decode():
                return data.decode(codec)
        except (UnicodeError, LookupError):
            continue
    return utf8_or_western(data)


def utf8_or_western(data: bytes) -> str:
    """UTF-8, with replacements if most of it is, as in a cut field; else Windows-1252."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if not broken or broken <= sum("\x7f" < c != "\ufffd" for c in text):
        return text
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _codec(charset: str) -> str:
    """The name of the codec to try; UTF-8 for what is unknown, or no charset."""
    plain = charset.strip("\"' ").lower().removeprefix("x-")
    page = _CODE_PAGE.fullmatch(plain)
    try:
        name = codecs.lookup(f"cp{page[1]}" if page else _NAMES.get(plain, plain)).name
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if name in _NO_CHARSETS else _WIDER.get(name, name)
