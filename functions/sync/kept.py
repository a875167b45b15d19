"""What is stored and no cursor is behind: a killed worker's, or another job's. S3 is asked, so that
it is not fetched again. A walk may then be far ahead of its cursor, and write that seldom."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ablage.mailbox.status import Listed
from ablage.store.raw_mail import RawKey, RawMail

LOOK_BYTES = 512 * 1024  # of mail to be fetched: less is rather fetched again than asked for
LOOK_MAILS = 1000  # a page of S3's listing


@dataclass
class Kept:
    """Of one walk; `key` tells where a mail is stored. A killed worker leaves mail just beyond its
    cursor: the first thousand of which none is there end the looking, unless it `looks_on`."""

    raw: RawMail
    key: Callable[[int], RawKey]
    looks_on: bool = False
    _bytes: int = field(default=0, init=False)
    _is_over: bool = field(default=False, init=False)

    def known(self, listed: Iterable[Listed]) -> set[int]:
        """UIDs of those that are stored, as far as is known. In the order of the walk."""
        mails = list(listed)
        self._bytes += sum(mail.size for mail in mails)
        if self._bytes < LOOK_BYTES:
            return set()
        known: set[int] = set()
        for start in range(0, len(mails), LOOK_MAILS):
            if self._is_over:
                break
            found = self._stored([mail.uid for mail in mails[start : start + LOOK_MAILS]])
            self._is_over = not (found or self.looks_on)
            known |= found
        return known

    def _stored(self, uids: Sequence[int]) -> set[int]:
        keys = {self.key(uid): uid for uid in uids}
        return {keys[key] for key in self.raw.stored(keys)}
