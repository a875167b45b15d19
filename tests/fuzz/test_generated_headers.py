"""Generated and mutated headers: 20,000 in `make fuzz`, fewer in `make test`. The short way that
usual headers take through the reader must give what the long one gives."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.checks import check_header
from tests.fuzz.seeds import MAILS, PIECES

from ablage.address_lists import split_mailboxes
from ablage.dates import parse_date, parse_received
from ablage.header_fields import split_fields

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "600"))
_HEADERS = [mail.partition(b"\r\n\r\n" if b"\r\n\r\n" in mail else b"\n\n")[0] for mail in MAILS]
_GENERATED = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A usual header with up to six cuts, insertions and repetitions."""
    raw = draw(st.sampled_from(_HEADERS))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(raw)))
        end = start + draw(st.integers(0, 12))
        new = draw(st.sampled_from(PIECES) | st.just(raw[start:end] * 2))
        raw = raw[:start] + new + raw[end:]
    return raw


several = settings(max_examples=_EXAMPLES, deadline=None)


@given(_GENERATED | mutated())
@several
def test_no_header_stops_its_reader(raw: bytes) -> None:
    check_header(raw)


@given(_GENERATED | mutated())
@several
def test_usual_fields_are_split_as_odd_ones(raw: bytes) -> None:
    block = raw.replace(b"\r", b"").replace(b"\n\n", b"\n").strip(b"\n")

    usual = split_fields(block + b"\nX-Last: a").fields
    odd = split_fields(block + b"\nX-Last: \xc3\xa4").fields

    assert usual[:-1] == odd[:-1]


@given((_GENERATED | st.sampled_from([b"Max <m@x.de>, b@x.de", b'"A, B" <c@x.de> '])).map(bytes))
@several
def test_usual_addresses_are_read_as_odd_ones(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")

    assert split_mailboxes(text) == split_mailboxes("," + text)


@given(
    st.from_regex(
        r"(Fri, )?[0-3]?\d (Nov|feb|MAR) \d{4} [0-2]\d:\d\d:[0-6]\d [+-]\d{4}( \((CET|utc)\))?",
        fullmatch=True,
    )
)
@several
def test_usual_dates_are_read_as_odd_ones(text: str) -> None:
    assert parse_date(text) == parse_date("() " + text)
    assert parse_received(f"by x; {text}") == parse_date("() " + text)
