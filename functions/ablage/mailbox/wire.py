"""Commands out, answers in, one at a time as they come (RFC 9051 section 7).

imaplib pools answers and pairs them blindly; here each answer is whole before anybody looks at it,
a literal stands where the server put it, and what does not parse is a fault of this connection,
never half a mail."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from ablage.limits import SINGLE_PUT_BYTES
from ablage.mailbox.connection import LITERAL_BYTES
from ablage.mailbox.faults import fault, outage, recognised
from ablage.mailbox.syntax import (
    Answer,
    Literal,
    Octets,
    Segment,
    Stream,
    is_quotable,
    parse,
)

MAX_LITERALS = 64  # in one answer
HELD_BYTES = 16 * 1024 * 1024  # of the answers to one command that is no fetch of bodies
ANSWER_BYTES = 256  # that the shortest line counts for: objects are larger than their text
PIECE_BYTES = 5 * 1024 * 1024  # of a large literal: the least S3 takes as a part

_LITERAL = re.compile(rb"~?\{(\d{1,10})\+?\}\r\n\Z")
_STATUS_ANSWERS = {b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"}
_LISTINGS = {b"LIST", b"XLIST", b"LSUB", b"STATUS", b"NAMESPACE"}  # `ablage.mailbox.listing`
_OUR_TAG = re.compile(rb"W\d+")
_HEAD = re.compile(rb"(\S+) (?:(\d{1,10}) )?([A-Za-z0-9-]+)")
_BARE = re.compile(rb"\* \d{1,10} FETCH \(UID (\d{1,10}) BODY\[\] \{(\d{1,10})\}\r\n")
_END = b")\r\n"


class Transport(Protocol):
    def readline(self) -> bytes: ...
    def take(self, size: int) -> bytes: ...
    def send(self, data: bytes) -> None: ...


@dataclass(frozen=True)
class Bare:
    """A mail in the shape nearly every server gives it: `* n FETCH (UID uid BODY[] {size}`."""

    uid: int
    body: bytes = field(repr=False)


class Wire:
    """Sends commands with tags of its own and reads answers. `literal_bytes` bounds each
    literal."""

    def __init__(self, transport: Transport, literal_bytes: int = LITERAL_BYTES) -> None:
        self._transport = transport
        self._sent = 0
        self._ended: dict[bytes, Answer] = {}
        self._early: deque[Answer] = deque()  # came while we waited to send a literal
        self._stream: Stream | None = None
        self._read = 0  # bytes of lines and small literals
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
        begin = self._read
        while tag not in self._ended:
            answer = self._next()
            self._check_held(begin)
            check_alive(answer)
            if answer.tag == b"+":
                return True
            if answer.tag == b"*":
                self._early.append(answer)
            else:
                self._ended[answer.tag] = answer
        return False

    def read(self) -> Answer:
        """The next answer, whole but for a stream. Raises AccountFault."""
        return self._early.popleft() if self._early else self._next()

    def _next(self) -> Answer:
        return self._answer(self._line())

    def read_mail(self, row: re.Pattern[bytes] | None = None) -> Answer | Bare | re.Match[bytes]:
        """As `read`, at a fifth of the CPU for the mails of most servers, and for a line that is
        all `row`."""
        if self._early:
            return self._early.popleft()
        line = self._line()
        bare = _BARE.fullmatch(line)
        if bare is None:
            return (row and row.fullmatch(line)) or self._answer(line)
        size = int(bare[2])
        if size > min(SINGLE_PUT_BYTES, self.literal_bytes):
            return self._answer(line)
        body = self._transport.take(size)
        tail = self._line()
        if tail == _END:
            return Bare(int(bare[1]), body)
        return self._answer(line, Literal(size, body), tail)

    def _answer(self, line: bytes, literal: Literal | None = None, tail: bytes = b"") -> Answer:
        """`literal` ends `line` and `tail` follows it, where they are read already."""
        head = _HEAD.match(line)
        if head is None:
            return _odd(line)
        tag, count, name = head.group(1), head.group(2), head.group(3).upper()
        if tag not in {b"*", b"+"} and not _OUR_TAG.fullmatch(tag):
            raise fault("protocol_error")
        if tag != b"*" or name in _STATUS_ANSWERS:
            return Answer(tag, name, text=line[head.end() :].strip())
        segments: list[Segment] = []
        if literal:
            begin = _LITERAL.search(line)
            segments += [line[head.end() : begin.start() if begin else None], literal]
            line, start = self._behind_literal(tail, name), 0
        else:
            start = head.end()
        segments = self._segments(segments, line, start, name)
        if name in _LISTINGS:
            return Answer(tag, name, segments=segments)
        last = segments[-1]
        if isinstance(last, Literal) and isinstance(last.body, Stream):
            self._stream = last.body
            return Answer(tag, name, parse(segments, is_whole=False), stream=last.body)
        return Answer(tag, name, parse(segments), number=int(count) if count else None)

    def finish(self, tag: bytes, *, may_be_busy: bool = False) -> tuple[bytes, list[Answer]]:
        """Status of the command (`OK`, `NO`, `BAD`) and the answers before it. Raises AccountFault,
        also for a server that is busy unless it `may_be_busy`."""
        answers: list[Answer] = []
        ended = self.end_of(tag, answers.append)
        if not may_be_busy:
            check_ready(ended)
        return ended.name, answers

    def end_of(
        self, tag: bytes, take: Callable[[Any], None], row: re.Pattern[bytes] | None = None
    ) -> Answer:
        """The end of the command; `take` gets each Answer before it, so that nobody need hold them
        all. A line that is all `row` is given as it matched: parsing it costs five times the CPU.
        Raises AccountFault."""
        begin = self._read
        while self._early or tag not in self._ended:
            answer = self._early.popleft() if self._early else self._row_or_answer(row)
            self._check_held(begin)
            if isinstance(answer, re.Match):
                take(answer)
                continue
            check_alive(answer)
            if answer.tag == b"*":
                take(answer)
            else:
                self._ended[answer.tag] = answer
        return self._ended.pop(tag)

    def _check_held(self, begin: int) -> None:
        if self._read - begin > HELD_BYTES:
            raise fault("budget_exceeded")

    def _row_or_answer(self, row: re.Pattern[bytes] | None) -> Answer | re.Match[bytes]:
        line = self._line()
        return (row and row.fullmatch(line)) or self._answer(line)

    def _line(self) -> bytes:
        if self._stream:
            stream, self._stream = self._stream, None
            stream.skip()
        line = self._transport.readline()
        self._read += max(len(line), ANSWER_BYTES)
        if not line.endswith(b"\r\n"):
            raise fault("protocol_error")
        return line

    def _segments(
        self, segments: list[Segment], line: bytes, start: int, name: bytes
    ) -> list[Segment]:
        """What is left of an answer, behind `segments`; up to and with a stream."""
        while literal := _LITERAL.search(line, start):
            if len(segments) > 2 * MAX_LITERALS:
                raise fault("protocol_error")
            size = int(literal.group(1))
            segments += [line[start : literal.start()]]
            if size > self.literal_bytes:
                raise fault("budget_exceeded")
            if size > SINGLE_PUT_BYTES:
                return [*segments, self._streamed(size, list(segments), name)]
            segments.append(Literal(size, self._transport.take(size)))
            self._read += size
            start = 0
            line = self._behind_literal(self._line(), name)
        return [*segments, line[start:]]

    def _behind_literal(self, line: bytes, name: bytes) -> bytes:
        """Some servers send an empty line there [cpython#88574]."""
        return self._line() if line == b"\r\n" and name == b"FETCH" else line

    def _streamed(self, size: int, before: list[Segment], name: bytes) -> Literal:
        def pieces() -> Iterator[bytes]:
            left = size
            while left > PIECE_BYTES:
                yield self._transport.take(PIECE_BYTES)
                left -= PIECE_BYTES
            last = self._transport.take(left)
            self._stream = None
            line = self._behind_literal(self._line(), name)
            rest = self._segments([*before, literal], line, 0, name)
            if isinstance(rest[-1], Literal):  # a second one
                raise fault("protocol_error")
            stream.check(Answer(b"*", name, parse(rest)))
            yield last

        stream = Stream(size, pieces())
        literal = Literal(size, stream)
        return literal


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
