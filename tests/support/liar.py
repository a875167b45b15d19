"""An IMAP server in the same process that lies as a script says, a lie a command, and remembers
what it said [T08]."""

import random
import re
from dataclasses import dataclass, field

from ablage.errors import AccountFault

UIDS = (1, 2, 3, 5, 8, 13, 40, 2**32 - 1)
LIES = [
    *("honest", "empty", "no", "no after some", "bad", "bye", "hang up", "garbage", "cut"),
    *("foreign", "huge uid", "uid zero", "no uid", "twice", "uid behind", "nil", "zero", "flags"),
    *("too long", "too short", "two uids", "reversed", "other tag", "one less", "shrinks", "more"),
    *("throttled", "bare cr", "huge literal", "unavailable"),
]
_SET = re.compile(rb"W\d+ UID (?:FETCH|SEARCH UID) ([\d:,*]+)")


@dataclass
class Folder:
    """`asked`: UIDs whose bodies were asked for. `said`: bodies under each UID. `denied`: UIDs that
    were asked about and not named; `named` in a listing."""

    uids: tuple[int, ...] = UIDS
    asked: set[int] = field(default_factory=set)
    said: dict[int, set[bytes]] = field(default_factory=dict)
    denied: set[int] = field(default_factory=set)
    named: set[int] = field(default_factory=set)


class Liar:
    """A transport. One lie of `script` for each command, then the truth."""

    def __init__(self, folder: Folder, script: list[str], draw: random.Random) -> None:
        self._folder = folder
        self._script = script
        self._draw = draw
        self._out = b""
        self._is_open = True

    def readline(self) -> bytes:
        line, end, self._out = self._out.partition(b"\n")
        if not end:
            raise AccountFault("server_hung_up", "")
        return line + end

    def take(self, size: int) -> bytes:
        data, self._out = self._out[:size], self._out[size:]
        if len(data) < size:
            raise AccountFault("server_hung_up", "")
        return data

    def send(self, data: bytes) -> None:
        if not self._is_open:
            raise AccountFault("server_hung_up", "")
        lie = self._script.pop() if self._script else "honest"
        tag = data.split(b" ", 1)[0]
        uids = self._meant(data)
        if b"SEARCH" in data:
            answers = self._searched(lie, uids)
        elif b"BODY" in data:
            self._folder.asked |= set(uids)
            answers = self._bodies(lie, [uid for uid in uids if uid in self._folder.uids])
        else:
            answers = self._sizes(lie, [uid for uid in uids if uid in self._folder.uids])
        self._say(lie, tag, answers)

    def _meant(self, data: bytes) -> list[int]:
        found = _SET.match(data)
        if not found:
            return list(self._folder.uids)
        meant: list[int] = []
        for part in found[1].split(b","):
            low, _, high = part.partition(b":")
            if high == b"*":
                above = [uid for uid in self._folder.uids if uid >= int(low)]
                meant += above or self._folder.uids[-1:]
            elif low == b"*":
                meant += self._folder.uids[-1:]
            else:
                meant += range(int(low), int(high or low) + 1)
        return meant

    def _searched(self, lie: str, uids: list[int]) -> list[bytes]:
        there = [uid for uid in uids if uid in self._folder.uids]
        if lie in ("empty", "nil"):
            there = []
        elif lie in ("one less", "shrinks"):
            there = there[:-1]
        elif lie == "reversed":
            there = there[::-1]
        elif lie == "twice":
            there = there * 2
        told = list(there)
        if lie in ("foreign", "more", "huge uid", "uid zero"):
            told += [999, 2**32, 2**64, 0]
        if lie not in ("bad", "no", "bye", "hang up", "cut", "garbage", "throttled", "other tag"):
            self._folder.denied |= set(uids) - set(told)
            self._folder.named |= set(there)
        return [b"* SEARCH" + b"".join(b" %d" % uid for uid in told) + b"\r\n"]

    def _sizes(self, lie: str, uids: list[int]) -> list[bytes]:
        size = {"too long": 10**9, "too short": 0, "zero": 0, "more": 10**19}.get(lie, 9)
        line = b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n"
        answers = [line % (n, uid, size) for n, uid in enumerate(uids, 1)]
        return self._shuffled(lie, answers, line % (9, 999, 5))

    def _bodies(self, lie: str, uids: list[int]) -> list[bytes]:
        answers = [self._body(lie, uid) for uid in uids]
        return self._shuffled(lie, answers, self._body("honest", 999))

    def _shuffled(self, lie: str, answers: list[bytes], foreign: bytes) -> list[bytes]:
        if lie in ("empty", "nil"):
            return []
        if lie in ("one less", "no after some", "unavailable"):
            return answers[:-1]
        if lie == "foreign":
            return [foreign, *answers, foreign]
        if lie == "twice":
            return answers * 2
        return answers[::-1] if lie == "reversed" else answers

    def _body(self, lie: str, uid: int) -> bytes:
        body = b"%d says %d" % (uid, self._draw.randrange(10**6))
        told = b"%d" % {"huge uid": 2**64 + uid, "uid zero": 0}.get(lie, uid)
        self._folder.said.setdefault(uid, set()).add(body)
        literal = b"{%d}\r\n" % len(body) + body
        if lie == "flags":
            return b"* 1 FETCH (UID %b FLAGS (\\Seen))\r\n" % told
        if lie == "no uid":
            return b"* 1 FETCH (BODY[] %b)\r\n" % literal
        if lie == "uid behind":
            return b"* 1 FETCH (BODY[] %b UID %b)\r\n" % (literal, told)
        if lie == "two uids":
            return b"* 1 FETCH (UID %b UID 1 BODY[] %b)\r\n" % (told, literal)
        odd = {
            "nil": b"NIL",
            "zero": b"{0}\r\n",
            "too long": b"{%d}\r\n" % (len(body) + 3) + body,
            "too short": b"{%d}\r\n" % (len(body) - 3) + body,
            "huge literal": b"{4294967296}\r\n" + body,
        }
        return b"* 1 FETCH (UID %b BODY[] %b)\r\n" % (told, odd.get(lie, literal))

    def _say(self, lie: str, tag: bytes, answers: list[bytes]) -> None:
        said = b"".join(answers)
        if lie in ("bye", "hang up", "cut"):
            self._is_open = False
            end = {"bye": b"* BYE\r\n", "hang up": b""}.get(lie)
            self._out += said[: len(said) // 2] if end is None else end
            return
        ends = {
            "no": b" NO no\r\n",
            "no after some": b" NO some\r\n",
            "bad": b" BAD what\r\n",
            "unavailable": b" NO [UNAVAILABLE]\r\n",
            "throttled": b" BAD Request is throttled. Suggested Backoff Time: 9 milliseconds\r\n",
        }
        if lie == "garbage":
            said = b"\x00\xffgarbage\r\n"
        if lie == "bare cr":
            said = said.replace(b"\r\n", b"\n")
        tag = b"W99999" if lie == "other tag" else tag
        self._out += said + tag + ends.get(lie, b" OK done\r\n")
