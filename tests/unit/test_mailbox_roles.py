"""Roles: by attribute and by name, side by side; only where mail programs put such folders."""

import pytest

from ablage.mailbox.listing import Row, Spaces
from ablage.mailbox.names import encode_name
from ablage.mailbox.roles import role_of

PREFIXED = Spaces((b"INBOX.",), (b"user.", b"shared."))


def role(name: str, *flags: bytes, spaces: Spaces | None = None) -> str:
    row = Row(encode_name(name), b".", frozenset(flag.upper() for flag in flags))
    return role_of(row, spaces or Spaces())


@pytest.mark.parametrize(
    "name",
    [
        *("Sent", "SENT ITEMS", "Sent Messages", "Gesendet", "Gesendete Elemente"),
        *("Gesendete Objekte", "Éléments envoyés", "Messages envoyés", "Enviados", "Inviata"),
        *("INBOX.Sent", "INBOX.Gesendet", "[Gmail].Gesendet", "Verzonden items", "Wysłane"),
        *("Отправленные", "Skickat", "Odeslaná pošta", "送信済みメール", "Elküldött elemek"),
    ],
)
def test_sent_is_known_in_many_languages(name: str) -> None:
    assert role(name) == "sent"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(("Entwürfe", "drafts"), ("Brouillons", "drafts"), ("Papierkorb", "trash")),
        *(("Gelöschte Elemente", "trash"), ("Корзина", "trash"), ("Spamverdacht", "junk")),
        *(("Junk-E-Mail", "junk"), ("Unerwünscht", "junk"), ("Archiv", "archive")),
    ],
)
def test_what_is_kept_out_is_known_by_name(name: str, known: str) -> None:
    assert role(name) == known


@pytest.mark.parametrize(
    "name", ["Kunden.Sent", "INBOX.IDN.Sent", "Sentinel", "Unsent", "Projekt gesendet", "", "."]
)
def test_a_name_deeper_down_is_a_folder_like_any_other(name: str) -> None:
    assert role(name) == ""


@pytest.mark.parametrize(
    ("flag", "known"),
    [
        *((b"\\Sent", "sent"), (b"\\Drafts", "drafts"), (b"\\Trash", "trash"), (b"\\All", "all")),
        *(
            (b"\\Junk", "junk"),
            (b"\\Spam", "junk"),
            (b"\\AllMail", "all"),
            (b"\\Starred", "flagged"),
        ),
        *((b"\\Flagged", "flagged"), (b"\\Important", "important"), (b"\\Inbox", "inbox")),
    ],
)
def test_an_attribute_counts_anywhere(flag: bytes, known: str) -> None:
    assert role("Tief.Unten.Irgendwo", flag) == known


def test_an_attribute_wins_over_the_folders_own_name() -> None:
    assert role("Trash", b"\\Sent") == "sent"
    assert role("Privat", b"\\Archive") == "archive"


def test_below_the_personal_prefix_is_top_level() -> None:
    mail = Spaces((b"Mail.",))

    assert role("Mail.Gesendet", spaces=mail) == "sent"
    assert role("Mail.Kunden.Gesendet", spaces=mail) == ""
    assert role("INBOX.Papierkorb", spaces=PREFIXED) == "trash"


def test_folders_of_others_have_no_role() -> None:
    assert role("user.anna.Sent", spaces=PREFIXED) == ""
    assert role("shared.Sent", b"\\Sent", spaces=PREFIXED) == ""
    assert role("shared.Betriebsrat", spaces=PREFIXED) == "private"


@pytest.mark.parametrize(
    "name",
    [
        *("Privat", "private", "PERSONAL", "Persönlich", "Betriebsrat", "INBOX.Privat"),
        *("Privat.Familie.Urlaub", "Kunden.privat", "Privat.Gesendet"),
    ],
)
def test_private_names_are_private_with_all_below_them(name: str) -> None:
    assert role(name) == "private"


@pytest.mark.parametrize("name", ["Privatkunden", "Personalabteilung", "Private Equity"])
def test_names_that_only_begin_so_are_not_private(name: str) -> None:
    assert role(name) == ""
