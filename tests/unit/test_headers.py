import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablage.header_report import report
from ablage.headers import read_headers

MAIL = (
    b"Received: by mx.x.de; Fri, 21 Nov 1997 16:00:00 +0000\n"
    b"From: Max <max@x.de>\n"
    b"To: moritz@y.de\n"
    b"Subject: Angebot\n"
    b" Nr. 7\n"
    b"Date: Fri, 21 Nov 1997 09:55:06 -0600\n"
    b"Message-ID: <1@x.de>\n"
    b"In-Reply-To: <0@y.de>\n"
    b"References: <00@y.de>\n\t<0@y.de>\n"
    b"\n"
    b"To: body@z.de\n"
)


def test_a_plain_header_is_read() -> None:
    headers = read_headers(MAIL)

    assert [box.text for box in headers.from_] == ["max@x.de"]
    assert [box.text for box in headers.to] == ["moritz@y.de"]
    assert headers.subject == "Angebot Nr. 7"
    assert headers.date == datetime(1997, 11, 21, 15, 55, 6, tzinfo=UTC)
    assert headers.received == datetime(1997, 11, 21, 16, tzinfo=UTC)
    assert (headers.message_id, headers.in_reply_to) == ("1@x.de", "0@y.de")
    assert headers.references == ("00@y.de", "0@y.de")
    assert (headers.from_fields, headers.unparseable, headers.problems) == (1, (), ())


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r", b"\r\r\n"])
def test_line_ends_do_not_matter(line_end: bytes) -> None:
    assert read_headers(MAIL.replace(b"\n", line_end)) == read_headers(MAIL)


def test_line_ends_may_be_mixed() -> None:
    raw = b"From: a@x.de\r\r\nTo: b@x.de\r\nCc: c@x.de\nSubject: s\r\n\nFrom: evil@x.de\n"

    headers = read_headers(raw)

    assert [len(boxes) for boxes in (headers.from_, headers.to, headers.cc)] == [1, 1, 1]
    assert headers.subject == "s"


def test_a_bare_cr_among_other_line_ends_is_a_blank() -> None:
    headers = read_headers(b"From: A\rB <a@x.de>\r\nSubject: s\r\rBcc: evil@x.de\r\nTo: b@x.de\n\n")

    assert [(box.name, box.text) for box in headers.from_] == [("A B", "a@x.de")]
    assert headers.subject == "s Bcc: evil@x.de"
    assert (len(headers.to), headers.bcc) == (1, ())


@pytest.mark.parametrize(
    "blank", [b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r\n\n", b"\r\r", b"\r\r\n\r\r\n"]
)
def test_the_first_blank_line_ends_the_header(blank: bytes) -> None:
    headers = read_headers(b"From: a@x.de" + blank + b"From: evil@x.de\r\nTo: evil@x.de\r\n")

    assert [box.text for box in headers.from_] == ["a@x.de"]
    assert headers.to == ()


@pytest.mark.parametrize(
    "odd",
    [
        b"From joe@x.de Fri Nov 21 09:55:06 1997\n",
        b">From joe@x.de Fri Nov 21 09:55:06 1997\n",
        b"\n\n",
        b" \t\n",
        b"\xef\xbb\xbf: x\n",
        b"quite Delivered-To: evil@x.de\n",
        b"no colon at all\n folded evil@x.de\n",
        b": no name\n",
        b"\x00\x00\n",
        b"\xff\xfe\n",
    ],
)
def test_an_odd_line_does_not_end_the_header(odd: bytes) -> None:
    first = read_headers(odd + MAIL)

    assert [box.text for box in first.from_] == ["max@x.de"]
    assert first.message_id == "1@x.de"
    if not odd.isspace():
        middle = read_headers(MAIL.replace(b"Subject:", odd + b"Subject:"))
        assert middle.subject == "Angebot Nr. 7"
        assert [box.text for box in middle.to] == ["moritz@y.de"]


def test_blanks_before_the_colon_are_allowed() -> None:
    assert read_headers(b"From \t: max@x.de\n\n").from_[0].text == "max@x.de"


def test_a_header_without_an_end_is_read() -> None:
    assert read_headers(b"From: max@x.de\nSubject: s").subject == "s"


def test_nul_and_control_characters_do_not_survive() -> None:
    headers = read_headers(b"Subject: a\x00b\x1bc\nX-A: \x00\x07d\n\n")

    assert headers.subject == "abc"
    assert headers.get("X-A") == "d"
    assert "nul_bytes" in headers.problems


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "no_from"),
        (b"", "no_date"),
        (b"", "no_message_id"),
        (b"Subject: x\n\n", "no_from"),
        (b"From: a@x.de, b@x.de\n\n", "several_from"),
        (b"From: joe\n\n", "unparseable_address"),
        (b"Date: soon\n\n", "bad_date"),
        (b"odd line\nFrom: a@x.de\n\n", "junk_lines"),
        (b"X: " + b"x" * 600_000, "header_limited"),
    ],
)
def test_problems_are_named(raw: bytes, problem: str) -> None:
    assert problem in read_headers(raw).problems


def test_what_cannot_be_parsed_is_kept_as_text() -> None:
    headers = read_headers(b"From: Joe <joe>\nTo: Max, moritz@y.de\nCc: <>\n\n")

    assert headers.unparseable == ("Joe <joe>", "<>")
    assert [box.address is not None for box in headers.to] == [True]


