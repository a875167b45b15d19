"""Raw mail: written once, whatever its size; keys of others are no keys."""

from collections.abc import Iterable, Iterator

import boto3
import pytest
from tests.support.mailboxes import OTHER, TENANT

from ablage.errors import NotFound
from ablage.limits import SINGLE_PUT_BYTES
from ablage.mailbox.wire import PIECE_BYTES
from ablage.store.raw_mail import RawKey, RawMetadata, parse_key
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


def test_odd_flags_are_left_out_and_many_are_cut() -> None:
    odd = ("\\Seen", "with blank", "Umlaut-ä", "x" * 65, "new\nline", "")
    many = tuple(f"keyword-{number:04d}" for number in range(1000))

    assert RawMetadata("t", odd).wire()["flags"] == "\\Seen"
    kept = RawMetadata.from_wire(RawMetadata("t", many).wire()).flags
    assert kept == many[: len(kept)]
    assert 50 < len(kept) < 100
