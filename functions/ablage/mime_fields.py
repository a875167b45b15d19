"""Content-Type and Content-Disposition -> value and parameters (RFC 2045, 2183, 2231). Linear."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ablage.charsets import decode_charset
from ablage.encoded_words import decode_words
from ablage.header_fields import clean

_LONGEST = 16 * 1024  # characters of a field that are read
_TYPE = re.compile(r"\s*\"?([^\s;/\"=]+)\s*/\s*([^\s;/(\"=,]+)")
_TOKEN = re.compile(r"\s*([^\s;(\"=]+)\s*(?![^;\s]*=)")
_PARAMETER = re.compile(
    r';\s*+(?:\([^()]*+\)\s*+)?([^\s=;"]++)\s*+=\s*+("(?:[^"\\]++|\\.)*+"?|[^;]*+)', re.DOTALL
)
_LOOSE_BOUNDARY = re.compile(r'\bboundary\s{0,9}=\s{0,9}("[^"]*+"|[^\s;]++)', re.IGNORECASE)
_SECTION = re.compile(r"([^*]+)\*(?:(\d{1,3})(\*)?)?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WINDOWS_PATH = re.compile(r"[A-Za-z]:\\[^\\]")  # its backslashes are not escapes
_BIDI_CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_NAME = 255  # characters of a file name that are kept


@dataclass(frozen=True, slots=True)
class MimeField:
    """`value` in lower case (`text/plain`, `attachment`, or empty); parameter names likewise."""

    value: str
    parameters: Mapping[str, str]


def read_content_type(text: str) -> MimeField:
    field = text[:_LONGEST]
    found = _TYPE.match(field)
    parameters = _parameters(field)
    loose = None if "boundary" in parameters else _LOOSE_BOUNDARY.search(field)
    if loose:
        parameters["boundary"] = loose[1].strip('"')
    return MimeField(f"{found[1]}/{found[2]}".lower() if found else "", parameters)


def read_disposition(text: str) -> MimeField:
    field = text[:_LONGEST]
    found = _TOKEN.match(field)
    return MimeField(found[1].lower() if found else "", _parameters(field))


def written_name(disposition: MimeField, content_type: MimeField) -> str:
    """The file name as written, decoded, without control characters; empty if there is none."""
    written = disposition.parameters.get("filename") or content_type.parameters.get("name") or ""
    return " ".join(clean(decode_words(written)).split())


def safe_name(written: str) -> str:
    """A file name without folders and direction characters, at most 255 characters."""
    return re.split(r"[/\\]", _BIDI_CONTROLS.sub("", written))[-1].strip()[:_NAME]


def _parameters(field: str) -> dict[str, str]:
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bool, str]]] = {}
    for found in _PARAMETER.finditer(field):
        name, value = found[1].lower(), _unquote(found[2].strip())
        section = _SECTION.fullmatch(name)
        if section:
            encoded = section[2] is None or section[3] is not None
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (encoded, value))
        else:
            plain.setdefault(name, value)
    return plain | {name: _joined(parts) for name, parts in sections.items()}


def _unquote(value: str) -> str:
    if value[:1] != '"':
        return value
    text = value[1:].removesuffix('"')
    return text if _WINDOWS_PATH.match(text) else _ESCAPED.sub(r"\1", text)


def _joined(sections: Mapping[int, tuple[bool, str]]) -> str:
    """RFC 2231 sections in order, decoded in the charset the first one names."""
    charset, data = "utf-8", b""
    for number in sorted(sections):
        encoded, value = sections[number]
        if encoded and number == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        data += unquote_to_bytes(value) if encoded else value.encode("utf-8", "replace")
    return decode_charset(data, charset or "utf-8")
