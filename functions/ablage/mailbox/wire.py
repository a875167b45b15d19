"""IMAP answers, read one at a time as they come (RFC 9051 section 7): text, quoted strings,
literals, nested lists.

imaplib pools answers and pairs them blindly; here each answer is whole before anybody looks at it,
a literal stands where the server put it, and what does not parse is a fault of this connection,
never half a mail."""

import re
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from ablage.limits import SINGLE_PUT_BYTES
from ablage.mailbox.connection import LITERAL_BYTES
from ablage.mailbox.faults import fault, outage, recognised

MAX_DEPTH = 20  # of nested lists
MAX_LITERALS = 64  # in one answer
_PIECE_BYTES = 1024 * 1024

_LITERAL = re.compile(rb"~?\{(\d{1,10})\+?\}\r\n\Z")
_TOKEN = re.compile(rb'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_STATUS_ANSWERS = {b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"}
_LISTINGS = {b"LIST", b"XLIST", b"LSUB", b"STATUS", b"NAMESPACE"}  # `ablage.mailbox.listing`
_OUR_TAG = re.compile(rb"W\d+")
_HEAD = re.compile(rb"(\S+) (?:(\d{1,10}) )?([A-Za-z0-9-]+)")

Body = bytes | BinaryIO


class Atom(bytes):
    """An unquoted word: `NIL` as an atom is nothing, as a string it is a name."""


class Octets(bytes):
    """Part of a command that is sent as a literal."""


@dataclass(frozen=True)
class Literal:
    """`body` is bytes, or an open temporary file when it is larger than SINGLE_PUT_BYTES."""

    size: int
    body: Body = field(repr=False)


class Transport(Protocol):
    def readline(self) -> bytes: ...
    def take(self, size: int) -> bytes: ...
    def send(self, data: bytes) -> None: ...


@dataclass(frozen=True)
class Answer:
    """`tag` is `*`, `+`, ours, or empty for a blank line; `name` upper case; `values` nested lists
    of Atom, bytes and Literal. Status answers have `text` instead, answers that name folders
    `segments`: what servers make of names does not parse. `number` as in `3 EXISTS`."""

    tag: bytes
    name: bytes
    values: list[Any] = field(default_factory=list)
    text: bytes = b""
    segments: list[bytes | Literal] = field(default_factory=list)
    number: int | None = None


class Wire:
    """Sends commands with tags of its own and reads answers. `literal_bytes` bounds each
    literal."""

    def __init__(self, transport: Transport, literal_bytes: int = LITERAL_BYTES) -> None:
        self._transport = transport
        self._sent = 0
        self._ended: dict[bytes, Answer] = {}
        self._early: deque[Answer] = deque()  # came while we waited to send a literal
        self.literal_bytes = literal_bytes

    def send(self, *parts: bytes) -> bytes:
        """Returns the tag to wait for. Raises AccountFault; a control character never reaches the
        wire."""
        if not all(is_quotable(part) for part in parts):
            raise fault("protocol_error")
        self._sent += 1
        tag = b"W%d" % self._sent
        line = tag + b" "
        for part in parts:
            if isinstance(part, Octets):
                self._transport.send(line + b"{%d}\r\n" % len(part))
                line = b""
                if not self._may_go_on(tag):
                    return tag
            line += part
        self._transport.send(line + b"\r\n")
        return tag

    def go_on(self, line: bytes) -> None:
        """What a command promised behind the server's `+`. Raises AccountFault."""
        if not is_quotable(line):
            raise fault("protocol_error")
        self._transport.send(line + b"\r\n")

    def _may_go_on(self, tag: bytes) -> bool:
        """The server's `+` for the literal announced; False when it ended the command instead."""
        while tag not in self._ended:
            answer = self._next()
            check_alive(answer)
            if answer.tag == b"+":
                return True
            if answer.tag == b"*":
                self._early.append(answer)
            else:
                self._ended[answer.tag] = answer
        return False

    def read(self) -> Answer:
        """The next answer, whole. Raises AccountFault."""
        return self._early.popleft() if self._early else self._next()

    def _next(self) -> Answer:
        line = self._line()
        head = _HEAD.match(line)
        if head is None:
            return _odd(line)
        tag, count, name = head.group(1), head.group(2), head.group(3).upper()
        if tag not in {b"*", b"+"} and not _OUR_TAG.fullmatch(tag):
            raise fault("protocol_error")
        if tag != b"*" or name in _STATUS_ANSWERS:
            return Answer(tag, name, text=line[head.end() :].strip())
        segments = self._segments(line, head.end(), name)
        if name in _LISTINGS:
            return Answer(tag, name, segments=segments)
        return Answer(tag, name, parse(segments), number=int(count) if count else None)

    def finish(self, tag: bytes, *, may_be_busy: bool = False) -> tuple[bytes, list[Answer]]:
        """Status of the command (`OK`, `NO`, `BAD`) and the answers before it. Raises AccountFault,
        also for a server that is busy unless it `may_be_busy`."""
        answers: list[Answer] = []
        ended = self.end_of(tag, answers.append)
        if not may_be_busy:
            check_ready(ended)
        return ended.name, answers

    def end_of(self, tag: bytes, take: Callable[[Answer], None]) -> Answer:
        """The end of the command; `take` gets each answer before it, so that nobody need hold them
        all. Raises AccountFault."""
        while self._early or tag not in self._ended:
            answer = self.read()
            check_alive(answer)
            if answer.tag == b"*":
                take(answer)
            else:
                self._ended[answer.tag] = answer
        return self._ended.pop(tag)

    def _line(self) -> bytes:
        line = self._transport.readline()
        if not line.endswith(b"\r\n"):
            raise fault("protocol_error")
        return line

    def _segments(self, line: bytes, start: int, name: bytes) -> list[bytes | Literal]:
        segments: list[bytes | Literal] = []
        while literal := _LITERAL.search(line, start):
            if len(segments) > 2 * MAX_LITERALS:
                raise fault("protocol_error")
            segments += [line[start : literal.start()], self._literal(int(literal.group(1)))]
            start = 0
            line = self._line()
            if line == b"\r\n" and name == b"FETCH":  # behind a literal, on some [cpython#88574]
                line = self._line()
        return [*segments, line[start:]]

    def _literal(self, size: int) -> Literal:
        if size > self.literal_bytes:
            raise fault("budget_exceeded")
        if size <= SINGLE_PUT_BYTES:
            return Literal(size, self._transport.take(size))
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - whoever takes the mail closes it
        try:
            self._spool(size, spool)
        except BaseException:
            spool.close()
            raise
        return Literal(size, spool)

    def _spool(self, size: int, spool: BinaryIO) -> None:
        left = size
        while left:
            piece = self._transport.take(min(left, _PIECE_BYTES))
            left -= len(piece)
            try:
                spool.write(piece)
            except OSError:  # the disk is full: other large mails are on their way
                raise fault("budget_exceeded") from None
        spool.seek(0)


def check_alive(answer: Answer) -> None:
    """Raises AccountFault when the server says good-bye."""
    if answer.tag == b"*" and answer.name == b"BYE":
        raise recognised(answer.text, "server_hung_up")


def check_ready(ended: Answer) -> None:
    """Raises AccountFault when the end of a command says that the server, or the provider, wants
    to be left alone."""
    if ended.name != b"OK" and (busy := outage(ended.text)):
        raise busy


def _odd(line: bytes) -> Answer:
    """`+ ...` and the empty lines some servers send are skipped, anything else is no IMAP."""
    if line.startswith(b"+"):
        return Answer(b"+", b"")
    if not line.strip():
        return Answer(b"", b"")
    raise fault("protocol_error")


def parse(segments: list[bytes | Literal]) -> list[Any]:
    """Nested lists from text and literals. Raises AccountFault `protocol_error`."""
    root: list[Any] = []
    stack = [root]
    for segment in segments:
        if isinstance(segment, Literal):
            stack[-1].append(segment)
        else:
            _parse_text(segment, stack)
    if len(stack) != 1:
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
        return value.body if isinstance(value.body, bytes) else None
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
    return not any(byte < 0x20 or byte == 0x7F for byte in name)


def quote(name: bytes) -> bytes:
    """A name as a command carries it: quoted, or as a literal where quotes do not hold it (RFC 3501
    9: 7-bit). Raises AccountFault for control characters."""
    if not is_quotable(name):
        raise fault("folder_missing")
    if not name.isascii():
        return Octets(name)
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
