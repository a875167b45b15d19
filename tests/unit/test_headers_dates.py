from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ablage.dates import parse_date, parse_received
from ablage.headers import read_headers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T15:55:06"),
        ("21 Nov 1997 09:55 +0000", "1997-11-21T09:55:00"),
        ("Fri, 21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06"),
        ("21 Nov 49 09:55:06 GMT", "2049-11-21T09:55:06"),
        ("21 Nov 50 09:55:06 GMT", "1950-11-21T09:55:06"),
        ("21 Nov 100 09:55:06 GMT", "2000-11-21T09:55:06"),
        ("Fri, 21 Nov 1997 09:55:06 EST", "1997-11-21T14:55:06"),
        ("Fri, 21 Nov 1997 09:55:06 PDT", "1997-11-21T16:55:06"),
        ("Fri, 21 Nov 1997 09:55:06 Z", "1997-11-21T09:55:06"),
        ("Fri, 21 Nov 1997 09:55:06 A", "1997-11-21T09:55:06"),
        ("Fri, 21 Nov 1997 09:55:06 XYZ", "1997-11-21T09:55:06"),
        ("Fri, 21 Nov 1997 09:55:06", "1997-11-21T09:55:06"),
        ("Fri, 21 Nov 1997 09:55:06 -0000", "1997-11-21T09:55:06"),
        ("Wed, 20 Sep 1995 00:19:00 (EDT) -0400", "1995-09-20T04:19:00"),
        ("Wed 29 May 2019 06:09:22 PM EDT", "2019-05-29T22:09:22"),
        ("29 May 2019 12:09:22 AM +0000", "2019-05-29T00:09:22"),
        ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", None),
        ("Fri Nov 21 09:55:06 1997", "1997-11-21T09:55:06"),
        ("Fri Nov 21 09:55:06 CET 1997", "1997-11-21T08:55:06"),
        ("1997-11-21T09:55:06Z", "1997-11-21T09:55:06"),
        ("1997-11-21T09:55:06.123+01:00", "1997-11-21T08:55:06"),
        ("1997-11-21 09:55:06 -0600", "1997-11-21T15:55:06"),
        ("21-Nov-1997 09:55:06 -0600", "1997-11-21T15:55:06"),
        ("Fri, 21 Nov 1997 09:55:06-0600", "1997-11-21T15:55:06"),
        ("Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59"),
        ("Fri, 21 Nov 1997 09:55:06 GMT+0100", "1997-11-21T08:55:06"),
        ("Fri, 21 November 1997 09:55:06 +0000", "1997-11-21T09:55:06"),
        ("Fr., 21 Nov 1997 09:55:06 +0000", "1997-11-21T09:55:06"),
        ("ven. 21 Nov 1997 09:55:06 +0000", "1997-11-21T09:55:06"),
        ("Fri, 21 Nov 1997 09:55:06 0100", "1997-11-21T09:55:06"),
        ("", None),
        ("yesterday", None),
        ("Fri, 31 Feb 1997 09:55:06 +0000", None),
        ("Fri, 21 Nov 1997 25:55:06 +0000", None),
        ("21 Nov 1997", None),
        ("09:55:06 +0000", None),
        ("21 Nov 0000 09:55:06 +0000", None),
        ("1 Jan 0001 00:00:00 +1400", None),
        ("21 Nov 1997 09:55:06 21 Nov 1998", None),
        ("\u0662\u0661 Nov 1997 09:55:06 +0000", None),
    ],
)
def test_dates(text: str, expected: str | None) -> None:
    moment = parse_date(text)

    assert (moment.strftime("%Y-%m-%dT%H:%M:%S") if moment else None) == expected
    assert moment is None or moment.tzinfo is UTC


def test_received_is_dated_behind_its_last_semicolon() -> None:
    text = "from a (b; c) by d; id 1; Fri, 21 Nov 1997 10:00:00 +0100 (CET; summer)"

    assert parse_received(text) == datetime(1997, 11, 21, 9, tzinfo=UTC)
    assert parse_received("from a by b Fri, 21 Nov 1997 10:00:00 +0100") is None


def test_the_topmost_received_that_can_be_read_counts() -> None:
    headers = read_headers(
        b"Received: by a; nonsense\n"
        b"Received: by b; Fri, 21 Nov 1997 10:00:00 +0000\n"
        b"Received: by c; Fri, 21 Nov 1997 09:00:00 +0000\n\n"
    )

    assert headers.received == datetime(1997, 11, 21, 10, tzinfo=UTC)


@given(st.text(max_size=60))
@example("Fri, 21 Nov 99999 09:55:06 +9999")
@example("-" * 2000)
@example("(" * 2000)
@settings(max_examples=500, deadline=None)
def test_a_date_never_raises(text: str) -> None:
    parse_date(text)
    parse_received(";" + text)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001  naive on purpose
@settings(deadline=None)
def test_a_written_date_is_read_back(moment: datetime) -> None:
    whole = moment.replace(microsecond=0, tzinfo=UTC)

    assert parse_date(whole.strftime("%a, %d %b %Y %H:%M:%S +0000")) == whole
