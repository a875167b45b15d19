"""Raw mail: written once, whatever its size; keys of others are no keys."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.mailboxes import OTHER, TENANT

from ablage.errors import NotFound
from ablage.limits import SINGLE_PUT_BYTES
from ablage.mailbox.wire import PIECE_BYTES
from ablage.store.raw_mail import NOT_STORED, PAGES, RawKey, RawMail, RawMetadata, parse_key
from ablage.store.storage import Storage
from ablage.tenancy import TenantId

KEY = RawKey("30d", TENANT, "box", "0123456789abcdef", 7, 42)
METADATA = RawMetadata("2026-11-24T02:47:00Z", ("\\Seen", "$Forwarded"), "inbox", "j1")
LARGE = b"0123456789abcdef" * (SINGLE_PUT_BYTES // 16) + b"the end"


def key_of(tenant: TenantId) -> RawKey:
    return RawKey("30d", tenant, "box", "0123456789abcdef", 7, 42)


def test_a_key_says_whose_mail_it_is() -> None:
    assert KEY.text == "raw/30d/acme/box/0123456789abcdef/7/42.eml"
    assert KEY.copy_id == "box/0123456789abcdef/7/42"
    assert parse_key(KEY.text) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "archive/30d/acme/box/0123456789abcdef/7/42.eml",
        "raw/7d/acme/box/0123456789abcdef/7/42.eml",
        "raw/30d/acme/box/0123456789abcdef/7/42.txt",
        "raw/30d/ACME/box/0123456789abcdef/7/42.eml",
        "raw/30d/acme/a/b/0123456789abcdef/7/42.eml",
        "raw/30d/acme/box/0123456789ABCDEF/7/42.eml",
        "raw/30d/acme/box/0123456789abcdef/7/42.eml\n",
        "raw/30d/acme/box/0123456789abcdef/-7/42.eml",
    ],
)
def test_a_foreign_object_has_no_key(text: str) -> None:
    assert parse_key(text) is None


@pytest.mark.parametrize("body", [b"From: a\r\n\r\nb", b"\x00\xff", LARGE])
def test_what_is_put_is_got(aws: Storage, body: bytes) -> None:
    assert aws.raw.put(KEY, body, METADATA)

    assert aws.raw.get(KEY) == (body, METADATA)


def put_in_parts(where: Storage, pieces: Iterable[bytes], metadata: RawMetadata) -> bool:
    with where.raw.multipart(KEY, metadata) as upload:
        return upload.complete([upload.put(n, piece) for n, piece in enumerate(pieces, 1)])


def pieces_of(raw: bytes) -> Iterator[bytes]:
    yield from (raw[:PIECE_BYTES], raw[PIECE_BYTES:])


def test_a_large_mail_is_there_with_its_last_part(aws: Storage) -> None:
    assert put_in_parts(aws, pieces_of(LARGE), METADATA)

    assert aws.raw.get(KEY) == (LARGE, METADATA)
    head = boto3.client("s3").head_object(Bucket=aws.raw.bucket, Key=KEY.text)
    assert head["ETag"].endswith('-2"')


def test_a_mail_is_written_once(aws: Storage) -> None:
    aws.raw.put(KEY, b"first", METADATA)
    later = RawMetadata("2027-01-01T00:00:00Z")

    assert not aws.raw.put(KEY, b"other", later)
    assert not put_in_parts(aws, pieces_of(LARGE), later)
    assert aws.raw.get(KEY) == (b"first", METADATA)
    assert no_upload_is_left(aws)


def no_upload_is_left(where: Storage) -> bool:
    found = boto3.client("s3").list_multipart_uploads(Bucket=where.raw.bucket)
    return "Uploads" not in found


def test_an_upload_that_breaks_leaves_nothing(aws: Storage) -> None:
    def broken() -> Iterator[bytes]:
        yield LARGE[:PIECE_BYTES]
        raise OSError

    with pytest.raises(OSError):
        put_in_parts(aws, broken(), METADATA)

    assert no_upload_is_left(aws)
    with pytest.raises(NotFound):
        aws.raw.get(KEY)


def test_equal_ids_of_two_tenants_are_two_mails(aws: Storage) -> None:
    aws.raw.put(key_of(TENANT), b"mine", METADATA)
    aws.raw.put(key_of(OTHER), b"theirs", METADATA)

    assert aws.raw.get(key_of(TENANT))[0] == b"mine"
    assert aws.raw.get(key_of(OTHER))[0] == b"theirs"


def test_a_mail_that_is_not_there_is_missing(aws: Storage) -> None:
    with pytest.raises(NotFound) as missing:
        aws.raw.get(KEY)

    assert missing.value.code == "raw_missing"


def test_what_is_stored_is_told_whatever_its_digits(aws: Storage) -> None:
    there = {5, 9, 10, 42, 95, 99, 100, 421, 950, 999, 1000, 9999, 10000}
    others = [replace(KEY, uidvalidity=8), replace(KEY, tenant=OTHER), replace(KEY, uid=77)]
    for key in [*(replace(KEY, uid=uid) for uid in there), *others[:2]]:
        aws.raw.put(key, b"m", METADATA)

    for low, high in [(1, 9), (6, 9), (10, 99), (8, 1000), (11, 41), (95, 105), (9999, 9999)]:
        asked = [replace(KEY, uid=uid) for uid in range(low, high + 1)]
        told = aws.raw.stored(asked)
        assert sorted(key.uid for key in told) == sorted(there & set(range(low, high + 1)))
    assert aws.raw.stored([*others, KEY]) == {*others[:2], KEY}
    assert aws.raw.stored([]) == set()


class Pages:
    """A bucket's listing, `size` keys a page."""

    def __init__(self, names: Iterable[str], size: int) -> None:
        self._names = sorted(names)
        self._size = size
        self.calls = 0

    def list_objects_v2(self, *, Prefix: str, StartAfter: str, **_: str) -> dict[str, Any]:  # noqa: N803  boto's names
        self.calls += 1
        found = [name for name in self._names if name.startswith(Prefix) and name > StartAfter]
        page = [{"Key": name, "ETag": "e"} for name in found[: self._size]]
        return {"Contents": page, "IsTruncated": len(page) < len(found)}


