"""What is stored and no cursor is behind: a killed worker's, or another job's. S3 is asked, so that
it is not fetched again. A walk may then be far ahead of its cursor, and write that seldom."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import InitVar, dataclass, field

from ablage.mailbox.status import Listed
from ablage.store.raw_mail import RawKey, RawMail

LOOK_BYTES = 512 * 1024  # of mail to be fetched: less is rather fetched again than asked for
LOOK_MAILS = 250  # S3 is asked for at once

Submit = Callable[[Callable[[], set[int]]], "Future[set[int]]"]


@dataclass
class Kept:
    """Of a walk over `uids`, in its order; `key` tells where a mail is stored, `submit` works
    beside: S3 is asked while the mail server lists, where there are many. A killed worker leaves
    mail just beyond its cursor: LOOK_MAILS of which none is there end the looking, unless it
    `looks_on`."""

    raw: RawMail
    key: Callable[[int], RawKey]
    uids: InitVar[Sequence[int]]
    submit: InitVar[Submit]
    looks_on: bool = False
    _seen: set[int] = field(default_factory=set, init=False)
    _known: set[int] = field(default_factory=set, init=False)
    _bytes: int = field(default=0, init=False)
    _first: "Future[set[int]] | None" = field(default=None, init=False)

    def __post_init__(self, uids: Sequence[int], submit: Submit) -> None:
        self._left = [uids[at : at + LOOK_MAILS] for at in range(0, len(uids), LOOK_MAILS)][::-1]
        if len(uids) >= LOOK_MAILS:
            self._first = submit(lambda: self._stored(uids[:LOOK_MAILS]))

    def known(self, listed: Iterable[Listed]) -> set[int]:
        """UIDs of those that are stored, as far as is known."""
        sizes = {mail.uid: mail.size for mail in listed}
        self._bytes += sum(sizes.values())
        if self._first or self._bytes >= LOOK_BYTES:
            while self._left and not sizes.keys() <= self._seen:
                self._look(self._left.pop())
        return self._known & sizes.keys()

    def _look(self, uids: Sequence[int]) -> None:
        found = self._first.result() if self._first and not self._seen else self._stored(uids)
        self._seen.update(uids)
        self._known |= found
        if not (found or self.looks_on):
            self._left.clear()

    def _stored(self, uids: Sequence[int]) -> set[int]:
        keys = {self.key(uid): uid for uid in uids}
        return {keys[key] for key in self.raw.stored(keys)}
