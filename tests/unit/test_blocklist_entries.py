"""What a blocklist entry may be, and which spellings are one."""

import pytest

from ablage.blocklist import Entry, parse_entry
from ablage.errors import InvalidInput


@pytest.mark.parametrize(
    "text", ["x.de", "@x.de", "*@x.de", "X.DE", "x.de.", " x.de ", "x\u3002de", "@X.de."]
)
def test_spellings_of_one_domain_are_one_entry(text):
    entry = parse_entry(text)

    assert (entry.kind, entry.value) == ("domain", "x.de")


@pytest.mark.parametrize("text", ["Max@Kunde.DE", "max@kunde.de.", " max@kunde.de "])
def test_spellings_of_one_address_are_one_entry(text):
    entry = parse_entry(text)

    assert (entry.kind, entry.value) == ("address", "max@kunde.de")


def test_an_entry_with_a_tag_is_only_itself():
    assert parse_entry("max+news@x.de").value == "max+news@x.de"


def test_what_was_typed_is_kept():
    assert parse_entry(" *@Straße.de ") == Entry("domain", "xn--strae-oqa.de", "*@Straße.de")


@pytest.mark.parametrize(
    "text", ["*.x.de", "*@*.x.de", "max*@x.de", "m*x@x.de", "x.*", "**@x.de", "@*.de", "*"]
)
def test_a_wildcard_inside_is_refused(text):
    with pytest.raises(InvalidInput) as refused:
        parse_entry(text)

    assert (refused.value.code, refused.value.pointer) == ("wildcard_inside", "/entry")


@pytest.mark.parametrize("text", ["de", "@de", "*@de", "co.uk", "CO.UK.", "рф", "localhost"])
def test_a_public_suffix_is_refused(text):
    with pytest.raises(InvalidInput) as refused:
        parse_entry(text)

    assert refused.value.code == "public_suffix"


@pytest.mark.parametrize("text", ["github.io", "x.github.io", "x.co.uk"])
def test_what_companies_own_is_no_public_suffix(text):
    assert parse_entry(text).value == text


@pytest.mark.parametrize(
    "text", ["", "@", "a b.de", "max@", "x..de", "a@b@c.de", "http://x.de", "Max <m@x.de>", "\x00"]
)
def test_what_is_neither_address_nor_domain_is_refused(text):
    with pytest.raises(InvalidInput) as refused:
        parse_entry(text)

    assert refused.value.code == "invalid_entry"


def test_a_free_mail_domain_is_marked():
    assert parse_entry("GoogleMail.com").free_mail
    assert not parse_entry("kunde.de").free_mail
    assert not parse_entry("max@gmail.com").free_mail
