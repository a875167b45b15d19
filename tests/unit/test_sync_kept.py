"""When S3 is asked what it has of the mails to be fetched, and when no more."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
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


def kept(bucket: Bucket, uids: Sequence[int], *, looks_on: bool = False) -> Kept:
    def key(uid: int) -> RawKey:
        return RawKey("30d", TenantId("acme"), "box", "0123456789abcdef", 7, uid)

    def submit(work: Callable[[], set[int]]) -> "Future[set[int]]":
        future: Future[set[int]] = Future()
        future.set_result(work())
        return future

    return Kept(cast("RawMail", bucket), key, uids, submit, looks_on)


def mails(uids: Iterable[int], size: int = LOOK_BYTES) -> list[Listed]:
    return [Listed(uid, size, None) for uid in uids]


def test_little_mail_is_not_looked_for_until_it_is_much() -> None:
    bucket = Bucket({1, 2, 3})
    looking = kept(bucket, [3, 2, 1])

    assert looking.known(mails([3], LOOK_BYTES - 1)) == set()
    assert bucket.asked == []
    assert looking.known(mails([2, 1], 1)) == {1, 2}
    assert bucket.asked == [3]


def test_many_mails_are_looked_for_before_their_sizes_are_known() -> None:
    bucket = Bucket({3})
    uids = range(LOOK_MAILS, 0, -1)

    looking = kept(bucket, uids)

    assert bucket.asked == [LOOK_MAILS]
    assert looking.known(mails(uids[:10], 1)) == set()
    assert looking.known(mails(uids[10:], 1)) == {3}
    assert bucket.asked == [LOOK_MAILS]


def test_some_of_which_none_is_there_end_the_looking() -> None:
    second, fifth = LOOK_MAILS + 7, 4 * LOOK_MAILS + 7
    bucket = Bucket({1, second, fifth})
    looking = kept(bucket, range(1, 5 * LOOK_MAILS + 1))

    assert looking.known(mails(range(1, 5 * LOOK_MAILS + 1))) == {1, second}
    assert bucket.asked == [LOOK_MAILS] * 3
    assert looking.known(mails([fifth])) == set()
    assert bucket.asked == [LOOK_MAILS] * 3


def test_no_further_than_was_listed_is_looked() -> None:
    bucket = Bucket({1, LOOK_MAILS + 1})
    looking = kept(bucket, range(1, 5 * LOOK_MAILS + 1))

    assert looking.known(mails(range(1, LOOK_MAILS + 1))) == {1}
    assert bucket.asked == [LOOK_MAILS]


def test_whoever_looks_on_sees_all() -> None:
    bucket = Bucket({1, 5000})
    looking = kept(bucket, range(1, 5001), looks_on=True)

    assert looking.known(mails(range(1, 2001))) == {1}
    assert looking.known(mails(range(2001, 5001))) == {5000}
