"""Short-lived links to the bytes of a mail: its archive copy, or the raw mail while it is kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from ablage.errors import Gone, NotFound
from ablage.limits import BODY_BYTES
from ablage.mail_redaction import without_mailbox_fields
from ablage.messages import CONTENT_DIGITS, Message
from ablage.store.archive import LINK_SECONDS, archive_key
from ablage.store.contents import derived_link, part_key, raw_key, read_content
from ablage.store.storage import Storage
from ablage.visibility import Sight

_ABSENT = ("403", "404", "NoSuchKey", "NotFound")  # 403: absent, to a role that may not list
_SAVED = {"ContentDisposition": "attachment", "ContentType": "message/rfc822"}


@dataclass(frozen=True)
class _Place:
    bucket: str
    key: str
    sha256: str
    is_kept: bool


def raw_link(storage: Storage, s3: Any, sight: Sight) -> str:
    """Valid for LINK_SECONDS. The bytes of the viewer's own mailboxes, the main content first; else
    a copy of the main content without what names other mailboxes. Raises Gone `raw_expired`,
    `body_too_large`."""
    for place in _places(storage, sight.message):
        if place.sha256 in sight.bytes and (place.is_kept or exists(s3, place.bucket, place.key)):
            return _link(s3, place)
    raw = _without_mailboxes(storage, sight.message)
    key = part_key(sight.message, sha256(raw).hexdigest())
    return derived_link(storage, s3, key, raw, _SAVED)


def seen_bytes(storage: Storage, sight: Sight) -> tuple[bytes, bool]:
    """What `raw_link` leads to, and whether it is a copy without what names other mailboxes. Raises
    Gone `raw_expired`, `body_too_large`."""
    message = sight.message
    main = message.digest[:CONTENT_DIGITS]
    kept = sorted(message.archived.items(), key=lambda one: one[0] != main)
    for sha in (sha for _, sha in kept if sha in sight.bytes):
        return storage.archive.read(message.tenant, message.message_id, sha), False
    for copy in sorted(message.copies, key=lambda copy: copy.digest != message.digest):
        if copy.sha256 in sight.bytes:
            try:
                return storage.raw.get(raw_key(message.tenant, copy))[0], False
            except NotFound:
                continue
    return _without_mailboxes(storage, message), True


def _without_mailboxes(storage: Storage, message: Message) -> bytes:
    if message.facts.size > BODY_BYTES:
        raise Gone("body_too_large", "The mail is too large to be copied without its Bcc.")
    return without_mailbox_fields(read_content(storage, message))


def _places(storage: Storage, message: Message) -> Iterator[_Place]:
    """Archived, then raw; of each the main content first."""
    main = message.digest[:CONTENT_DIGITS]
    for _, sha in sorted(message.archived.items(), key=lambda kept: kept[0] != main):
        key = archive_key(message.tenant, message.message_id, sha)
        yield _Place(storage.archive.bucket, key, sha, is_kept=True)
    for copy in sorted(message.copies, key=lambda copy: copy.digest != message.digest):
        key = raw_key(message.tenant, copy).text
        yield _Place(storage.raw.bucket, key, copy.sha256, is_kept=False)


def exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise
    return True


def _link(s3: Any, place: _Place) -> str:
    parameters = {"Bucket": place.bucket, "Key": place.key}
    parameters |= {f"Response{name}": value for name, value in _SAVED.items()}
    url: str = s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=LINK_SECONDS)
    return url
