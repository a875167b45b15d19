"""Probes that made other parsers quadratic, recursive or fat: each is read in under 2 s, and a
probe of twice the size takes about twice the steps."""

import sys
import time
import tracemalloc
from collections.abc import Callable

import pytest

from ablage.header_report import report
from ablage.headers import read_headers

_SIZE = 100_000

_ADDRESS_PROBES = {
    "open comments": "(",
    "nested comments": "()",
    "quotes": '"',
    "quotes and escapes": '"\\',
    "escaped quotes": '\\"',
    "brackets": "<",
    "closing brackets": ">",
    "quote in bracket": '<"> ',
    "empty brackets": "<>",
    "literals": "[",
    "commas": ",",
    "comma and word": "a,",
    "semicolons": ";",
    "colons": ":",
    "groups": "a:b@x.de;",
    "ats": "@",
    "routes": "<@a:",
    "dots": "a.",
    "blanks": " ",
    "lone dots": " . ",
    "ats and blanks": " @ ",
    "words": "a ",
    "one word": "a",
    "addresses": "a@x.de,",
    "addresses without commas": "a@x.de ",
    "bracketed": "<a@x.de>",
    "starts of encoded-words": "=?",
    "encoded-words without end": "=?a?q?",
    "encoded-words": "=?utf-8?q?a?= ",
    "question marks": "?",
    "equal signs": "=",
    "escaped comment": "(\\",
    "comment and quote": '("',
    "umlauts": "\u00fc",
    "nul": "\x00",
}


def _steps(work: Callable[[], object]) -> int:
    """Function calls and lines run: a count that does not depend on the machine's load."""
    count = 0

    def trace(_frame: object, _event: str, _argument: object) -> object:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]  # typeshed wants the recursive protocol
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("probe", _ADDRESS_PROBES)
@pytest.mark.parametrize("prefix", ["", '"', "<"])
def test_address_fields_take_linear_time(probe: str, prefix: str) -> None:
    piece = _ADDRESS_PROBES[probe]
    raw = f"From: {prefix}{piece * (_SIZE // len(piece))}\n\n".encode()

    began = time.process_time()
    read_headers(raw)

    assert time.process_time() - began < 10


@pytest.mark.parametrize("probe", _ADDRESS_PROBES)
def test_address_fields_take_linear_steps(probe: str) -> None:
    piece = _ADDRESS_PROBES[probe]
    once, twice = (f"From: {piece * n}\n\n".encode() for n in (300, 600))

    assert _steps(lambda: read_headers(twice)) < 2.5 * _steps(lambda: read_headers(once)) + 500


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: " + b"=?utf-8?q?a?= " * 30_000,
        b"Subject: " + b"=?a?b?" * 15_000,
        b"Subject: " + b"=?utf-8?q?" + b"?" * _SIZE,
        b"Subject: " + b"=?utf-8*" + b"*" * _SIZE,
        b"Subject: =?idna?q?" + b"xn--a." * 15_000 + b"?=",
        b"Subject: " + b"\xfc" * _SIZE,
        b"Subject: \x1b$B" + b"\x1b$" * (_SIZE // 2),
        b"Date: " + b"(" * _SIZE,
        b"Date: " + b"1 " * (_SIZE // 2),
        b"Received: ;" + b"a;" * (_SIZE // 2),
        b"Received: ;\n" * 20_000,
        b"Message-ID: " + b"<" * _SIZE,
        b"References: " + b"< " * (_SIZE // 2),
        b"References: " + b"<a@b> " * (_SIZE // 6),
        b"Authentication-Results: " + b"(" * _SIZE,
        b"Authentication-Results: " + b"dmarc=" * (_SIZE // 6),
        b"Content-Type: " + b"a/b;" + b"x=y;" * (_SIZE // 4),
        b"Content-Type: " + b"a/b;" + b'x="\\' * (_SIZE // 4),
        b"Content-Type: a/b;" + b"".join(b"x*%d=y;" % n for n in range(20_000)),
        b"Content-Type: " + b"boundary " * (_SIZE // 9),
        b"Content-Disposition: a;" + b" " * _SIZE,
        b"\r" * _SIZE + b"a",
        b"a:\r" * (_SIZE // 3),
        b"a" + b"\r\r\n" * (_SIZE // 3),
        b" \n" * (_SIZE // 2),
        b"a:\n" * (_SIZE // 3),
        b"a:\n" + b" a\n" * (_SIZE // 3),
        b"\x00" * _SIZE,
        b"From: a@x.de\n" * (_SIZE // 13),
        b"x" * _SIZE,
        b"From: a@x.de\n" + b"x" * _SIZE + b"\nTo: b@x.de",
    ],
    ids=range(31),
)
def test_other_fields_take_linear_time(raw: bytes) -> None:
    began = time.process_time()
    report(raw)

    assert time.process_time() - began < 10


def test_a_hundred_thousand_addresses_are_limited_and_said_so() -> None:
    raw = b"To: " + b"a@x.de," * 100_000 + b"\nFrom: max@x.de\n\n"

    headers = read_headers(raw)

    assert len(headers.to) == 10_000
    assert {"addresses_limited", "header_limited"} <= set(headers.problems)


def test_five_hundred_recipients_are_all_read() -> None:
    raw = b"To: " + b",\n ".join(b"N %d <n%d@x.de>" % (n, n) for n in range(500)) + b"\n\n"

    assert len(read_headers(raw).to) == 500


def test_a_huge_mail_costs_its_header_no_memory() -> None:
    raw = b"From: max@x.de\n\n" + b"x" * 25_000_000

    tracemalloc.start()
    headers = read_headers(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert headers.from_[0].text == "max@x.de"
    assert peak < 100_000
