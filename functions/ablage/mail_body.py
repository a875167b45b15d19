"""The body of a mail: text, HTML, attachments, and one digest of the decoded content."""

import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ablage.charsets import decode_charset
from ablage.delivery_reports import REPORT_BYTES, RETURNED_TYPES, STATUS_TYPES, ReportParts
from ablage.encoded_words import decode_base64
from ablage.header_fields import body_start
from ablage.headers import Headers, read_headers
from ablage.limits import BODY_BYTES, BODY_LINES, TEXT_BYTES
from ablage.mail_form import HEAD_BYTES, Leaf
from ablage.mime_fields import safe_name
from ablage.mime_parts import Part, Parts, part_header, split_parts

_LIMITING = frozenset({"too_many_parts", "nested_too_deep"})
_CALENDAR_METHOD = re.compile(rb"^METHOD:[ \t]*([A-Za-z]+)", re.MULTILINE)
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]+")
# RFC 2045 6.7 (3). The look behind keeps a run of blanks from being tried at each of them.
_TRAILING_BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
_BLANK_ENDS = (b" \r\n", b" \n", b"\t\r\n", b"\t\n")  # found four times as fast
_SLASHES = re.compile(r"[/\\]+")
_CHUNK = 1024 * 1024
_NESTED_HEADER = 16 * 1024  # bytes of a nested message that are read for its name


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not shown as text. `number` counts from 1; `name` is safe to show, may be
    empty, and is never a storage key; `size` and `sha256` are of the decoded bytes; by `content_id`
    an HTML part names its images."""

    number: int
    name: str
    content_type: str
    size: int
    sha256: str
    written_name: str = ""
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class MailBody:
    """`text` and `html` are joined of the parts shown, each up to TEXT_BYTES; `part_types` of all
    leaves; `leaves` tell the form; `report` of a delivery report; `calendar_method` in lower case;
    `limited` if not all of the body was read."""

    digest: str
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    part_types: tuple[str, ...] = ()
    leaves: tuple[Leaf, ...] = ()
    report: ReportParts = field(default_factory=ReportParts)
    calendar_method: str = ""
    limited: bool = False
    problems: tuple[str, ...] = ()


def read_body(raw: bytes, headers: Headers) -> MailBody:
    """The body, or only its digest where it is over BODY_BYTES or BODY_LINES."""
    start = body_start(raw)
    if len(raw) > BODY_BYTES or raw.count(b"\n") > BODY_LINES:
        return unread_body(raw, "body_too_large")
    raw, parts = _parts(raw, start, headers)
    reading = _Reading()
    for part in parts.leaves:
        reading.takes(part, _content(raw, part))
    return MailBody(
        digest=reading.digest.hexdigest(),
        text="\n".join(reading.texts["text/plain"]),
        html="\n".join(reading.texts["text/html"]),
        attachments=tuple(reading.attachments),
        part_types=tuple(part.content_type.value for part in parts.leaves),
        leaves=tuple(reading.leaves),
        report=ReportParts(reading.status, reading.returned),
        calendar_method=reading.calendar_method,
        limited=not _LIMITING.isdisjoint(parts.problems) or reading.cut,
        problems=(*parts.problems, *(["text_limited"] if reading.cut else [])),
    )


def unread_body(raw: bytes, problem: str) -> MailBody:
    """A body that is not taken apart: its digest is of the encoded bytes, line ends as LF."""
    digest = hashlib.sha256(b"unread\n")
    body = memoryview(raw)[body_start(raw) :]
    for start in range(0, len(body), _CHUNK):
        digest.update(bytes(body[start : start + _CHUNK]).replace(b"\r", b""))
    return MailBody(digest.hexdigest(), limited=True, problems=(problem,))


def read_attachment(raw: bytes, headers: Headers, number: int) -> bytes | None:
    """The decoded bytes of the attachment of that number; None if there is none."""
    if number < 1 or len(raw) > BODY_BYTES or raw.count(b"\n") > BODY_LINES:
        return None
    raw, parts = _parts(raw, body_start(raw), headers)
    attached = [part for part in parts.leaves if not _shown(part)]
    return _content(raw, attached[number - 1]) if number <= len(attached) else None


def _parts(raw: bytes, start: int, headers: Headers) -> tuple[bytes, Parts]:
    """The parts, and the bytes their spans count in (bare CRs become LFs)."""
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    fields = {name: values[0] for name, values in headers.fields.items()}
    return raw, split_parts(raw, start, part_header(fields))


def _shown(part: Part) -> bool:
    is_text = part.content_type.value in ("text/plain", "text/html")
    return is_text and not part.name and part.disposition != "attachment"


def _content(raw: bytes, part: Part) -> bytes:
    """The part's bytes after transfer decoding; a broken encoding gives what can be had."""
    encoded = memoryview(raw)[part.start : part.end]
    if part.encoding == "base64":
        return decode_base64(encoded)
    if part.encoding == "quoted-printable":
        return b"".join(_quoted_printable(raw, part.start, part.end))
    return bytes(encoded)


