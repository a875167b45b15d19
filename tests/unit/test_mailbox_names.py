"""Names of folders: decoded for people, whatever servers make of modified UTF-7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablage.mailbox.names import decode_name, encode_name, folder_id


def test_an_id_is_16_hex_of_the_raw_names_hash() -> None:
    assert folder_id(b"INBOX") == "83ecb521bf320f67"
    assert folder_id(b"Gesendet") != folder_id(b"gesendet")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"A&-B", "A&B"),
        (b"R & D", "R & D"),
        (b"&&&", "&&&"),
        (b"&AOQ", "&AOQ"),
        (b"&A-", "&A-"),
        (b"&2AA-", "&2AA-"),
        (b"A&ACY-B", "A&B"),
        (b"&ZeVnLIqe-", "日本語"),
        (b"a+b", "a+b"),
        (b"+AOQ-", "+AOQ-"),
        (b"two&AAo-lines", "two\ufffdlines"),
        ("Entwürfe".encode(), "Entwürfe"),
        (b"Entw\xfcrfe", "Entwürfe"),
        (b"\xff\xfe", "ÿþ"),
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
