"""Short-lived links to the bytes of a mail: its archive copy, or the raw mail while it is kept."""

from typing import Any

from botocore.exceptions import ClientError

from ablage.errors import Forbidden, Gone
from ablage.messages import Message
from ablage.store.archive import LINK_SECONDS
from ablage.store.contents import raw_key
from ablage.store.storage import Storage

_ABSENT = ("403", "404", "NoSuchKey", "NotFound")  # 403: absent, to a role that may not list


def raw_link(storage: Storage, s3: Any, message: Message, hidden: frozenset[str]) -> str:
    """Valid for LINK_SECONDS. The main content first, then any; never bytes whose SHA-256 is
    `hidden`. Raises Gone `raw_expired`, Forbidden `bcc_hidden` where only hidden ones are left."""
    archived = dict.fromkeys(
        (message.archived.get(message.digest[:16]), *message.archived.values())
    )
    shown = [sha for sha in archived if sha and sha not in hidden]
    if shown:
        return storage.archive.link(message.tenant, message.message_id, shown[0])
    main_first = sorted(message.copies, key=lambda copy: copy.digest != message.digest)
    for copy in (copy for copy in main_first if copy.sha256 not in hidden):
        key = raw_key(message.tenant, copy).text
        if exists(s3, storage.raw.bucket, key):
            return _link(s3, storage.raw.bucket, key)
    if hidden:
        detail = (
            "It names Bcc recipients: only owner and viewers of its mailbox may read its bytes."
        )
        raise Forbidden("bcc_hidden", detail)
    detail = "The mail is no longer kept. Sync its folder again with `since`."
    raise Gone("raw_expired", detail)


def exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise
    return True


def _link(s3: Any, bucket: str, key: str) -> str:
    parameters = {
        "Bucket": bucket,
        "Key": key,
        "ResponseContentDisposition": "attachment",
        "ResponseContentType": "message/rfc822",
    }
    url: str = s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=LINK_SECONDS)
    return url