@given(
    st.sets(st.integers(min_value=1, max_value=3000), max_size=40),
    st.integers(min_value=1, max_value=3000),
    st.integers(min_value=1, max_value=60),
)
def test_pages_are_read_to_the_last_name_asked_for(there: set[int], low: int, count: int) -> None:
    pages = Pages([replace(KEY, uid=uid).text for uid in there], 30)
    asked = [replace(KEY, uid=uid) for uid in range(low, low + count)]

    told = RawMail(pages, "raw").stored(asked)

    assert {key.uid for key in told} == there & set(range(low, low + count))


def test_a_listing_that_goes_on_and_on_is_given_up() -> None:
    pages = Pages([replace(KEY, uid=uid).text for uid in range(1, 2000)], 10)

    told = RawMail(pages, "raw").stored([replace(KEY, uid=11), replace(KEY, uid=99)])

    assert pages.calls == PAGES
    assert {key.uid for key in told} == {11}


def test_keys_with_more_digits_in_between_are_listed_past() -> None:
    pages = Pages([replace(KEY, uid=uid).text for uid in range(1, 60_000)], 1000)

    told = RawMail(pages, "raw").stored([replace(KEY, uid=uid) for uid in range(300, 550)])

    assert len(told) == 250
    assert pages.calls < PAGES


def test_a_header_alone_gives_way_to_the_mail(aws: Storage) -> None:
    aws.raw.put(KEY, b"header", replace(METADATA, body=NOT_STORED))

    assert not aws.raw.put(KEY, b"whole", METADATA)
    assert aws.raw.put(KEY, b"whole", METADATA, over=True)
    assert aws.raw.get(KEY) == (b"whole", METADATA)


def test_odd_flags_are_left_out_and_many_are_cut() -> None:
    odd = ("\\Seen", "with blank", "Umlaut-ä", "x" * 65, "new\nline", "")
    many = tuple(f"keyword-{number:04d}" for number in range(1000))

    assert RawMetadata("t", odd).wire()["flags"] == "\\Seen"
    kept = RawMetadata.from_wire(RawMetadata("t", many).wire()).flags
    assert kept == many[: len(kept)]
    assert 50 < len(kept) < 100
