"""An address list (RFC 5322 3.4 and 4.4, and what mailers make of it) -> its mailboxes.

Split first, decode encoded-words afterwards: a decoded display name can hold `, <victim@x.de>`.
An address never comes from a display name. One pass over tokens: linear in the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ablage.addresses import Address, normalise
from ablage.encoded_words import ENCODED_WORD, decode_words
from ablage.limits import MAILBOXES

_TOKEN = re.compile(
    rf"({ENCODED_WORD})"
    r"|[^\s\"(),:;<>@\[\]\\=]++"
    r"|\s++"
    r"|\[[^\[\]<>@\"]*+\]"
    r"|[\s\S]"
)
# One entry as nearly all are written, with the comma behind it. What it does not match, and what
# has no usable address, is read token by token.
_SPEC = r"[^\s\"(),:;<>@\[\]\\=']++@[^\s\"(),:;<>@\[\]\\=']++"
_USUAL_ENTRY = re.compile(
    rf'\s*+(?:(?:"([^"\\]*+)"|((?:[^"(),:;<>@\[\]\\=]++|{ENCODED_WORD})*+))\s*+<({_SPEC})>'
    rf"|({_SPEC}))\s*+(?:,|\Z)"
)
_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_COMMENT_PART = re.compile(r"\\.|[()]", re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_TEXT = 300  # characters kept of what cannot be parsed, and of a name
_NAME = 16 * 1024  # characters of a name that are decoded for them


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`name` decoded, never a source of addresses; `text` the addr-spec as written, or, where there
    is no usable address, the whole entry as written."""

    name: str
    address: Address | None
    text: str


def split_mailboxes(text: str) -> tuple[Mailbox, ...]:
    """The mailboxes of an address field, groups flattened, at most MAILBOXES. Never raises."""
    found, rest = _usual_entries(text)
    if not rest or len(found) >= MAILBOXES:
        return tuple(found)
    entry = _Entry()
    for kind, part in _tokens(rest):
        if entry.takes(kind, part):
            continue
        found += entry.mailboxes()
        if len(found) >= MAILBOXES:
            return tuple(found)
        entry = _Entry()
        if kind == "<":
            entry.takes(kind, part)
    return (*found, *entry.mailboxes())


def _usual_entries(text: str) -> tuple[list[Mailbox], str]:
    """The mailboxes of the entries at the front that are written as usual, and what is left."""
    found: list[Mailbox] = []
    end = 0
    while len(found) < MAILBOXES and (entry := _USUAL_ENTRY.match(text, end)):
        quoted, words, in_brackets, bare = entry.groups()
        spec = bare or in_brackets
        address = _address(spec)
        if address is None:
            break
        found.append(Mailbox(_shown(quoted or words or ""), address, spec))
        end = entry.end()
    return found, text[end:]


def strip_comments(text: str) -> str:
    """`text` with each balanced comment replaced by a blank. Linear."""
    if "(" not in text:
        return text
    return "".join(" " if kind == "comment" else part for kind, part in _tokens(text))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """(kind, text): word, quoted, comment, blank, or a special character as its own kind.

    A quote or comment that does not close is a blank; that is looked for only once, since a second
    search from further right would make hostile input quadratic.
    """
    position, quotes, comments = 0, True, True
    while position < len(text):
        character = text[position]
        end = 0
        if character == '"' and quotes:
            closed = _QUOTED.match(text, position)
            end, quotes = (closed.end(), True) if closed else (0, False)
        elif character == "(" and comments:
            end = _comment_end(text, position)
            comments = end > 0
        if end:
            yield ("quoted" if character == '"' else "comment"), text[position:end]
            position = end
            continue
        found = _TOKEN.match(text, position)
        word = found[0] if found else character
        yield _kind(word), word
        position += len(word)


def _kind(part: str) -> str:
    if part in "<>@,;:":
        return part
    return "blank" if part.isspace() or part in '"()' else "word"


def _comment_end(text: str, start: int) -> int:
    """The offset behind the comment that opens at `start`, or 0 if it does not close."""
    depth = 0
    for found in _COMMENT_PART.finditer(text, start):
        if found[0] in "()":
            depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.end()
    return 0


