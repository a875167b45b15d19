"""The bytes of a mail as a reader needs them: read once for its text, its parts as links.

`parts/{tenant}/{message}/{sha256}` in the archive bucket: content-addressed copies of attachments,
made when somebody asks for one, gone a day later (a lifecycle rule). They are derived: what is kept
is the mail itself, so unfiled mail leaves nothing behind when it expires.
"""

import re
from typing import Any
from urllib.parse import quote

from ablage.errors import Gone, NotFound
from ablage.mail import Attachment
from ablage.messages import BODY_NOT_STORED, CONTENT_DIGITS, Copy, Message
from ablage.store.archive import LINK_SECONDS
from ablage.store.raw_mail import RawKey
from ablage.store.storage import Storage
from ablage.tenancy import TenantId

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")
_ACTIVE = re.compile(r"html|xml|script|svg|shockwave|multipart/")  # what a browser would run
_UNQUOTED = re.compile(r'[^\x20-\x7e]|["\\%;]')
_OPAQUE = "application/octet-stream"


def raw_key(tenant: TenantId, copy: Copy) -> RawKey:
    return RawKey(
        copy.retention, tenant, copy.account_id, copy.folder_id, copy.uidvalidity, copy.uid
    )


def read_content(storage: Storage, message: Message) -> bytes:
    """A mail of the main content: its archive copy, else a raw mail while it is kept. Which copy of
    that content is of no account: they differ in headers only. Raises Gone `raw_expired`."""
    digest = message.digest[:CONTENT_DIGITS]
    if digest in message.archived:
        sha256 = message.archived[digest]
        return storage.archive.read(message.tenant, message.message_id, sha256)
    for copy in message.copies:
        if copy.digest == message.digest:
            try:
                return storage.raw.get(raw_key(message.tenant, copy))[0]
            except NotFound:
                continue
    detail = "The mail is no longer kept. Sync its folder again with `since`."
    raise Gone("raw_expired", detail)


def require_body(message: Message) -> None:
    """Raises Gone `body_not_stored`."""
    if BODY_NOT_STORED in message.flags:
        detail = "Of this mail we have the header alone; open it in its mailbox."
        raise Gone("body_not_stored", detail)


def part_key(message: Message, sha256: str) -> str:
    return f"parts/{message.tenant}/{message.message_id}/{sha256}"


def part_link(
    storage: Storage, s3: Any, message: Message, attachment: Attachment, content: bytes
) -> str:
    """As `derived_link`, to be saved under its name."""
    shown = {
        "ContentDisposition": content_disposition(attachment.name, attachment.number),
        "ContentType": content_type(attachment.content_type),
    }
    return derived_link(storage, s3, part_key(message, attachment.sha256), content, shown)


def derived_link(storage: Storage, s3: Any, key: str, content: bytes, shown: dict[str, str]) -> str:
    """Keeps what was made of a mail for a day, and a link to it, valid for LINK_SECONDS: always to
    be saved, never shown in place."""
    place = {"Bucket": storage.archive.bucket, "Key": key}
    s3.put_object(**place, Body=content, **shown)
    answered = {f"Response{name}": value for name, value in shown.items()}
    url: str = s3.generate_presigned_url(
        "get_object", Params=place | answered, ExpiresIn=LINK_SECONDS
    )
    return url


def content_disposition(name: str, number: int) -> str:
    """RFC 6266: the name in ASCII, and in full. Without one: `attachment-<number>`."""
    name = name or f"attachment-{number}"
    plain = _UNQUOTED.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def content_type(written: str) -> str:
    """As written, unless it is no type or one a browser would run."""
    if not _TYPE.fullmatch(written) or _ACTIVE.search(written):
        return _OPAQUE
    return written
