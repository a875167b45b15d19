"""Answers that name folders, read for what they mean: LIST, XLIST, STATUS, NAMESPACE.

Servers send names unquoted with blanks and brackets, in quotes they forget to escape or to close,
as literals, in any encoding; they leave out the delimiter or the flags. One odd row must neither
hide the others nor end the session, so nothing here raises."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ablage.errors import AccountFault
from ablage.mailbox.syntax import Answer, Literal, is_quotable, number, parse, string

_FLAGS = re.compile(rb"\s*\(([^()]*)\)")
_DELIMITER = re.compile(rb'\s*(?:(NIL)|"(\\?[^"])?"|([^\s"()]))(?=\s|\Z)', re.IGNORECASE)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"(?=\s*(?:\(|\Z))', re.DOTALL)
_ESCAPED = re.compile(rb'\\(["\\])')
_EXTENDED = re.compile(
    rb'(?<=\S)\s+\(\(?"?(?:CHILDINFO|OLDNAME)"?\s.*\Z', re.IGNORECASE | re.DOTALL
)
ROW_BYTES = 8192  # no command could name a folder that takes more


@dataclass(frozen=True)
class Row:
    """A folder as listed: its raw name, its delimiter (empty: names are flat), its attributes in
    upper case."""

    raw: bytes
    delimiter: bytes
    flags: frozenset[bytes]


@dataclass(frozen=True)
class FolderStatus:
    """None where the server did not say."""

    uidvalidity: int | None
    uidnext: int | None
    messages: int | None


@dataclass(frozen=True)
class Spaces:
    """NAMESPACE (RFC 2342): prefixes of the user's own folders, and of those of other users or
    shared."""

    personal: tuple[bytes, ...] = ()
    foreign: tuple[bytes, ...] = ()

    def is_foreign(self, raw: bytes) -> bool:
        """The longest prefix decides; INBOX is the user's own whatever the prefixes."""
        if raw == b"INBOX":
            return False
        foreign = max((len(p) for p in self.foreign if _is_below(raw, p)), default=-1)
        personal = max((len(p) for p in self.personal if raw.startswith(p)), default=-1)
        return foreign > personal

    def without_prefix(self, raw: bytes) -> bytes:
        prefixes = (p for p in self.personal if raw.startswith(p) and raw != p)
        return raw[max(map(len, prefixes), default=0) :]


def _is_below(raw: bytes, prefix: bytes) -> bool:
    """`Other Users` itself counts, though the prefix is `Other Users/`."""
    return raw.startswith(prefix) or raw == prefix[:-1]


def read_row(answer: Answer) -> Row | None:
    """None for a row without a name, or with one that no command can carry."""
    text, literal = _text(answer.segments)
    if flags := _FLAGS.match(text):
        text = text[flags.end() :]
    delimiter, rest = _delimited(text, has_more=literal is not None)
    name = literal if literal is not None and not rest else _name(rest)
    if not name or not is_quotable(name):
        return None
    words = flags.group(1).upper().split() if flags else []
    return Row(_canonical(name), delimiter, frozenset(words))


def read_status(answer: Answer) -> tuple[bytes, FolderStatus] | None:
    """The raw name and what is told of it."""
    text, literal = _text(answer.segments)
    if literal is not None:
        after = answer.segments[-1]  # of a name that came as a literal
        text = text + (after if isinstance(after, bytes) else b"")
    before, bracket, items_told = text.strip().rpartition(b"(")
    if not bracket or not items_told.endswith(b")"):
        return None
    name = literal if literal is not None else _name(before.strip())
    words = items_told[:-1].upper().split()
    told = dict(zip(words[::2], words[1::2], strict=False))
    items = (number(told.get(item)) for item in (b"UIDVALIDITY", b"UIDNEXT", b"MESSAGES"))
    return _canonical(name), FolderStatus(*items)


def read_spaces(answer: Answer) -> Spaces:
    values: list[Any] = []
    with suppress(AccountFault):
        values = parse(answer.segments)
    personal, *foreign = (*map(_prefixes, values), (), (), ())[:3]
    return Spaces(personal, tuple(prefix for found in foreign for prefix in found))


def _prefixes(value: Any) -> tuple[bytes, ...]:
    """Of `(("INBOX." "."))`, which may also be NIL."""
    spaces = value if isinstance(value, list) else []
    found = (string(space[0]) for space in spaces if isinstance(space, list) and space)
    return tuple(prefix for prefix in found if prefix is not None)


def _text(segments: Sequence[bytes | Literal]) -> tuple[bytes, bytes | None]:
    """What stands before the first literal, and that; nothing of a row without end."""
    if sum(len(s) if isinstance(s, bytes) else s.size for s in segments) > ROW_BYTES:
        return b"", None
    text = segments[0] if segments and isinstance(segments[0], bytes) else b""
    literals = (segment for segment in segments if isinstance(segment, Literal))
    first = next(literals, None)
    return text.strip(b"\r\n"), None if first is None else string(first) or b""


def _delimited(text: bytes, *, has_more: bool) -> tuple[bytes, bytes]:
    """The delimiter and what follows. A lone word is a name, not a delimiter."""
    match = _DELIMITER.match(text)
    if match is None:
        return b"", text.strip()
    nil, quoted, bare = match.groups()
    rest = text[match.end() :].strip()
    if bare and not rest and not has_more:
        return b"", bare
    return b"" if nil else (quoted or bare or b"")[-1:], rest


def _name(text: bytes) -> bytes:
    if not text.startswith(b'"'):
        return _EXTENDED.sub(b"", text)
    if match := _QUOTED.match(text):
        return _ESCAPED.sub(rb"\1", match.group(1))
    return text[1:].removesuffix(b'"')  # quotes within, or never closed


def _canonical(name: bytes) -> bytes:
    return b"INBOX" if name.upper() == b"INBOX" else name
