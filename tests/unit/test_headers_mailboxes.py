import pytest

from ablage.address_lists import split_mailboxes, strip_comments
from ablage.headers import read_headers


def addresses(text: str) -> list[str]:
    return [box.address.exact for box in split_mailboxes(text) if box.address]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max@x.de", ["max@x.de"]),
        ("Max <max@x.de>", ["max@x.de"]),
        ("<max@x.de>", ["max@x.de"]),
        ('"Muster, Max" <max@x.de>, moritz@y.de', ["max@x.de", "moritz@y.de"]),
        ("Muster, Max <max@x.de>, moritz@y.de", ["max@x.de", "moritz@y.de"]),
        ("max@x.de; moritz@y.de", ["max@x.de", "moritz@y.de"]),
        ("max@x.de,, , moritz@y.de,", ["max@x.de", "moritz@y.de"]),
        ("max@x.de (Max, <max@evil.de>)", ["max@x.de"]),
        ("(a (nested \\) one)) max (b) @ (c) x.de", ["max@x.de"]),
        (
            "Team: max@x.de, Moritz <moritz@y.de>;, eva@z.de",
            ["max@x.de", "moritz@y.de", "eva@z.de"],
        ),
        ("undisclosed-recipients:;", []),
        ("Max <@a.de,@b.de:max@x.de>", ["max@x.de"]),
        ("Max <@a.de:max@x.de>", ["max@x.de"]),
        ('"max muster"@x.de', ['"max muster"@x.de']),
        ('"a@b" <max@x.de>', ["max@x.de"]),
        ('"a\\"b, c@d.de" <max@x.de>', ["max@x.de"]),
        ("'max@x.de' <max@x.de>", ["max@x.de"]),
        ("'max@x.de'", ["max@x.de"]),
        ("<<max@x.de>>", ["max@x.de"]),
        ("<mailto:max@x.de>", ["max@x.de"]),
        ("Max [Sales] <max@x.de>", ["max@x.de"]),
        ("Max <max@x.de", ["max@x.de"]),
        ("Max <max@x.de, Moritz <moritz@y.de>", ["max@x.de", "moritz@y.de"]),
        ('"Max <max@x.de>', ["max@x.de"]),
        ("(Max <max@x.de>", ["max@x.de"]),
        ("max @ x . de", ["max@x.de"]),
        ("Max < max @ x . de >", ["max@x.de"]),
        ("max@x.de.", ["max@x.de"]),
        ("Max Muster max@x.de", ["max@x.de"]),
        ("Dr. max@x.de", ["max@x.de"]),
        ("max@x.de moritz@y.de", ["max@x.de", "moritz@y.de"]),
        ("=?utf-8?Q?Muster,_Max?= <max@x.de>", ["max@x.de"]),
        ("j\u00f6rg@b\u00fccher.de", ["j\u00f6rg@xn--bcher-kva.de"]),
    ],
)
def test_an_address_list_is_split(text: str, expected: list[str]) -> None:
    assert addresses(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '"ceo@bank.de" <x@evil.de>',
        "ceo@bank.de <x@evil.de>",
        "'ceo@bank.de' <x@evil.de>",
        "ceo@bank.de (ceo@bank.de) <x@evil.de>",
        "=?utf-8?Q?ceo=40bank.de?= <x@evil.de>",
        "=?utf-8?Q?ceo=40bank.de=3E=2C?= <x@evil.de>",
        "=?utf-8?B?Y2VvQGJhbmsuZGU+LCA8?= <x@evil.de>",
        '"<ceo@bank.de>, " <x@evil.de>',
        "[ceo@bank.de] <x@evil.de>",
        "ceo@bank.de\\, <x@evil.de>",
    ],
)
def test_a_display_name_is_never_an_address(text: str) -> None:
    assert "x@evil.de" in addresses(text)
    assert addresses(text.replace("<x@evil.de>", "<>")) in ([], ["ceo@bank.de"])


@pytest.mark.parametrize(
    "text",
    [
        "=?utf-8?B?Y2VvQGJhbmsuZGU=?=",
        "<=?utf-8?B?Y2VvQGJhbmsuZGU=?=>",
        "<=?utf-8?Q?ceo?=@bank.de>",
        "=?utf-8?Q?ceo?=@bank.de",
        "Joe",
        "joe, max",
        "<>",
        "max@[192.0.2.1]",
        "max@moritz@x.de",
        "<max muster@x.de>",
        "max@x.de and moritz@y.de",
        "@x.de",
        "max@",
        '"max@x.de"',
    ],
)
def test_what_holds_no_usable_address_is_kept_as_text(text: str) -> None:
    (mailbox,) = split_mailboxes(text)

    assert mailbox.address is None
    assert mailbox.text.strip("<>") in text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Max Muster <max@x.de>", "Max Muster"),
        ('"Muster, \\"Max\\"" <max@x.de>', 'Muster, "Max"'),
        ("=?utf-8?Q?M=C3=BCller?= <max@x.de>", "M\u00fcller"),
        ('"=?utf-8?Q?M=C3=BCller?=" <max@x.de>', "M\u00fcller"),
        ("=?utf-8?Q?M=C3?= =?utf-8?Q?=BCller?= <max@x.de>", "M\u00fcller"),
        ("max@x.de (Max Muster)", "Max Muster"),
        ("max@x.de", ""),
        ("=?utf-8?Q?a=0D=0ABcc:_b=00?= <max@x.de>", "a Bcc: b"),
        ("=?utf-8?Q?=E2=80=AEedrusne?= <max@x.de>", "edrusne"),
    ],
)
def test_names_are_decoded_after_splitting(text: str, name: str) -> None:
    assert split_mailboxes(text)[0].name == name


def test_an_address_is_kept_as_written() -> None:
    (mailbox,) = split_mailboxes("Max <Max.Muster@X.de>")

    assert mailbox.text == "Max.Muster@X.de"
    assert mailbox.address is not None
    assert mailbox.address.exact == "max.muster@x.de"


def test_two_brackets_are_two_mailboxes_so_that_neither_is_chosen() -> None:
    assert addresses("Max <max@x.de> <moritz@y.de>") == ["max@x.de", "moritz@y.de"]


def test_repeated_address_fields_are_joined() -> None:
    headers = read_headers(b"From: a@x.de\nTo: b@x.de\nFrom: c@x.de\nto: d@x.de\n\n")

    assert [box.text for box in headers.from_] == ["a@x.de", "c@x.de"]
    assert [box.text for box in headers.to] == ["b@x.de", "d@x.de"]
    assert headers.from_fields == 2
    assert "several_from" in headers.problems


def test_comments_are_blanks_except_in_quotes() -> None:
    assert strip_comments('a (b (c)) "d (e)" f').split() == ["a", '"d', '(e)"', "f"]
