"""Mails on their way up: bounded for all sessions together, and no session waits for another's."""

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablage.mailbox.pull import Fetched
from ablage.mailbox.session import Session
from ablage.mailbox.syntax import Body, Stream
from ablage.store.quick_put import Outcome
from ablage.store.raw_mail import RawKey, RawMail, RawMetadata
from ablage.tenancy import TenantId
from sync.uploads import Deposit, Settled, Uploads

SESSION = cast("Session", SimpleNamespace(mailbox=SimpleNamespace(client=SimpleNamespace())))
SESSION.mailbox.client.meanwhile = lambda _: None


class FakePuts:
    """A PUT ends, the oldest first, when it is waited for."""

    def __init__(self) -> None:
        self.flying: deque[Callable[[Outcome], None]] = deque()
        self.outcome: Outcome = True

    def pump(self) -> None:
        self.flying.popleft()(self.outcome)

    def abandon(self) -> None:
        self.flying.clear()

    def until(self, line: object, seconds: float) -> None: ...


class FakeRaw:
    def __init__(self) -> None:
        self.made = FakePuts()
        self.parts: list[int] = []

    def puts(self) -> FakePuts:
        return self.made

    def start(self, puts: FakePuts, *what: Any, over: bool) -> None:
        assert not over
        puts.flying.append(what[-1])

    def multipart(self, *_: object) -> AbstractContextManager[Any]:
        def put(number: int, _piece: bytes) -> dict[str, int]:
            self.parts.append(number)
            return {"PartNumber": number}

        return nullcontext(SimpleNamespace(put=put, complete=lambda parts, over: len(parts) == 3))


def deposit(uploads: Uploads) -> tuple[Deposit, FakePuts]:
    raw = FakeRaw()
    key = RawKey("30d", TenantId("t"), "a", "f" * 16, 1, 1)
    what = key, RawMetadata("2026-11-20T10:00:00Z")
    return Deposit(uploads, cast("RawMail", raw), SESSION, lambda _: what), raw.made


def mail(uid: int, size: int = 10, body: Body = b"mail") -> Fetched:
    return Fetched(uid, size, None, (), body)


@given(st.lists(st.integers(min_value=1, max_value=120), max_size=40))
def test_what_is_underway_is_bounded_in_number_and_bytes(sizes: list[int]) -> None:
    made, puts = deposit(Uploads(puts=5, queue_bytes=100))
    settled: list[Settled] = []
    held: dict[int, int] = {}

    for uid, size in enumerate(sizes, 1):
        made.put(mail(uid, size))
        held[uid] = size
        for each in made.settled():
            settled.append(each)
            del held[each.uid]
        assert len(puts.flying) <= 5
        assert len(held) == 1 or sum(held.values()) <= 100
    while made.underway:
        settled += made.settled(wait=True)

    assert [each.size for each in settled] == sizes


def test_a_session_goes_on_though_another_holds_all_the_room() -> None:
    uploads = Uploads(puts=2, queue_bytes=100)
    greedy, other = deposit(uploads)[0], deposit(uploads)[0]
    greedy.put(mail(1))
    greedy.put(mail(2))

    for uid in (1, 2, 3):
        other.put(mail(uid))

    assert [each.uid for each in other.settled()] == [1, 2]
    assert not greedy.settled()


def test_what_is_abandoned_gives_its_room_back() -> None:
    uploads = Uploads(puts=2, queue_bytes=100)
    left, _ = deposit(uploads)
    left.put(mail(1, 50))
    left.put(mail(2, 50))

    left.abandon()

    assert not left.underway
    assert uploads.take(100, is_alone=False)


def test_a_stream_s_parts_wait_for_mails_underway_and_for_one_another() -> None:
    uploads = Uploads(puts=9, queue_bytes=100)
    made, puts = deposit(uploads)
    made.put(mail(1, 60))
    stream = Stream(180, iter([b"x" * 60] * 3))

    made.put(mail(2, 180, stream))

    assert not puts.flying
    assert made.settled() == [Settled(1, 60, is_new=True), Settled(2, 180, is_new=True)]
    assert uploads.take(100, is_alone=False)
    uploads.close()


def test_what_an_upload_died_of_is_raised() -> None:
    made, puts = deposit(Uploads())
    puts.outcome = OSError("lost")
    made.put(mail(1))

    with pytest.raises(OSError, match="lost"):
        made.settled(wait=True)
