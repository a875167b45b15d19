"""Listing ahead: nothing is fetched twice or left out, whatever the server does with a listing."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_mailbox_pull import Server, uids_of

from ablage.errors import AccountFault
from ablage.mailbox.pace import Pace
from ablage.mailbox.pull import FLIGHT_BYTES, Fetched
from ablage.mailbox.status import LISTED, Listed, Listing, list_sizes
from ablage.mailbox.windows import WINDOWS, Windows, windows
from ablage.mailbox.wire import Wire


class Lister(Server):
    """A server that lists nothing of `silent`, and says `refusal` to listings of more than `most`
    UIDs."""

    def __init__(
        self,
        sizes: dict[int, int],
        silent: Iterable[int] = (),
        most: int = 10**6,
        refusal: bytes = b"NO",
    ) -> None:
        super().__init__(sizes)
        self.silent = set(silent)
        self.most = most
        self.refusal = refusal

    def _answer(self, command: bytes) -> bytes:
        if b"RFC822.SIZE" not in command:
            return super()._answer(command)
        tag, uids = command.split()[0], uids_of(command.split()[3])
        if len(uids) > self.most:
            return b"%b %b too many\r\n" % (tag, self.refusal)
        rows = [
            b'* 1 FETCH (UID %d FLAGS () INTERNALDATE "17-Jul-2026 02:44:25 +0000"'
            b" RFC822.SIZE %d)\r\n" % (uid, self.sizes[uid])
            for uid in uids
            if uid in self.sizes and uid not in self.silent
        ]
        return b"".join(rows) + tag + b" OK\r\n"


def fetched(server: Server, uids: Sequence[int], pace: Pace | None = None) -> list[int]:
    chosen: list[int] = []

    def choose(asked: Sequence[int], listed: list[Listed]) -> list[Listed]:
        chosen.extend(asked)
        by_uid = {mail.uid: mail for mail in listed}
        return [by_uid[uid] for uid in asked if uid in by_uid]

    fetching = Windows(Wire(server), uids, choose, pace or Pace())
    results = list(fetching.fetch(lambda: False, lambda: FLIGHT_BYTES))
    assert chosen == list(uids)
    assert all(isinstance(result, Fetched) for result in results)
    return [result.uid for result in results]


@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 1250, 1251, 9000])
@pytest.mark.parametrize("step", [1, -1])
def test_every_mail_comes_once(count: int, step: int) -> None:
    uids = list(range(1, count + 1))[::step]
    server = Lister(dict.fromkeys(uids, 20))

    assert sorted(fetched(server, uids)) == sorted(uids)
    assert [uid for window in windows(uids) for uid in window] == uids


def test_a_window_is_listed_while_mails_of_the_one_before_are_in_flight() -> None:
    uids = list(range(1, sum(WINDOWS) + 1))

    class Watched(Lister):
        def _answer(self, command: bytes) -> bytes:
            if b"RFC822.SIZE" in command:
                behind.append(len(self._waiting))
            return super()._answer(command)

    behind: list[int] = []
    server = Watched(dict.fromkeys(uids, 70_000))
    fetched(server, uids)

    assert behind[0] == 0
    assert behind[1] > 0


@settings(deadline=None)
@given(
    st.sets(st.integers(min_value=1, max_value=600), max_size=20),
    st.sets(st.integers(min_value=1, max_value=600), max_size=20),
)
def test_what_a_listing_leaves_out_is_asked_for_again(silent: set[int], gone: set[int]) -> None:
    uids = list(range(1, 601))
    server = Lister(dict.fromkeys(set(uids) - gone, 20), silent)

    assert sorted(fetched(server, uids)) == sorted(set(uids) - gone)


@pytest.mark.parametrize(("refusal", "most"), [(b"NO", WINDOWS[0]), (b"BAD", WINDOWS[0] // 2)])
def test_a_listing_that_is_refused_costs_no_mail(refusal: bytes, most: int) -> None:
    uids = list(range(1, 601))
    server = Lister(dict.fromkeys(uids, 20), most=most, refusal=refusal)

    assert sorted(fetched(server, uids)) == uids


@pytest.mark.parametrize("most", [1, 100, 999])
def test_a_listing_too_long_for_a_server_is_halved(most: int) -> None:
    uids = list(range(1, 2500))
    server = Lister(dict.fromkeys(uids, 20), most=most, refusal=b"BAD")

    assert [mail.uid for mail in list_sizes(Wire(server), uids, depth=2)] == uids
    assert [mail.uid for mail in Listing(Wire(server), uids).listed()] == uids


def test_a_server_that_lists_not_even_one_mail_is_at_fault() -> None:
    server = Lister({1: 20, 2: 20, 3: 20}, most=0, refusal=b"BAD")

    with pytest.raises(AccountFault) as fault:
        list_sizes(Wire(server), [1, 2, 3])

    assert fault.value.code == "protocol_error"


@pytest.mark.parametrize(("depth", "ahead"), [(1, 1), (3, 3)])
def test_as_many_listings_are_in_flight_as_the_pace_allows(depth: int, ahead: int) -> None:
    uids = list(range(1, 10 * LISTED))
    server = Lister(dict.fromkeys(uids, 20))

    assert len(list_sizes(Wire(server), uids, depth=depth)) == len(uids)
    assert server.ahead == ahead


@pytest.mark.parametrize("pace", [Pace(1), Pace(per_second=1000)])
def test_one_command_at_a_time_lists_nothing_ahead(pace: Pace) -> None:
    uids = list(range(1, 601))
    server = Lister(dict.fromkeys(uids, 20))

    assert fetched(server, uids, pace) == uids
    assert server.ahead <= max(pace.most, 2)
