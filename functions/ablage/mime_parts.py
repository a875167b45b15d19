"""A raw mail -> its leaf parts, as spans of the raw bytes: nothing is copied, nothing recurses.

CPython's parser needs seven times the mail in memory, recurses per level and is quadratic in
parameters. Here one pass over the lines that begin with `--` finds every boundary.
"""

import re
from dataclasses import dataclass, field

from ablage.header_fields import split_fields
from ablage.limits import NESTING, PART_HEADER_BYTES, PARTS
from ablage.mime_fields import MimeField, read_content_type, read_disposition, written_name

_DASHES = re.compile(rb"^--([^\r\n]*)\r*\n?", re.MULTILINE)
_LINE_END = re.compile(rb"\r*\n|\r")
_BLANK_LINE = re.compile(rb"\n\r*\n")
_LINE_END_BYTES = 8  # with the CRs that gateways double
_TEXT = MimeField("text/plain", {})
_NESTED = MimeField("message/rfc822", {})
_CONTENT_ID = 256  # characters of a Content-ID that are kept


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf: its content, still encoded, is `raw[start:end]`. `message/rfc822` is a leaf too.
    `name` is the file name as written: never a path to write to; `content_id` without brackets."""

    content_type: MimeField
    disposition: str
    name: str
    encoding: str
    start: int
    end: int
    content_id: str = ""


@dataclass(slots=True)
class Parts:
    """Of one mail: its leaves in order, and codes of what is odd."""

    leaves: list[Part] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def problem(self, code: str) -> None:
        if code not in self.problems:
            self.problems.append(code)


@dataclass(frozen=True, slots=True)
class PartHeader:
    """What a part says of itself."""

    content_type: MimeField
    disposition: MimeField
    encoding: str
    content_id: str = ""

    def leaf(self, start: int, end: int) -> Part:
        name = written_name(self.disposition, self.content_type)
        return Part(
            self.content_type,
            self.disposition.value,
            name,
            self.encoding,
            start,
            max(start, end),
            self.content_id,
        )


def part_header(fields: dict[str, str], default: MimeField = _TEXT) -> PartHeader:
    """The header of a part, from its first fields by lower-case name."""
    written = read_content_type(fields.get("content-type", ""))
    guess = "multipart/mixed" if "boundary" in written.parameters else default.value
    known = MimeField(written.value or guess, written.parameters)
    encoding = fields.get("content-transfer-encoding", "").strip().lower()
    return PartHeader(
        known,
        read_disposition(fields.get("content-disposition", "")),
        encoding.partition(" ")[0],
        fields.get("content-id", "").strip().strip("<>")[:_CONTENT_ID],
    )


def split_parts(raw: bytes, start: int, header: PartHeader) -> Parts:
    """The leaves of the body that begins at `start`, in order. Never raises."""
    walk = _Walk(raw)
    walk.open(header, start)
    if walk.levels:
        for line in _DASHES.finditer(raw, start):
            if line.start() >= walk.skip_to and not walk.line(line):
                break
    walk.close(len(raw))
    if walk.levels and walk.seen:
        walk.found.problem("no_close_boundary")
    if not walk.seen and header.content_type.value.startswith("multipart/"):
        walk.found.problem("no_boundary_line")
        walk.found.leaves = [part_header({}).leaf(start, len(raw))]
    return walk.found


class _Walk:
    """Where the pass stands: the multiparts it is in, and the leaf it is in."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.found = Parts()
        self.levels: list[tuple[bytes, MimeField]] = []  # boundary and default type of its parts
        self.active: dict[bytes, list[int]] = {}  # levels of a boundary, innermost last
        self.leaf: tuple[PartHeader, int] | None = None
        self.skip_to = 0
        self.seen = False
        self.count = 0

    def line(self, line: re.Match[bytes]) -> bool:
        """Handle a line that begins with `--`; False when enough parts were read."""
        written = line[1].rstrip()
        levels, closing = self.active.get(written), False
        if not levels and written.endswith(b"--"):
            levels, closing = self.active.get(written[:-2].rstrip()), True
        if not levels:
            return True
        level = levels[-1]
        self.seen = True
        self.close(self._before(line.start()))
        self._leave(level if closing else level + 1)
        if closing:
            return True
        self.count += 1
        if self.count > PARTS:
            self.found.problem("too_many_parts")
            return False
        self._part(line.end())
        return True

    def open(self, header: PartHeader, start: int) -> None:
        """Begin a part: a level if it is a multipart, else a leaf."""
        kind = header.content_type
        boundary = kind.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
        if not kind.value.startswith("multipart/") or not boundary:
            self.leaf = (header, start)
        elif len(self.levels) >= NESTING:
            self.found.problem("nested_too_deep")
            self.leaf = (header, start)
        else:
            self.active.setdefault(boundary, []).append(len(self.levels))
            default = _NESTED if kind.value == "multipart/digest" else _TEXT
            self.levels.append((boundary, default))

    def close(self, end: int) -> None:
        """End the leaf that is open, if one is."""
        if self.leaf:
            header, start = self.leaf
            self.found.leaves.append(header.leaf(start, end))
        self.leaf = None

    def _leave(self, depth: int) -> None:
        while len(self.levels) > depth:
            boundary, _ = self.levels.pop()
            self.active[boundary].pop()

    def _part(self, start: int) -> None:
        head, body = self._header_span(start)
        fields: dict[str, str] = {}
        for name, value in split_fields(self.raw[start:head]).fields:
            fields.setdefault(name, value)
        self.skip_to = body
        self.open(part_header(fields, self.levels[-1][1]), body)

    def _header_span(self, start: int) -> tuple[int, int]:
        """(end of the header, start of the body) of the part at `start`; a boundary ends both."""
        empty = _LINE_END.match(self.raw, start)
        if empty:
            return start, empty.end()
        limit = min(len(self.raw), start + PART_HEADER_BYTES)
        blank = _BLANK_LINE.search(self.raw, start, limit)
        head, body = (blank.start() + 1, blank.end()) if blank else (limit, limit)
        for line in _DASHES.finditer(self.raw, start, head):
            written = line[1].rstrip()
            if self.active.get(written) or self.active.get(written.removesuffix(b"--")):
                return line.start(), line.start()
        return head, body

    def _before(self, end: int) -> int:
        """The line end before a boundary belongs to the boundary (RFC 2046 5.1.1)."""
        if self.raw[end - 1 : end] != b"\n":
            return end
        before = self.raw[max(0, end - _LINE_END_BYTES) : end - 1]
        return end - 1 - len(before) + len(before.rstrip(b"\r"))
