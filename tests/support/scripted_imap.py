"""A mailbox in this process and the server in front of it, spoken to through a socket that is none:
no thread, no TLS, a clock of its own. A step of a seeded run costs microseconds, and a stalled
server no time.

`Trouble` is what a server does wrong at one command; everything else it answers as it should.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ablage.mailbox.folders import folder_id
from ablage.mailbox.network import Network

_SET = re.compile(rb"(\d+)(?::(\d+|\*))?")
RECEIVED = b"20-Nov-2026 10:00:00 +0000"


@dataclass(frozen=True)
class Mail:
    """`told` is what RFC822.SIZE says; a `poisoned` one is listed and never handed out."""

    raw: bytes
    told: int
    poisoned: bool = False


@dataclass
class ScriptedFolder:
    """`ever` holds every mail there was, by (UIDVALIDITY, UID)."""

    name: bytes
    flags: bytes
    uidvalidity: int
    next_uid: int = 1
    mails: dict[int, Mail] = field(default_factory=dict)
    ever: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @property
    def folder_id(self) -> str:
        return folder_id(self.name)

    def deliver(self, mail: Mail, gap: int = 0) -> int:
        uid = self.next_uid + gap
        self.next_uid = uid + 1
        self.mails[uid] = mail
        self.ever[self.uidvalidity, uid] = mail.raw
        return uid

    def begin_anew(self, uidvalidity: int, random: Random) -> None:
        """Every mail under another UID, in another order."""
        mails = list(self.mails.values())
        random.shuffle(mails)
        self.uidvalidity, self.next_uid, self.mails = uidvalidity, 1, {}
        for mail in mails:
            self.deliver(mail, random.choice((0, 0, 7)))


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Answer:
    """To one command: lines or literals in order, then the tagged end; `end` None for a server that
    falls silent, `hangs_up` behind what it said."""

    parts: list[bytes]
    end: bytes | None = b"OK done"
    hangs_up: bool = False


Trouble = Callable[["Asked", Answer], None]


@dataclass(frozen=True)
class Asked:
    """A command as the server sees it. `uids` of a FETCH that are there, `is_body` for bodies;
    `text` is all of it."""

    server: "ScriptedImap"
    folder: ScriptedFolder | None
    name: bytes
    uids: tuple[int, ...] = ()
    is_body: bool = False
    text: bytes = b""


@dataclass
class ScriptedImap:
    """`at` decides for each command which Trouble meets it. `round_trips` counts how often a client
    waited for an answer."""

    folders: list[ScriptedFolder]
    clock: Clock
    random: Random
    at: Callable[[Asked], Trouble | None] = lambda _asked: None
    interrupt: Callable[[], None] = lambda: None  # before each answer; may end the client
    socket: "type[ScriptedSocket] | None" = None
    connections: int = 0
    round_trips: int = 0
    host: str = "localhost"
    port: int = 993
    ca_file: str = ""

    def network(self) -> Network:
        return _ScriptedNetwork(server=self)

    def named(self, text: bytes) -> ScriptedFolder | None:
        return next((f for f in self.folders if b'"%b"' % f.name in text), None)


@dataclass(frozen=True)
class _ScriptedNetwork(Network):
    server: ScriptedImap | None = None

    def connect(self, *_: Any, **__: Any) -> Any:
        assert self.server
        self.server.connections += 1
        return (self.server.socket or ScriptedSocket)(self.server)


class ScriptedSocket:
    """What the connection uses of a TLS socket."""

    def __init__(self, server: ScriptedImap) -> None:
        self._server = server
        self._heard = bytearray()
        self._out = bytearray(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        self._timeout = 0.0
        self._open: ScriptedFolder | None = None
        self._hangs_up = self._is_silent = self._is_asked = False

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds or 0.0

    def close(self) -> None:
        self._out.clear()

    def sendall(self, data: bytes) -> None:
        self._server.interrupt()
        if self._hangs_up:
            raise BrokenPipeError
        self._heard += data
        self._is_asked = True
        while (end := self._heard.find(b"\r\n")) >= 0:
            line = bytes(self._heard[:end])
            del self._heard[: end + 2]
            if not (self._hangs_up or self._is_silent):
                self._hear(line)

    def recv(self, size: int) -> bytes:
        into = bytearray(size)
        return bytes(into[: self.recv_into(into)])

    def recv_into(self, into: Any, _size: int = 0) -> int:
        self._server.interrupt()
        self._server.round_trips += self._is_asked
        self._is_asked = False
        if not self._out:
            if self._hangs_up:
                return 0
            self._server.clock.seconds += self._timeout
            raise TimeoutError
        self._server.clock.seconds += 0.001
        most = self._server.random.choice((len(into), len(into), 4096, 61))
        size = min(len(into), len(self._out), most)
        into[:size] = self._out[:size]
        del self._out[:size]
        return size

    def _hear(self, line: bytes) -> None:
        tag, _, command = line.partition(b" ")
        asked = self._asked(command)
        trouble = self._server.at(asked)
        answer = Answer(list(self._answer(command, asked)))
        if trouble:
            trouble(asked, answer)
        self._out += b"".join(self.as_seen(asked, answer.parts))
        if answer.hangs_up:
            self._hangs_up = True
        elif answer.end is None:
            self._is_silent = True
        else:
            self._out += tag + b" " + answer.end + b"\r\n"

    def as_seen(self, _asked: Asked, parts: list[bytes]) -> list[bytes]:
        """What a client with a defect would see, in a subclass."""
        return parts

    def _asked(self, command: bytes) -> Asked:
        words = command.split(b" ")
        name = b" ".join(words[:2] if words[0] == b"UID" else words[:1]).upper()
        if name != b"UID FETCH":
            folder = self._server.named(command) or self._open
            return Asked(self._server, folder, name, text=command)
        assert self._open
        uids = tuple(_within(words[2], self._open))
        return Asked(self._server, self._open, name, uids, b"BODY" in command, command)

    def _answer(self, command: bytes, asked: Asked) -> Iterator[bytes]:
        folder = asked.folder
        if asked.name == b"LIST":
            for each in self._server.folders:
                yield b'* LIST (%b) "/" "%b"\r\n' % (each.flags, each.name)
        elif asked.name == b"STATUS" and folder:
            told = (folder.name, folder.next_uid, folder.uidvalidity, len(folder.mails))
            yield b'* STATUS "%b" (UIDNEXT %d UIDVALIDITY %d MESSAGES %d)\r\n' % told
        elif asked.name == b"EXAMINE" and folder:
            self._open = folder
            yield b"* %d EXISTS\r\n" % len(folder.mails)
            yield b"* OK [UIDVALIDITY %d] x\r\n" % folder.uidvalidity
            yield b"* OK [UIDNEXT %d] x\r\n" % folder.next_uid
        elif asked.name == b"CAPABILITY":
            yield b"* CAPABILITY IMAP4rev1\r\n"
        elif asked.name == b"UID SEARCH" and folder:
            sets = re.findall(rb"UID ([0-9:*,]+)", command)
            found = sorted({uid for wanted in sets for uid in _within(wanted, folder)})
            yield b"* SEARCH" + b"".join(b" %d" % uid for uid in found) + b"\r\n"
        elif asked.name == b"UID FETCH" and folder:
            for uid in asked.uids:
                yield fetch(folder, uid, asked.is_body)


def fetch(folder: ScriptedFolder, uid: int, is_body: bool, *, uid_last: bool = False) -> bytes:
    mail = folder.mails[uid]
    number = 1 + sorted(folder.mails).index(uid)
    facts = b'FLAGS (\\Seen) INTERNALDATE "%b" RFC822.SIZE %d' % (RECEIVED, mail.told)
    if not is_body:
        return b"* %d FETCH (UID %d %b)\r\n" % (number, uid, facts)
    if mail.poisoned:
        return b"* %d FETCH (UID %d %b BODY[] NIL)\r\n" % (number, uid, facts)
    head, tail = (b"", b" UID %d" % uid) if uid_last else (b"UID %d " % uid, b"")
    body = b"BODY[] {%d}\r\n%b" % (len(mail.raw), mail.raw)
    return b"* %d FETCH (%b%b %b%b)\r\n" % (number, head, facts, body, tail)


def _within(text: bytes, folder: ScriptedFolder) -> list[int]:
    """UIDs that are there, of a sequence set; `n:*` always holds the last."""
    found: set[int] = set()
    last = max(folder.mails, default=0)
    if text == b"*":
        return [last] if last else []
    for part in text.split(b","):
        if part == b"*":
            found.add(last)
        elif match := _SET.fullmatch(part):
            low = int(match[1])
            high = last if match[2] == b"*" else int(match[2] or low)
            low, high = min(low, high), max(low, high)
            found |= {uid for uid in folder.mails if low <= uid <= high}
    return sorted(found & folder.mails.keys())
