"""Opening a folder read-only, and searching it in the same flight.

    EXAMINE, UID SEARCH     ->
    <-  what the folder has, OK, * SEARCH 3 5, OK

EXAMINE changes what the search means, so a server must execute them in the order sent (RFC 9051
5.5); and UIDs, unlike sequence numbers, mean the same whatever is expunged meanwhile. No server is
trusted in that: a search counts only if its answer came behind the OK of EXAMINE. It is one search,
be it for two things: `* SEARCH` does not say whose it is, and Dovecot runs two side by side."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from imap_tools import AND

from ablage.mailbox.faults import fault
from ablage.mailbox.listing import FolderStatus
from ablage.mailbox.status import MAX_UID, search, uids_in
from ablage.mailbox.syntax import Answer, quote
from ablage.mailbox.wire import Wire, check_ready

_CODE = re.compile(rb"\[(UIDVALIDITY|UIDNEXT) (\d{1,10})\]", re.IGNORECASE)


@dataclass(frozen=True)
class Search:
    """For UIDs > `above`; with `since` only of mail whose INTERNALDATE may be of that day or later,
    whatever the server's time zone. Without `above` for the last mail. `beside` is asked for at the
    same moment."""

    above: int | None = None
    since: date | None = None
    beside: "Search | None" = None

    @property
    def may_find(self) -> bool:
        return self.above is None or self.above < MAX_UID

    @property
    def criteria(self) -> bytes:
        if self.above is None:
            return b"UID *"
        words = [b"UID %d:*" % (self.above + 1)]
        if self.since is not None:
            day = self.since - timedelta(days=1)
            words.append(str(AND(date_gte=day)).strip("()").encode())
        if self.beside and self.beside.may_find:
            return b"OR " + self.beside.criteria + b" (" + b" ".join(words) + b")"
        return b" ".join(words)

    def among(self, told: Iterable[int]) -> list[int]:
        """`n:*` always answers the last mail: filtered."""
        return [uid for uid in told if uid > (self.above or 0)]

    def each_among(self, told: Sequence[int]) -> "dict[Search, list[int]]":
        """What was found for either: of older mail some may be among it that was asked for by the
        other."""
        wanted = [replace(self, beside=None), *filter(None, [self.beside])]
        return {each: each.among(told) for each in wanted if each.may_find}


LAST = Search()


def uids_of(wire: Wire, wanted: Search) -> list[int]:
    """Ascending, in the open folder. Raises AccountFault."""
    return wanted.among(search(wire, wanted.criteria))


class Opening:
    """EXAMINE, sent with a search behind it. Both methods raise AccountFault, and are called in
    their order."""

    def __init__(self, wire: Wire, name: bytes, ahead: Search | None = None) -> None:
        self._wire = wire
        self._tag = wire.send(b"EXAMINE ", quote(name))
        self._ahead = ahead if ahead and ahead.may_find else None
        self._search = wire.send(b"UID SEARCH " + self._ahead.criteria) if self._ahead else b""
        self._is_in_order = True

    def opened(self) -> FolderStatus:
        """UIDVALIDITY is 0 where the server has none. Raises AccountFault `folder_missing`: one
        that cannot be opened stops no other."""
        told: dict[bytes, int] = {}

        def take(answer: Answer) -> None:
            if answer.name == b"EXISTS" and answer.number is not None:
                told[b"EXISTS"] = answer.number
            elif code := _CODE.match(answer.text):
                told[code.group(1).upper()] = int(code.group(2))
            elif answer.name == b"SEARCH":
                self._is_in_order = False

        ended = self._wire.end_of(self._tag, take)
        check_ready(ended)
        if ended.name != b"OK":
            self.found()
            raise fault("folder_missing")
        take(ended)
        return FolderStatus(told.get(b"UIDVALIDITY", 0), told.get(b"UIDNEXT"), told.get(b"EXISTS"))

    def found(self) -> dict[Search, list[int]]:
        """Empty where the answer does not count: it is to be asked for again."""
        if self._ahead is None:
            return {}
        status, answers = self._wire.finish(self._search)
        is_told = any(answer.name == b"SEARCH" for answer in answers)  # behind EXAMINE's OK
        if status != b"OK" or not is_told or not self._is_in_order:
            return {}
        return self._ahead.each_among(uids_in(answers))
