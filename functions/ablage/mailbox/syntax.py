"""What answers are made of, and names as commands carry them: atoms, quoted strings, literals,
nested lists (RFC 9051 section 4). Nothing here reads or sends."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ablage.mailbox.faults import fault

MAX_DEPTH = 20  # of nested lists

_TOKEN = re.compile(rb'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class Atom(bytes):
    """An unquoted word: `NIL` as an atom is nothing, as a string it is a name."""


class Octets(bytes):
    """Part of a command that is sent as a literal."""


class Stream:
    """A literal still on the wire, larger than SINGLE_PUT_BYTES: read it once, in pieces.

    The last piece comes after the rest of the answer was read and found right: whoever has all
    pieces has the whole literal. Raises AccountFault."""

    def __init__(self, size: int, pieces: Iterator[bytes]) -> None:
        self.size = size
        self.check: Callable[[Answer], None] = lambda _whole: None
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of `wire.PIECE_BYTES`, the last one may be shorter."""
        return self._pieces

    def skip(self) -> None:
        """Read what is left of it, and drop it."""
        for _ in self._pieces:
            pass


Body = bytes | Stream


@dataclass(frozen=True)
class Literal:
    """`body` is a Stream when it is larger than SINGLE_PUT_BYTES, and a mail's."""

    size: int
    body: Body = field(repr=False)


Segment = bytes | Literal


@dataclass(frozen=True)
class Answer:
    """`tag` is `*`, `+`, ours, or empty for a blank line; `name` upper case; `values` nested lists
    of Atom, bytes and Literal; with a `stream` they end at it. Status answers have `text` instead,
    answers that name folders `segments`: what servers make of names does not parse. `number` as in
    `3 EXISTS`."""

    tag: bytes
    name: bytes
    values: list[Any] = field(default_factory=list)
    text: bytes = b""
    segments: list[Segment] = field(default_factory=list)
    number: int | None = None
    stream: Stream | None = None


def parse(segments: list[Segment], *, is_whole: bool = True) -> list[Any]:
    """Nested lists from text and literals, all closed when it is whole. Raises AccountFault
    `protocol_error`."""
    root: list[Any] = []
    stack = [root]
    for segment in segments:
        if isinstance(segment, Literal):
            stack[-1].append(segment)
        else:
            _parse_text(segment, stack)
    if is_whole and len(stack) != 1:
        raise fault("protocol_error")
    return root


def _parse_text(text: bytes, stack: list[list[Any]]) -> None:
    position, end = 0, len(text.rstrip())
    while position < end:
        token = _TOKEN.match(text, position, end)
        if token is None:
            raise fault("protocol_error")
        position = token.end()
        paren, quoted, atom = token.groups()
        if atom is not None:
            stack[-1].append(Atom(atom))
        elif quoted is not None:
            stack[-1].append(_ESCAPED.sub(rb"\1", quoted))
        else:
            _bracket(paren, stack)


def _bracket(paren: bytes, stack: list[list[Any]]) -> None:
    if paren == b"(" and len(stack) <= MAX_DEPTH:
        inner: list[Any] = []
        stack[-1].append(inner)
        stack.append(inner)
    elif paren == b")" and len(stack) > 1:
        stack.pop()
    else:
        raise fault("protocol_error")


def pairs(values: list[Any]) -> dict[bytes, Any]:
    """The items of a FETCH or STATUS list by upper-case name; names that are no atoms are left
    out."""
    return {
        bytes(name).upper(): value
        for name, value in zip(values[::2], values[1::2], strict=False)
        if isinstance(name, Atom)
    }


def string(value: Any) -> bytes | None:
    """The bytes of an atom, quoted string or small literal; None for NIL and lists."""
    if isinstance(value, Literal):
        return None if isinstance(value.body, Stream) else value.body
    if isinstance(value, bytes) and not (isinstance(value, Atom) and value.upper() == b"NIL"):
        return bytes(value)
    return None


def number(value: Any) -> int | None:
    """A number of IMAP (RFC 9051: 32 bits unsigned; 63 for sizes)."""
    text = string(value)
    if text is None or not text.isdigit() or len(text) > 19:
        return None
    return int(text)


def is_quotable(name: bytes) -> bool:
    return _CONTROL.search(name) is None


def quote(name: bytes) -> bytes:
    """A name as a command carries it: quoted, or as a literal where quotes do not hold it (RFC 3501
    9: 7-bit). Raises AccountFault for control characters."""
    if not is_quotable(name):
        raise fault("folder_missing")
    if not name.isascii():
        return Octets(name)
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