def _quoted_printable(raw: bytes, start: int, end: int) -> Iterator[bytes]:
    """In steps that end with a line: the substitution needs ten times what it looks at."""
    while start < end:
        stop = raw.find(b"\n", start + _CHUNK, end) + 1 or end
        lines = raw[start:stop]
        if any(ending in lines for ending in _BLANK_ENDS) or lines[-1:] in (b" ", b"\t"):
            lines = _TRAILING_BLANKS.sub(b"", lines)
        yield binascii.a2b_qp(lines)
        start = stop


class _Reading:
    """What the parts add up to.

    The digest is the same for one mail in several mailboxes: line ends, transfer encodings and
    trailing blank lines, which servers change, are not in it; neither is any header field of the
    mail. Names and types of the parts are.
    """

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
        self.room = {"text/plain": TEXT_BYTES, "text/html": TEXT_BYTES}
        self.attachments: list[Attachment] = []
        self.calendar_method = ""
        self.leaves: list[Leaf] = []
        self.status = b""
        self.returned = b""
        self.cut = False

    def takes(self, part: Part, content: bytes) -> None:
        kind = part.content_type.value
        plain = content.replace(b"\r\n", b"\n").rstrip(b"\n")
        label = f"{kind}\n{part.name}\n{len(plain)}\n"
        self.digest.update(label.encode("utf-8", "replace"))
        self.digest.update(plain)
        if kind in ("text/calendar", "application/ics") and not self.calendar_method:
            self.calendar_method = _method(part, content)
        self.leaves.append(Leaf(part.content_type, part.name, content[:HEAD_BYTES]))
        self._report(kind, content)
        if _shown(part):
            self._text(part, content)
            return
        sha256 = hashlib.sha256(content).hexdigest()
        number, name = (
            len(self.attachments) + 1,
            safe_name(part.name) or _nested_name(kind, content),
        )
        found = Attachment(number, name, kind, len(content), sha256, part.name, part.content_id)
        self.attachments.append(found)

    def _report(self, kind: str, content: bytes) -> None:
        """Its status, and the first mail or header it gives back."""
        if kind in STATUS_TYPES and len(self.status) < REPORT_BYTES:
            self.status = (self.status + b"\n\n" + content[:REPORT_BYTES])[:REPORT_BYTES]
        elif kind in RETURNED_TYPES and not self.returned:
            self.returned = content[:REPORT_BYTES]

    def _text(self, part: Part, content: bytes) -> None:
        kind = part.content_type.value
        kept = content[: self.room[kind]]
        self.room[kind] -= len(kept)
        self.cut = self.cut or len(kept) < len(content)
        charset = part.content_type.parameters.get("charset", "us-ascii")
        self.texts[kind].append(_NO_TEXT.sub("", decode_charset(kept, charset)))


def _nested_name(kind: str, content: bytes) -> str:
    """A nested message goes by its subject."""
    if kind not in ("message/rfc822", "message/global"):
        return ""
    subject = read_headers(content[:_NESTED_HEADER]).subject[:100]
    return safe_name(f"{_SLASHES.sub(' ', subject) or 'message'}.eml")


def _method(part: Part, content: bytes) -> str:
    """RFC 5546 1.4: REQUEST, REPLY, CANCEL...; of the part's type, else of the calendar itself."""
    written = part.content_type.parameters.get("method", "")
    found = None if written else _CALENDAR_METHOD.search(content, 0, 8192)
    return (found[1].decode("ascii") if found else written).strip().lower()
