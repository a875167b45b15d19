"""Raw bytes -> header fields, tolerant where Python's `email` is not.

A line that is no field does not end the header (CPython ends it there, gh-127794, and loses From,
To and Date); CR, LF and CRLF may be mixed; an mbox `From ` line and leading blank lines are
skipped. Every step is linear in the bytes read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ablage.japanese import decode_japanese
from ablage.limits import HEADER_BYTES

_BLANK_LINE = re.compile(rb"\n\r*\n|\r\r(?=[^\r\n])")
_LINE_END_WITH_CR = re.compile(rb"\r+\n?")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_UNUSUAL = re.compile(rb"[^\t\n -~]")
_USUAL_FIELD = re.compile(r"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
_FRONT = 16 * 1024  # bytes in which nearly all headers end
_LEADING = b"\r\n \t\x00"
_LEADING_BYTES = frozenset(bytes([byte]) for byte in _LEADING)
_WHITE_CONTROLS = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]+")
_TO_CLEAN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """Fields in order as (lower-case name, unfolded text), and what was odd about the block."""

    fields: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]


def split_fields(raw: bytes) -> HeaderBlock:
    """The fields of the header block, of which at most HEADER_BYTES are read. Never raises."""
    block, limited = _header_block(raw)
    problems = ["header_limited"] if limited else []
    usual = _usual_fields(block)
    if usual is not None:
        return HeaderBlock(usual, tuple(problems))
    if b"\x00" in block:
        problems.append("nul_bytes")
    fields: list[tuple[str, list[bytes]]] = []
    junk = 0
    for name, lines in _logical_lines(block):
        if name is None:
            junk += 1
        else:
            fields.append((name, lines))
    if junk:
        problems.append("junk_lines")
    return HeaderBlock(
        tuple((name, decode_bytes(b" ".join(lines))) for name, lines in fields), tuple(problems)
    )


def _usual_fields(block: bytes) -> tuple[tuple[str, str], ...] | None:
    """The fields of a block of ASCII that holds nothing but fields: most. None for any other."""
    if _UNUSUAL.search(block):
        return None
    text = block.decode("ascii")
    fields: list[tuple[str, str]] = []
    end = 0
    while end < len(text):
        found = _USUAL_FIELD.match(text, end)  # a search from every character would be quadratic
        if not found:
            return None
        end = found.end()
        name, value = found.groups()
        fields.append((name.lower(), _unfolded(value)))
    return tuple(fields)


def _unfolded(value: str) -> str:
    if "\n" in value:
        value = " ".join([line.strip(" \t") for line in value.split("\n")])
    return value.replace("\t", " ").strip()


def body_start(raw: bytes) -> int:
    """The offset just behind the header's blank line, or the length where there is none."""
    found = _BLANK_LINE.search(raw, _leading(raw))
    return found.end() if found else len(raw)


def decode_bytes(value: bytes) -> str:
    """Raw header bytes as clean text: ISO-2022-JP by its escapes, UTF-8, else Windows-1252."""
    text = decode_japanese(value) if b"\x1b$" in value else utf8_or_western(value)
    return clean(text).strip()


def clean(text: str) -> str:
    """Without control characters and lone surrogates (no database or JSON takes them)."""
    if not _TO_CLEAN.search(text):
        return text
    return _CONTROLS.sub("", _WHITE_CONTROLS.sub(" ", text))


def utf8_or_western(data: bytes) -> str:
    """UTF-8, with replacements if some of it is, as in a cut field; else Windows-1252."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    if any("\x7f" < c != "\ufffd" for c in text):
        return text
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _leading(raw: bytes) -> int:
    """How many bytes to skip: blank lines, blanks and NUL before the header."""
    if raw[:1] not in _LEADING_BYTES:
        return 0
    return len(raw[:HEADER_BYTES]) - len(raw[:HEADER_BYTES].lstrip(_LEADING))


def _header_block(raw: bytes) -> tuple[bytes, bool]:
    """The block with every line end as LF, and whether it was cut at HEADER_BYTES."""
    start = _leading(raw)
    front = raw[start : start + _FRONT].replace(b"\r\n", b"\n")
    if b"\r" not in front and (length := front.find(b"\n\n")) >= 0:
        return front[:length], False
    end = min(len(raw), start + HEADER_BYTES)
    found = _BLANK_LINE.search(raw, start, end)
    block = raw[start : found.start() + 1 if found else end].replace(b"\r\n", b"\n")
    if b"\r" in block:
        block = _LINE_END_WITH_CR.sub(_one_line_end, block)
    head, blank_line, _ = block.partition(b"\n\n")
    return head, end < len(raw) and not found and not blank_line


def _one_line_end(found: re.Match[bytes]) -> bytes:
    """CR CR LF is one line end (a gateway's doubled CR); CRs alone are one each."""
    return b"\n" if found[0].endswith(b"\n") else b"\n" * len(found[0])


def _logical_lines(block: bytes) -> Iterator[tuple[str | None, list[bytes]]]:
    """Each field with its folded lines; a line that is no field has no name, and its folds."""
    name: str | None = None
    lines: list[bytes] = []
    seen = False
    for line in block.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            lines.append(line.strip(b" \t"))
            continue
        if seen:
            yield name, lines
        found = _FIELD.match(line)
        name = found[1].decode("ascii").lower() if found else None
        lines = [found[2].strip(b" \t")] if found else []
        seen = bool(found) or bool(line.strip() and not line.startswith((b"From ", b">From ")))
    if seen:
        yield name, lines
