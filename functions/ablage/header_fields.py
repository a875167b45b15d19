"""Raw bytes -> header fields, tolerant where Python's `email` is not.

A line that is no field does not end the header (CPython ends it there, gh-127794, and loses From,
To and Date); LF and CRLF may be mixed, or all line ends be CRs; an mbox `From ` line and leading
blank lines are skipped. Every step is linear in the bytes read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ablage.charsets import decode_undeclared
from ablage.limits import HEADER_BYTES

_BLANK_LINE = re.compile(rb"\n\r*\n")
_BLANK_LINE_OF_CRS = re.compile(rb"\r\r(?=[^\r\n])")
_LINE_END_WITH_CR = re.compile(rb"\r+\n")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_UNUSUAL = re.compile(rb"[^\t\n -~]")
_USUAL_FIELD = re.compile(r"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
_DECLARED = re.compile(rb"charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE)
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
    written = [(name, b" ".join(lines)) for name, lines in fields]
    likely = _declared(written)
    return HeaderBlock(
        tuple((name, decode_bytes(value, likely)) for name, value in written), tuple(problems)
    )


def _declared(fields: list[tuple[str, bytes]]) -> str:
    """The charset of the body: mailers that leave a header unencoded write it in the same."""
    types = (value for name, value in fields if name == "content-type")
    found = _DECLARED.search(next(types, b""))
    return found[1].decode("ascii", "replace") if found else ""


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
    found = _blank_line(raw, _leading(raw), len(raw))
    return found.end() if found else len(raw)


def _blank_line(raw: bytes, start: int, end: int) -> re.Match[bytes] | None:
    """What ends the header. A bare CR is a line end only where there is no LF before it."""
    first = raw.find(b"\n", start, end)
    found = _BLANK_LINE_OF_CRS.search(raw, start, first if first >= 0 else end)
    return found or _BLANK_LINE.search(raw, start, end)


def decode_bytes(value: bytes, likely: str = "") -> str:
    """Raw header bytes as clean text, in a charset as of `decode_undeclared`."""
    return clean(decode_undeclared(value, likely)).strip()


def clean(text: str) -> str:
    """Without control characters and lone surrogates (no database or JSON takes them)."""
    if not _TO_CLEAN.search(text):
        return text
    return _CONTROLS.sub("", _WHITE_CONTROLS.sub(" ", text))


def _leading(raw: bytes) -> int:
    """How many bytes to skip: blank lines, blanks and NUL before the header."""
    if raw[:1] not in _LEADING_BYTES:
        return 0
    rest = raw[:HEADER_BYTES].lstrip(_LEADING)
    return len(raw[:HEADER_BYTES]) - len(rest)


def _header_block(raw: bytes) -> tuple[bytes, bool]:
    """The block with every line end as LF, and whether it was cut at HEADER_BYTES."""
    start = _leading(raw)
    front = raw[start : start + _FRONT].replace(b"\r\n", b"\n")
    if b"\r" not in front and (length := front.find(b"\n\n")) >= 0:
        return front[:length], False
    end = min(len(raw), start + HEADER_BYTES)
    found = _blank_line(raw, start, end)
    block = raw[start : found.start() + 1 if found else end].replace(b"\r\n", b"\n")
    if b"\r" in block:
        block = _without_cr(block)
    head, blank_line, _ = block.partition(b"\n\n")
    return head, end < len(raw) and not found and not blank_line


def _without_cr(block: bytes) -> bytes:
    """CR CR LF is one line end (a gateway's doubled CR); a bare CR is a blank (RFC 5322 4), but the
    line end of a block that has no other."""
    if b"\n" not in block:
        return block.replace(b"\r", b"\n")
    return _LINE_END_WITH_CR.sub(b"\n", block).replace(b"\n\r", b"\n").replace(b"\r", b" ")


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
