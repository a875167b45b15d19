import encodings.aliases

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablage.charsets import decode_charset
from ablage.encoded_words import decode_base64, decode_words
from ablage.header_fields import decode_bytes
from ablage.headers import read_headers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?Q?M=C3=BCller_&_S=C3=B6hne?=", "M\u00fcller & S\u00f6hne"),
        ("=?UTF-8?b?TcO8bGxlcg==?=", "M\u00fcller"),
        ("=?iso-8859-1*de?Q?M=FCller?=", "M\u00fcller"),
        ("a =?utf-8?Q?b?= c", "a b c"),
        ("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=\t =?iso-8859-1?Q?b?=", "ab"),
        ("=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "\u00fc"),
        ("=?utf-8?B?w7w?=", "\u00fc"),
        ("=?utf-8?B?w7w=*?=", "\u00fc"),
        ("=?utf-8?Q?How are you??=", "How are you?"),
        ("=?utf-8?Q?why?not?= =?utf-8?Q?_so?=", "why?not so"),
        ("=?NONE?B?VEVTVA==?=", "TEST"),
        ("=?x-nonsense?Q?M=C3=BCller?=", "M\u00fcller"),
        ("=?x-nonsense?Q?M=FCller?=", "M\u00fcller"),
        ("=?utf-8?Q?M=FCller?=", "M\u00fcller"),
        ("=?us-ascii?Q?M=FCller?=", "M\u00fcller"),
        ("=?iso-8859-1?Q?=80_50?=", "\u20ac 50"),
        ("=?iso-8859-8-i?B?+eztIPLl7A==?=", "\u05e9\u05dc\u05dd \u05e2\u05d5\u05dc"),
        ("=?gb2312?B?6UY=?=", "\u9555"),
        ("=?iso-2022-jp?B?GyRCLWIbKEI=?=", "\u2116"),
        ("=?idna?Q?xn--bcher-kva?=", "xn--bcher-kva"),
        ("=?unicode_escape?Q?=5Cd?=", "\\d"),
        ("=?utf-7?Q?+2AA-?=", ""),
        ("=?utf-8?Q?a=00b=0D=0Ac=1B?=", "ab  c"),
        ("=?utf-8?Q?a=?=", "a="),
        ("=?utf-8?Q?=?=", "="),
        ("=?windows-874?B?ytHKtdU=?=", "\u0e2a\u0e31\u0e2a\u0e15\u0e35"),
        ("=?windows-31j?B?grE=?=", "\u3053"),
        ("=?win-1251?Q?=CF?=", "\u041f"),
        ("=?latin-1?Q?=80?=", "\u20ac"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?utf-8?Q?abc", "=?utf-8?Q?abc"),
        ("=?=?=?=?", "=?=?=?=?"),
    ],
)
def test_encoded_words(text: str, expected: str) -> None:
    assert decode_words(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"M\xc3\xbcller", "M\u00fcller"),
        (b"M\xfcller", "M\u00fcller"),
        (b"\x80 50", "\u20ac 50"),
        (b"M\xc3\xbcller \xc3", "M\u00fcller \ufffd"),
        (b"phone\xef\xbf\xbd", "phone\ufffd"),
        (b"\x1b$B;3ED\x1b(B", "\u5c71\u7530"),
        (b"a\x00b\x81", "ab"),
        (b"\xff\xfe", "\u00ff\u00fe"),
        (b"\xd3\xca\xbc\xfe\xb4\xab", "\u00d3\u00ca\u00bc\u00fe\u00b4\u00ab"),
    ],
)
def test_raw_bytes_of_a_header(value: bytes, expected: str) -> None:
    assert decode_bytes(value) == expected


@pytest.mark.parametrize(
    ("value", "likely", "expected"),
    [
        (b"\xd3\xca\xbc\xfe", "gb2312", "\u90ae\u4ef6"),
        (b"\xcf\xf0\xe8", "windows-1251", "\u041f\u0440\u0438"),
        (b"M\xc3\xbcller", "windows-1251", "M\u00fcller"),
        (b"M\xfcller", "utf-8", "M\u00fcller"),
        (b"M\xfcller", "utf-16", "M\u00fcller"),
        (b"M\xfcller", "cp037", "M\u00fcller"),
        (b"M\xfcller", "hex", "M\u00fcller"),
        (b"M\xfcller", "nonsense", "M\u00fcller"),
    ],
)
def test_an_undeclared_header_is_in_the_charset_of_the_body(
    value: bytes, likely: str, expected: str
) -> None:
    headers = read_headers(
        b"Subject: " + value + b"\nContent-Type: text/plain; charset=" + likely.encode() + b"\n\n"
    )

    assert headers.subject == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"YWJj", b"abc"), (b"YW Jj\r\n", b"abc"), (b"YWJjZ", b"abc"), (b"YQ", b"a"), (b"!", b"")],
)
def test_broken_base64_gives_what_can_be_had(data: bytes, expected: bytes) -> None:
    assert decode_base64(data) == expected
    assert decode_base64(memoryview(data)) == expected


@pytest.mark.parametrize("charset", sorted({*encodings.aliases.aliases.values(), "idna", "\u00fc"}))
def test_no_charset_name_raises(charset: str) -> None:
    for data in (b"", b"abc \\d \xff\x00 +2AA-", bytes(range(256))):
        assert isinstance(decode_charset(data, charset), str)


@given(st.text(alphabet="=?utf-8qQbB*_ \t\n\u00fc<>\"'A1", max_size=80))
@settings(max_examples=500, deadline=None)
def test_decoding_never_raises_and_leaves_nothing_unprintable(text: str) -> None:
    decoded = decode_words(f"=?{text}?=")

    assert not any(c < " " or "\ud800" <= c <= "\udfff" for c in decoded) or "=?" not in decoded
