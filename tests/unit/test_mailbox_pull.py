"""The pull: as many in flight as go well, and what does not come is narrowed down."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablage.errors import AccountFault
from ablage.limits import SINGLE_PUT_BYTES
from ablage.mailbox.pace import LEAST_SET_BYTES, MOST, MOST_AHEAD, Pace
from ablage.mailbox.pull import (
    BATCH_BYTES,
    BATCH_MAILS,
    FLIGHT_BYTES,
    Fetched,
    Missed,
    batches,
    pull,
)
from ablage.mailbox.status import Listed, list_sizes
from ablage.mailbox.syntax import Stream
from ablage.mailbox.wire import Wire


class Server:
    """Answers one command after another; UIDs of `sick` make it say `status` and give nothing of
    them. `most`: the longest set it takes. Counts how far commands ran ahead."""

    def __init__(
        self,
        sizes: dict[int, int],
        sick: Iterable[int] = (),
        status: bytes = b"NO some could not be fetched",
        most: int = 10**6,
        shape: bytes = b"* 1 FETCH (UID %d BODY[] {%d}\r\n%b)\r\n",
    ) -> None:
        self.sizes = sizes
        self.sick = set(sick)
        self.commands: list[list[int]] = []
        self.ahead = 0
        self._status = status
        self._most = most
        self._shape = shape
        self._waiting: list[bytes] = []
        self._said = b""

    def send(self, data: bytes) -> None:
        self._waiting.append(data)
        self.ahead = max(self.ahead, len(self._waiting) + bool(self._said))

    def readline(self) -> bytes:
        if not self._said:
            self._said = self._answer(self._waiting.pop(0))
        line, _, self._said = self._said.partition(b"\r\n")
        return line + b"\r\n"

    def take(self, size: int) -> bytes:
        taken, self._said = self._said[:size], self._said[size:]
        return taken

    def _answer(self, command: bytes) -> bytes:
        words = command.split()
        tag, uid_set = words[0], words[3]
        if len(uid_set) > self._most:
            return tag + b" BAD command line too long\r\n"
        uids = [uid for part in uid_set.split(b",") for uid in _range(part)]
        if b"SEARCH" in command:
            there = b"".join(b" %d" % uid for uid in uids_of(words[4]) if uid in self.sizes)
            return b"* SEARCH" + there + b"\r\n" + tag + b" OK\r\n"
        self.commands.append(uids)
        there_uids = [uid for uid in uids if uid in self.sizes]
        if b"BODY" not in command:
            rows = [
                b"* 1 FETCH (UID %d RFC822.SIZE %d)\r\n" % (u, self.sizes[u]) for u in there_uids
            ]
            return b"".join(rows) + tag + b" OK\r\n"
        told = [self._mail(uid) for uid in there_uids if uid not in self.sick]
        status = self._status if self.sick & set(uids) else b"OK"
        return b"".join(told) + tag + b" " + status + b"\r\n"

    def _mail(self, uid: int) -> bytes:
        body = b"%d" % uid + b"x" * (self.sizes[uid] - len(b"%d" % uid))
        return self._shape % (uid, len(body), body)


def uids_of(uid_set: bytes) -> list[int]:
    return [uid for part in uid_set.split(b",") for uid in _range(part)]


def _range(part: bytes) -> range:
    low, _, high = part.partition(b":")
    return range(int(low), int(high or low) + 1) if low.isdigit() else range(0)


def listed(server: Server) -> list[Listed]:
    return [Listed(uid, size, None) for uid, size in server.sizes.items()]


def test_batches_are_cut_by_bytes_and_by_number() -> None:
    small = [Listed(uid, 10, None) for uid in range(1, 251)]
    mixed = [Listed(1, 10, None), Listed(2, BATCH_BYTES + 1, None), Listed(3, 10, None)]

    assert [len(batch) for batch in batches(small)] == [BATCH_MAILS, BATCH_MAILS, 50]
    assert [[mail.uid for mail in batch] for batch in batches(mixed)] == [[1], [2], [3]]


def test_a_pace_doubles_with_clean_rounds_and_ends_at_one_with_trouble() -> None:
    pace = Pace()
    depths = [pace.depth]
    for _ in range(4 + 8 + 8):
        pace.clean()
        depths.append(pace.depth)

    assert depths[0] == 4
    assert depths[4] == 8
    assert depths[12:] == [MOST] * 9
    pace.trouble()
    for _ in range(20):
        pace.clean()
    assert (pace.depth, pace.had_trouble) == (1, True)


def test_a_provider_may_allow_less() -> None:
    pace = Pace(1)
    pace.clean()

    assert pace.depth == 1


@pytest.mark.parametrize(("most", "ahead"), [(1, 1), (4, 4), (8, 8)])
def test_as_many_commands_are_in_flight_as_the_pace_allows(most: int, ahead: int) -> None:
    server = Server(dict.fromkeys(range(1, 41), BATCH_BYTES // 4 * 3))
    wire = Wire(server)

    got = [result.uid for result in pull(wire, listed(server), Pace(most))]

    assert got == list(range(1, 41))
    assert server.ahead <= ahead
    assert server.ahead >= min(ahead, 4)


def test_what_is_in_flight_is_bounded_in_bytes() -> None:
    server = Server(dict.fromkeys(range(1, 41), 2 * BATCH_BYTES))
    pace = Pace(8, clock=lambda: 0.0)

    count = sum(1 for _ in pull(Wire(server), listed(server), pace, room=lambda: 4 * BATCH_BYTES))

    assert count == 40
    assert server.ahead <= 3


@pytest.mark.parametrize(("way", "ahead"), [(0.0, 5), (0.02, 8)])
def test_what_cannot_have_reached_the_server_is_not_in_flight(way: float, ahead: int) -> None:
    """It answers a mail in 10 ms: of what was asked for 50 ms ago or later, `way` is not there."""
    now = [0.0]

    class Far(Server):
        def readline(self) -> bytes:
            now[0] += 0.01 / 3  # a mail has two lines, and its command an end
            return super().readline()

    server = Far(dict.fromkeys(range(1, 81), BATCH_BYTES // 4 * 3))
    pace = Pace(clock=lambda: now[0])
    pace._way = way

    count = sum(1 for _ in pull(Wire(server), listed(server), pace, room=lambda: 4 * BATCH_BYTES))

    assert count == 80
    assert ahead <= server.ahead <= ahead + 1


@pytest.mark.parametrize(
    ("answers", "ahead"),
    [
        ([0.05], 0.2),
        ([0.05, 0.09], 0.2),
        ([0.09, 0.05], 0.2),
        ([0.005], 0.0),
        ([9.0, 9.0], MOST_AHEAD),
    ],
)
def test_the_nearest_the_server_ever_was_is_where_it_is(answers: list[float], ahead: float) -> None:
    now = [0.0]
    pace = Pace(clock=lambda: now[0])

    pace.clean(0.1)
    for seconds in answers:
        with pace.timed():
            now[0] += seconds

    assert pace.ahead == pytest.approx(ahead)


@pytest.mark.parametrize(("seconds", "depth"), [(1.9, 8), (2.1, 1)])
def test_an_answer_that_takes_long_is_one_of_too_many(seconds: float, depth: int) -> None:
    pace = Pace()

    for _ in range(4):
        pace.clean(seconds)

    assert pace.depth == depth
    assert FLIGHT_BYTES == 8 * BATCH_BYTES


@given(st.sets(st.integers(min_value=1, max_value=60), max_size=5))
def test_a_refused_batch_is_halved_down_to_the_sick_mail(sick: set[int]) -> None:
    server = Server(dict.fromkeys(range(1, 61), 20), sick)

    results = list(pull(Wire(server), listed(server), Pace()))

    assert {r.uid for r in results if isinstance(r, Fetched)} == set(range(1, 61)) - sick
    assert {r for r in results if isinstance(r, Missed)} == {Missed(u, "unfetchable") for u in sick}
    assert len(server.commands) <= 1 + 2 * len(sick)


def test_a_line_too_long_is_halved_and_remembered() -> None:
    uids = list(range(1, 400, 2))
    server = Server(dict.fromkeys(uids, 20), most=LEAST_SET_BYTES)
    pace = Pace()

    found = list_sizes(Wire(server), uids)
    got = [result.uid for result in pull(Wire(server), found, pace)]

    assert [mail.uid for mail in found] == uids
    assert sorted(got) == uids


@pytest.mark.parametrize("is_known", [True, False])
def test_a_large_mail_is_a_stream_with_its_uid_before_or_behind(is_known: bool) -> None:
    size = SINGLE_PUT_BYTES + 10
    behind = b"* 1 FETCH (FLAGS (\\Seen) BODY[] {%d}\r\n%b UID %d)\r\n"

    class Behind(Server):
        def _mail(self, uid: int) -> bytes:
            body = b"x" * self.sizes[uid]
            return behind % (len(body), body, uid)

    server = (Server if is_known else Behind)({1: 20, 2: size, 3: 20})
    got: dict[int, int] = {}
    for result in pull(Wire(server), listed(server), Pace()):
        assert isinstance(result, Fetched)
        is_stream = isinstance(result.body, Stream)
        pieces = list(result.body) if isinstance(result.body, Stream) else [result.body]
        got[result.uid] = sum(len(piece) for piece in pieces)
        assert is_stream == (result.uid == 2)

    assert got == {1: 20, 2: size, 3: 20}


def test_a_large_mail_that_lied_is_asked_for_alone_where_its_uid_comes_late() -> None:
    """Listed as small, it came in a batch: whose it is, is known when it is over."""
    size = SINGLE_PUT_BYTES + 10

    class Behind(Server):
        def _mail(self, uid: int) -> bytes:
            body = b"x" * self.sizes[uid]
            return b"* 1 FETCH (BODY[] {%d}\r\n%b UID %d)\r\n" % (len(body), body, uid)

    server = Behind({1: 20, 2: size, 3: 20})
    lied = [Listed(uid, 20, None) for uid in (1, 2, 3)]
    got: dict[int, int] = {}
    for result in pull(Wire(server), lied, Pace()):
        assert isinstance(result, Fetched)
        pieces = list(result.body) if isinstance(result.body, Stream) else [result.body]
        got[result.uid] = sum(len(piece) for piece in pieces)

    assert got == {1: 20, 2: size, 3: 20}
    assert server.commands == [[1, 2, 3], [2]]


def test_a_large_mail_under_another_uid_than_asked_is_a_fault() -> None:
    size = SINGLE_PUT_BYTES + 10

    class Other(Server):
        def _mail(self, uid: int) -> bytes:
            body = b"x" * self.sizes[uid]
            return b"* 1 FETCH (BODY[] {%d}\r\n%b UID %d)\r\n" % (len(body), body, uid + 1)

    server = Other({1: size})
    (mail,) = itertools.islice(pull(Wire(server), listed(server), Pace()), 1)
    assert isinstance(mail, Fetched)
    assert isinstance(mail.body, Stream)
    came: list[bytes] = []

    with pytest.raises(AccountFault):
        came.extend(mail.body)

    assert sum(len(piece) for piece in came) < size