@pytest.mark.parametrize(
    ("value", "message_id"),
    [
        (b"<1@x.de>", "1@x.de"),
        (b"1@x.de", "1@x.de"),
        (b"<1@x.de> (comment <2@x.de>)", "1@x.de"),
        (b"<a@b@c>", "a@b@c"),
        (b"<[1]@x.de>", "[1]@x.de"),
        (b"<1@x.de", "1@x.de"),
        (b"<>", ""),
        (b"", ""),
    ],
)
def test_message_ids(value: bytes, message_id: str) -> None:
    assert read_headers(b"Message-ID: " + value + b"\n\n").message_id == message_id


def test_of_a_repeated_field_the_first_counts() -> None:
    headers = read_headers(b"Subject: a\nSubject: b\nX-A: 1\nx-a: 2\n\n")

    assert headers.subject == "a"
    assert headers.get("X-a") == "1"
    assert headers.get_all("X-A") == ("1", "2")
    assert headers.get("X-B") is None


@pytest.mark.parametrize("name", ["Return-Path", "Delivered-To", "Authentication-Results"])
def test_final_delivery_leaves_a_trace(name: str) -> None:
    assert read_headers(f"{name}: x\n\n".encode()).delivered
    assert not read_headers(MAIL).delivered


def test_the_original_sender_of_a_rewritten_mail() -> None:
    both = read_headers(b"X-Original-Sender: b@x.de\nX-Original-From: A <a@x.de>\n\n")
    one = read_headers(b"X-Original-From: Joe\nX-Original-Sender: b@x.de\n\n")

    assert [box.text for box in both.original_sender] == ["a@x.de"]
    assert [box.text for box in one.original_sender] == ["b@x.de"]
    assert read_headers(MAIL).original_sender == ()


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (b"max@[192.0.2.1]", ["max@[192.0.2.1]"]),
        (b"Max <max@[IPv6:::1]>, b@X.de", ["max@[ipv6:::1]", "b@x.de"]),
        (b"max@-x.DE", ["max@-x.de"]),
        (b"Max <max@x..de>", ["max@x..de"]),
        (b"max@a@x.de, Max, max@, <>, a@x.de and b@x.de", []),
        (b'"a@x.de" <>', []),
    ],
)
def test_an_address_that_matches_nothing_is_reported_as_written(
    field: bytes, shown: list[str]
) -> None:
    raw = b"To: " + field + b"\n\n"

    assert report(raw)["to"] == shown
    assert sum(box.address is not None for box in read_headers(raw).to) == ("b@x.de" in shown)


def test_a_date_is_reported_in_four_digits_and_blanks_are_no_text() -> None:
    early = report(b"Date: Mon, 1 Jan 0001 00:00:00 +0000\n\n \t\n")
    hard = report(b"Content-Type: text/plain; charset=utf-8\n\n\xc2\xa0\n")

    assert early["date_utc"] == "0001-01-01T00:00:00Z"
    assert (early["text_nonempty"], hard["text_nonempty"]) == (False, True)


def test_sensitivity_is_in_lower_case() -> None:
    assert read_headers(b"Sensitivity: Company-Confidential \n\n").sensitivity == (
        "company-confidential"
    )
    assert read_headers(MAIL).sensitivity == ""


_SPECIALS = [bytes([c]) for c in b'\n\r \t\x00\xff<>"()\\,;:@[]']
_WORDS = [b"From", b"To: ", b"Subject:", b"\r\n", b"x.de", b"max", b"=?utf-8?Q?", b"?=", b"=C3"]
_FIELDS = [b"Date: ", b"Fri, 21 Nov 1997 09:55", b"Received: ", b"Message-ID: "]
_PIECES = st.sampled_from([*_SPECIALS, *_WORDS, *_FIELDS])


@given(st.lists(_PIECES, max_size=60).map(b"".join) | st.binary(max_size=300))
@settings(max_examples=2000, deadline=None)
def test_reading_a_header_never_raises_and_everything_read_can_be_stored(raw: bytes) -> None:
    line = {"subject": report(raw), "all": dict(read_headers(raw).fields)}

    assert json.dumps(line, ensure_ascii=False).encode("utf-8")
    assert "\\u0000" not in json.dumps(line)


def command(*files: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    functions = Path(__file__).resolve().parents[2] / "functions"
    run = [sys.executable, "-m", "ablage.headers", *map(str, files)]
    return subprocess.run(
        run, cwd=functions, capture_output=True, check=False, env=os.environ | environment
    )


def test_the_command_prints_a_json_line_per_file(tmp_path: Path) -> None:
    files = [tmp_path / "a.eml", tmp_path / "b.eml"]
    for file in files:
        file.write_bytes(MAIL)

    done = command(*files)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == [str(file) for file in files]
    assert lines[0]["from"] == ["max@x.de"]
    assert lines[0]["date_utc"] == "1997-11-21T15:55:06Z"
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_command_goes_on_behind_a_file_it_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "\u00fc.eml"
    file.write_bytes(MAIL.replace(b"Angebot", b"Gr\xc3\xbc\xc3\x9fe"))

    done = command(tmp_path / "none.eml", tmp_path, file, PYTHONIOENCODING="ascii")

    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["file"], line["subject"]) == (str(file), "Gr\u00fc\u00dfe Nr. 7")
    assert done.returncode == 1
    assert done.stderr.count(b"cannot be read") == 2
    assert b"Traceback" not in done.stderr
    assert command().returncode == 1
