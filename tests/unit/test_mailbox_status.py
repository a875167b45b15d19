"""UIDs in sets, dates in UTC, batches by count and bytes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.canned import Canned

from ablage.errors import AccountFault
from ablage.mailbox.providers import provider_of
from ablage.mailbox.pull import BATCH_BYTES, BATCH_MAILS, batches
from ablage.mailbox.status import (
    SET_BYTES,
    Listed,
    internal_date,
    list_sizes,
    status_of,
    uid_sets,
)
from ablage.mailbox.wire import Wire

UIDS = st.lists(st.integers(min_value=1, max_value=2**32 - 1), unique=True).map(sorted)


def wire(*lines: bytes) -> Wire:
    return Wire(Canned(b"".join(line + b"\r\n" for line in (*lines, b"W1 OK", b"W2 OK"))))


def unfold(sets: list[bytes]) -> list[int]:
    uids: list[int] = []
    for part in b",".join(sets).split(b",") if sets else []:
        low, _, high = part.partition(b":")
        uids += range(int(low), int(high or low) + 1)
    return uids


def test_neighbours_become_ranges() -> None:
    assert uid_sets([1, 2, 3, 5, 8, 9]) == [b"1:3,5,8:9"]
    assert uid_sets([]) == []


@given(UIDS)
def test_sets_hold_every_uid_once(uids: list[int]) -> None:
    assert unfold(uid_sets(uids)) == uids


def test_sets_stay_short_enough_for_a_line() -> None:
    sets = uid_sets(range(2**31, 2**31 + 20_000, 2))

    assert max(map(len, sets)) <= SET_BYTES
    assert len(unfold(sets)) == 10_000


@given(st.lists(st.integers(min_value=0, max_value=2 * BATCH_BYTES)))
def test_batches_keep_order_count_and_bytes(sizes: list[int]) -> None:
    mails = [Listed(uid, size, None) for uid, size in enumerate(sizes, 1)]

    cut = list(batches(mails))

    assert [mail for batch in cut for mail in batch] == mails
    assert all(len(batch) <= BATCH_MAILS for batch in cut)
    assert all(len(b) == 1 or sum(mail.size for mail in b) <= BATCH_BYTES for b in cut)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        (b"17-Jul-1996 02:44:25 -0700", datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)),
        (b" 1-Jan-2026 00:00:00 +0100", datetime(2025, 12, 31, 23, 0, tzinfo=UTC)),
        (b"01-JAN-2026 00:00:00 +0000", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_internal_dates_become_utc(text: bytes, utc: datetime) -> None:
    assert internal_date(text) == utc


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"soon", b"32-Jan-2026 00:00:00 +0000", b"01-Foo-2026 00:00:00 +0000"),
        *(b"01-Jan-0001 00:00:00 +1400", b"01-Jan-2026 25:00:00 +0000"),
        *(b"01-Jan-2026 00:00:00 +9900", b"01-Jan-0001 00:00:00 +0000"),
        b"31-Dec-1969 23:59:59 +0000",
    ],
)
def test_no_date_is_none(text: bytes) -> None:
    assert internal_date(text) is None


def test_sizes_of_foreign_and_odd_answers_are_left_out() -> None:
    found = list_sizes(
        wire(
            b"* 3 FETCH (RFC822.SIZE 30 UID 3)",
            b"* 9 FETCH (UID 9 RFC822.SIZE 90)",
            b"* 2 FETCH (FLAGS (\\Seen))",
            b"* 1 EXPUNGE",
            b"* 1 FETCH (UID 1 RFC822.SIZE 10)",
        ),
        [1, 3],
    )

    assert [(mail.uid, mail.size) for mail in found] == [(1, 10), (3, 30)]


def test_a_mail_the_listing_leaves_out_is_gone_only_if_a_search_says_so() -> None:
    server = Canned(
        b"* 1 FETCH (UID 1 RFC822.SIZE 10)\r\nW1 NO some failed\r\n* SEARCH 2\r\nW2 OK\r\n"
    )

    found = list_sizes(Wire(server), [1, 2, 3])

    assert [(mail.uid, mail.size) for mail in found] == [(1, 10), (2, 0)]
    assert server.sent[1] == b"W2 UID SEARCH UID 2:3\r\n"


def test_status_goes_by_name_not_by_order() -> None:
    found = status_of(
        wire(
            b'* STATUS "B" (UIDNEXT 2 UIDVALIDITY 20 MESSAGES 200)',
            b"* STATUS {1}\r\nA (MESSAGES 100 UIDNEXT 1)",
        ),
        [b"A", b"B"],
    )

    assert (found[b"A"].uidnext, found[b"A"].uidvalidity) == (1, None)
    assert (found[b"B"].uidnext, found[b"B"].uidvalidity) == (2, 20)


def test_a_name_with_blanks_may_come_unquoted() -> None:
    found = status_of(wire(b"* STATUS Sent Items (UIDNEXT 4 UIDVALIDITY 7)"), [b"Sent Items"])

    assert found[b"Sent Items"].uidnext == 4


def test_a_name_that_cannot_be_sent_is_left_out() -> None:
    server = Canned(b'* STATUS "A" (UIDNEXT 4 UIDVALIDITY 7)\r\nW1 OK\r\n')

    found = status_of(Wire(server), [b"Sent\tItems", b"A"])

    assert list(found) == [b"A"]
    assert len(server.sent) == 1


@pytest.mark.parametrize("code", [b"UNAVAILABLE", b"inuse", b"LIMIT", b"SERVERBUG"])
def test_a_busy_server_is_no_answer_about_mail(code: bytes) -> None:
    told = "too_many_connections" if code == b"LIMIT" else "server_unavailable"

    with pytest.raises(AccountFault) as raised:
        list_sizes(Wire(Canned(b"W1 NO [%b] later\r\n" % code)), [1])

    assert raised.value.code == told


def test_a_busy_folder_does_not_hide_the_others() -> None:
    server = Canned(b'W1 NO [INUSE] x\r\n* STATUS "B" (UIDNEXT 2 UIDVALIDITY 20)\r\nW2 OK\r\n')

    assert list(status_of(Wire(server), [b"A", b"B"])) == [b"B"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("outlook.office365.com", "microsoft365"),
        ("IMAP.gmail.com", "gmail"),
        ("imap.mail.yahoo.com.", "yahoo"),
        ("imap.firma.de", "other"),
    ],
)
def test_providers_are_known_by_host(host: str, name: str) -> None:
    assert provider_of(host).name == name
