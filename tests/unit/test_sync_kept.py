"""When S3 is asked what it has of the mails to be fetched, and when no more."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from ablage.mailbox.status import Listed
from ablage.store.raw_mail import RawKey, RawMail
from ablage.tenancy import TenantId
from sync.kept import LOOK_BYTES, LOOK_MAILS, Kept


@dataclass
class Bucket:
    there: set[int]
    asked: list[int] = field(default_factory=list)

    def stored(self, keys: Iterable[RawKey]) -> set[RawKey]:
        asked = list(keys)
        self.asked.append(len(asked))
        return {key for key in asked if key.uid in self.there}


def kept(bucket: Bucket, *, looks_on: bool = False) -> Kept:
    def key(uid: int) -> RawKey:
        return RawKey("30d", TenantId("acme"), "box", "0123456789abcdef", 7, uid)

    return Kept(cast("RawMail", bucket), key, looks_on)


def mails(low: int, high: int, size: int = LOOK_BYTES) -> list[Listed]:
    return [Listed(uid, size, None) for uid in range(low, high)]


def test_little_mail_is_not_looked_for_until_it_is_much() -> None:
    bucket = Bucket({1, 2, 3})
    looking = kept(bucket)

    assert looking.known(mails(1, 2, LOOK_BYTES - 1)) == set()
    assert bucket.asked == []
    assert looking.known(mails(2, 4, 1)) == {2, 3}


def test_a_thousand_of_which_none_is_there_end_the_looking() -> None:
    bucket = Bucket({1, 1500, 9999})
    looking = kept(bucket)

    assert looking.known(mails(1, 3 * LOOK_MAILS + 1)) == {1, 1500}
    assert bucket.asked == [LOOK_MAILS] * 3
    assert looking.known(mails(9999, 10_000)) == set()
    assert bucket.asked == [LOOK_MAILS] * 3


def test_whoever_looks_on_sees_all() -> None:
    bucket = Bucket({1, 5000})
    looking = kept(bucket, looks_on=True)

    assert looking.known(mails(1, 2 * LOOK_MAILS + 1)) == {1}
    assert looking.known(mails(2001, 5001)) == {5000}
