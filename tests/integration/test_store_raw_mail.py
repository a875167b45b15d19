"""Raw mail: written once, whatever its size; keys of others are no keys."""

import io

import boto3
import pytest
from tests.support.mailboxes import OTHER, TENANT

from ablage.errors import NotFound
from ablage.limits import SINGLE_PUT_BYTES
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


def test_a_large_file_is_streamed_in_parts(aws: Storage) -> None:
    assert aws.raw.put(KEY, io.BytesIO(LARGE), METADATA)

    assert aws.raw.get(KEY) == (LARGE, METADATA)
    head = boto3.client("s3").head_object(Bucket=aws.raw.bucket, Key=KEY.text)
    assert head["ETag"].endswith('-2"')


@pytest.mark.parametrize("again", [b"other", io.BytesIO(LARGE)])
def test_a_mail_is_written_once(aws: Storage, again: bytes | io.BytesIO) -> None:
    aws.raw.put(KEY, b"first", METADATA)

    assert not aws.raw.put(KEY, again, RawMetadata("2027-01-01T00:00:00Z"))
    assert aws.raw.get(KEY) == (b"first", METADATA)
    assert no_upload_is_left(aws)


def no_upload_is_left(where: Storage) -> bool:
    found = boto3.client("s3").list_multipart_uploads(Bucket=where.raw.bucket)
    return "Uploads" not in found


def test_an_upload_that_breaks_leaves_nothing(aws: Storage) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError
            return super().read(size)

    with pytest.raises(OSError):
        aws.raw.put(KEY, Broken(LARGE), METADATA)

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