@dataclass(slots=True)
class _Entry:
    """One entry while it is read: the words before the angle bracket, and those inside it.

    What a separator means depends on what was read; flags keep that from being looked for again.
    """

    phrase: list[str] = field(default_factory=list)
    angle: list[str] | None = None
    comment: str = ""
    inside: bool = False
    phrase_started: bool = False
    phrase_has_at: bool = False
    angle_has_at: bool = False  # other than the first, which begins a source route

    def takes(self, kind: str, part: str) -> bool:
        """Read a token; False if the entry ends before it (a separator, or another bracket)."""
        if kind == "<":
            return self._open()
        if kind == "comment":
            self.comment = self.comment or part[1:-1]
            part = " "
        if kind == "blank":
            part = " "
        if self.inside:
            return self._takes_inside(kind, part)
        return self._takes_outside(kind, part)

    def _open(self) -> bool:
        """A second bracket starts a new entry where the first holds an address: a comma is
        missing. In `<<a@x.de>>` the inner one counts."""
        if self.angle_has_at and not self.inside:
            return False
        self.angle, self.inside, self.angle_has_at = [], True, False
        return True

    def _takes_inside(self, kind: str, part: str) -> bool:
        angle = self.angle if self.angle is not None else []
        if kind == ">":
            self.inside = False
        elif kind == ":" and angle and (angle[0] == "@" or "".join(angle[:2]).lower() == "mailto"):
            self.angle_has_at = False
            angle.clear()  # behind a source route (RFC 5322 4.4), or a link pasted as an address
        elif kind in ",;" and self.angle_has_at and angle[0] != "@":
            return False  # the bracket never closed
        else:
            self.angle_has_at = self.angle_has_at or (kind == "@" and bool(angle))
            angle.append(part)
        return True

    def _takes_outside(self, kind: str, part: str) -> bool:
        if kind == ";":
            return False
        if kind == ",":
            if self.angle is not None or self.phrase_has_at or not self.phrase_started:
                return False
            self.phrase.append(part)  # unquoted `Doe, Jane <jane@x.de>`
        elif kind == ":" and self.angle is None and not self.phrase_has_at:
            self.phrase.clear()  # the name of a group
            self.phrase_started = False
        elif kind != ">":
            self.phrase.append(part)
            self.phrase_started = self.phrase_started or part != " "
            self.phrase_has_at = self.phrase_has_at or kind == "@"
        return True

    def mailboxes(self) -> list[Mailbox]:
        """What the entry holds; nothing if it is blank."""
        if self.angle is not None:
            return [self._bracketed(self.angle)]
        written = "".join(self.phrase).strip()
        if not written:
            return []
        words, specs = _bare(self.phrase)
        name = _name(words) or _name([self.comment])
        found = [Mailbox(name, address, spec) for spec in specs if (address := _address(spec))]
        return found or [Mailbox(name, None, written[:_TEXT])]

    def _bracketed(self, angle: list[str]) -> Mailbox:
        spec = _tight(angle)
        address = _address(spec)
        name = _name(self.phrase) or _name([self.comment])
        written = spec if address else f"{''.join(self.phrase).strip()} <{spec}>".strip()
        return Mailbox(name, address, written[:_TEXT] if not address else written)


def _address(spec: str) -> Address | None:
    """None for an encoded-word inside the addr-spec (RFC 2047 5 forbids it) and for two `@`."""
    return None if "=?" in spec and "?=" in spec else normalise(spec)


def _tight(words: list[str]) -> str:
    """The addr-spec in a bracket; blanks round `.` and `@` are obsolete syntax (RFC 5322 4.4)."""
    out = ""
    parts: list[str] = []
    for word in words:
        if word == " " and (not out or out[-1] in ".@ "):
            continue
        if out == " " and word[0] in ".@":
            parts.pop()
        parts.append(word)
        out = word
    return "".join(parts).strip()


def _chunks(words: list[str]) -> list[list[str]]:
    """The words of an entry without a bracket, split at blanks and commas, except round `@` and a
    `.` that stands alone (RFC 5322 4.4)."""
    chunks: list[list[str]] = [[]]
    open_end = False
    for word in words:
        if word in (" ", ","):
            open_end = bool(chunks[-1]) and chunks[-1][-1] in ("@", ".") and word == " "
            if chunks[-1] and not open_end:
                chunks.append([])
            continue
        if not chunks[-1] and word[0] in "@." and len(chunks) > 1:
            chunks.pop()
        chunks[-1].append(word)
    return [chunk for chunk in chunks if chunk]


def _bare(words: list[str]) -> tuple[list[str], list[str]]:
    """An entry without a bracket: (display words, addr-specs). There is one if a single `@` is in
    it, several if it is nothing but addresses whose commas are missing, else none."""
    chunks = _chunks(words)
    specs = [chunk for chunk in chunks if chunk.count("@") == 1]
    if words.count("@") != len(specs) or (len(specs) > 1 and len(specs) < len(chunks)):
        return words, []
    shown = [" ".join("".join(chunk) for chunk in chunks if "@" not in chunk)]
    return shown, [_unquoted("".join(chunk)) for chunk in specs]


def _unquoted(spec: str) -> str:
    """Without the apostrophes some mailers put round an address."""
    return spec[1:-1] if len(spec) > 2 and spec[0] == spec[-1] == "'" else spec


def _name(words: list[str]) -> str:
    parts = (_QUOTED_PAIR.sub(r"\1", w[1:-1]) if w[:1] == '"' and len(w) > 1 else w for w in words)
    return _shown("".join(parts))


def _shown(name: str) -> str:
    return " ".join(decode_words(name[:_NAME]).split())[:_TEXT]
