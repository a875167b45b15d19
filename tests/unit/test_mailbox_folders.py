"""Folders: names for people, roles by flag or by name, ids for keys."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.canned import Canned

from ablage.accounts import AccountState, Folder
from ablage.errors import AccountFault
from ablage.mailbox.folders import (
    decode_name,
    default_folders,
    encode_name,
    folder_id,
    list_folders,
    raw_name,
    role_by_name,
)
from ablage.mailbox.wire import Wire
from ablage.store.accounts import state_item

ALL_CAPABILITIES = frozenset({"SPECIAL-USE", "LIST-EXTENDED"})


def listed(*rows: bytes, status: bytes = b"OK done") -> tuple[Folder, ...]:
    answer = b"".join(b"* LIST " + row + b"\r\n" for row in rows)
    return list_folders(Wire(Canned(answer + b"W1 " + status + b"\r\n")), frozenset())


def roles(*rows: bytes) -> dict[str, str]:
    return {folder.name: folder.role for folder in listed(*rows)}


def test_an_id_is_16_hex_of_the_raw_names_hash() -> None:
    assert folder_id(b"INBOX") == "83ecb521bf320f67"
    assert folder_id(b"Gesendet") != folder_id(b"gesendet")


def test_the_raw_name_survives_the_state() -> None:
    (folder,) = listed(b'() "/" "\xc3\xa4 &AOQ-"')

    assert raw_name(folder) == b"\xc3\xa4 &AOQ-"


def test_special_use_is_asked_for_where_it_is_known() -> None:
    plain, asked = Canned(b'* LIST () "/" A\r\nW1 OK\r\n'), Canned(b'* LIST () "/" A\r\nW1 OK\r\n')

    list_folders(Wire(plain), frozenset())
    list_folders(Wire(asked), ALL_CAPABILITIES)

    assert plain.sent == [b'W1 LIST "" "*"\r\n']
    assert asked.sent == [b'W1 LIST "" "*" RETURN (SPECIAL-USE)\r\n']


def test_a_flag_wins_over_a_name() -> None:
    found = roles(b'(\\Sent) "/" "Ausgang"', b'() "/" "Sent"', b'(\\All \\HasNoChildren) "/" A')

    assert found == {"Ausgang": "sent", "Sent": "", "A": "all"}


@pytest.mark.parametrize(
    "name",
    [
        *("Sent", "SENT ITEMS", "Sent Messages", "Gesendet", "Gesendete Elemente"),
        *("Gesendete Objekte", "Éléments envoyés", "Messages envoyés", "Enviados", "Inviata"),
        *("INBOX.Sent", "INBOX.Gesendet", "[Gmail].Gesendet", "Verzonden items", "Wysłane"),
        *("Отправленные", "Skickat", "Odeslaná pošta"),
    ],
)
def test_sent_is_known_in_many_languages(name: str) -> None:
    assert role_by_name(name, ".") == "sent"


@pytest.mark.parametrize(
    "name", ["Kunden.Sent", "INBOX.IDN.Sent", "Sentinel", "Unsent", "Projekt gesendet", "", "."]
)
def test_a_name_deeper_down_is_a_folder_like_any_other(name: str) -> None:
    assert role_by_name(name, ".") == ""


def test_flat_names_have_no_path() -> None:
    assert roles(b"() NIL Sent", b"() NIL a/Sent") == {"Sent": "sent", "a/Sent": ""}


def test_inbox_is_one_in_any_case() -> None:
    (folder,) = listed(b'() "/" inbox')

    assert (folder.role, folder.raw, folder.folder_id) == ("inbox", "INBOX", "83ecb521bf320f67")


def test_folders_that_cannot_be_opened_are_left_out() -> None:
    assert roles(b'(\\Noselect) "/" "[Gmail]"', b'(\\NonExistent) "/" B', b'() "/" A') == {"A": ""}


def test_names_come_quoted_as_literal_and_bare() -> None:
    rows = (b'() "/" "a \\"b\\""', b'() "/" {5}\r\nc "d"', b'() "/" two words', b'() "/" NIL')

    assert list(roles(*rows)) == ['a "b"', 'c "d"', "two words", "NIL"]


@pytest.mark.parametrize(("rows", "status"), [((), b"OK"), ((b'() "/" A',), b"NO denied")])
def test_no_list_is_no_empty_mailbox(rows: tuple[bytes, ...], status: bytes) -> None:
    with pytest.raises(AccountFault):
        listed(*rows, status=status)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"A&-B", "A&B"),
        (b"R & D", "R & D"),
        (b"&&&", "&&&"),
        (b"&AOQ", "&AOQ"),
        (b"&A-", "&A-"),
        (b"&ZeVnLIqe-", "日本語"),
        (b"a+b", "a+b"),
        ("Entwürfe".encode(), "Entwürfe"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_names_are_decoded_or_left_as_they_are(raw: bytes, name: str) -> None:
    assert decode_name(raw) == name


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_every_name_comes_back(name: str) -> None:
    assert decode_name(encode_name(name)) == name


@given(st.binary(max_size=40))
def test_decoding_never_raises(raw: bytes) -> None:
    assert isinstance(decode_name(raw), str)


def test_inbox_and_all_sent_folders_are_synced() -> None:
    folders = listed(b'() "/" INBOX', b'() "/" Sent', b'() "/" Gesendet', b'() "/" Trash')

    assert [folder.name for folder in default_folders(folders)] == ["INBOX", "Sent", "Gesendet"]


def test_a_list_of_any_length_fits_an_item() -> None:
    rows = [b'() "/" "%b/%d"' % (b"Projekt-" + b"x" * 190, number) for number in range(999)]

    found = listed(*rows, b'() "/" "Gesendet"', b'() "/" INBOX')

    item = state_item(AccountState(folders=found))
    assert len(json.dumps(item, ensure_ascii=False).encode()) < 250_000
    assert [folder.role for folder in found[-2:]] == ["sent", "inbox"]
    assert len(found) > 300


def test_a_name_too_long_for_an_item_is_left_out() -> None:
    found = listed(b'() "/" "%b"' % (b"\xe4" * 150_000), b'() "/" INBOX')

    assert [folder.name for folder in found] == ["INBOX"]
