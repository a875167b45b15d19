"""Mail that the tenant's own system sent or holds, announced here and uploaded by a signed link.

    item at the external id -> PUT to the link -> ObjectCreated -> match reads the item by the key
                                                                -> the item names the message

The raw key is that of any copy, in the account API_ACCOUNT, which is no mailbox; folder,
UIDVALIDITY and UID are 128 bits of the external id's SHA-256. So one id is one object, written
once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from ablage.accounts import API_ACCOUNT
from ablage.errors import Conflict
from ablage.messages import Copy, Entity
from ablage.store import keys, usage
from ablage.store.raw_mail import CONTENT_TYPE, RawKey, RawMail, RawMetadata
from ablage.store.table import ConditionFailed, Item, Table, put_action, update_action
from ablage.tenancy import TenantId

SCHEMA = 1
LINK_SECONDS = 15 * 60
AWAITED_DAYS = 30  # an announcement nothing was uploaded to is forgotten
RETENTION = "30d"  # class of mail that nothing files
_SENT = "sent"


@dataclass(frozen=True)
class Upload:
    """`direction` is `outbound`, `inbound` or empty: as From says. `occurred_at` and `created_at`
    are RFC 3339 UTC; `filings` are filed as by the hand of `by`; `message_id` is empty until it was
    matched."""

    tenant: TenantId
    external_id: str
    size: int
    direction: str = ""
    occurred_at: str = ""
    provider_message_id: str = ""
    filings: tuple[Entity, ...] = ()
    by: str = ""
    created_at: str = ""
    message_id: str = ""

    @property
    def upload_id(self) -> str:
        return sha256(self.external_id.encode()).hexdigest()[:32]

    @property
    def raw_key(self) -> RawKey:
        digits = self.upload_id
        place = (digits[:16], int(digits[16:24], 16), int(digits[24:], 16))
        return RawKey(RETENTION, self.tenant, API_ACCOUNT, *place)

    @property
    def metadata(self) -> RawMetadata:
        """What sync says of a copy."""
        role = _SENT if self.direction == "outbound" else ""
        return RawMetadata(self.occurred_at or self.created_at, role=role)

    def announces(self, other: "Upload") -> bool:
        """The same mail, told of in the same words."""
        told = replace(other, by=self.by, created_at=self.created_at, message_id=self.message_id)
        return self == told


def upload_id(folder_id: str, uidvalidity: int, uid: int) -> str:
    """Of a copy in API_ACCOUNT."""
    return f"{folder_id}{uidvalidity:08x}{uid:08x}"


def announce(table: Table, upload: Upload, now: int) -> tuple[Upload, bool]:
    """What stands at the external id, and whether it is new. Raises Conflict
    `external_id_taken`."""
    is_free, is_over = "attribute_not_exists(pk)", "expires < :now"
    try:
        table.put(
            keys.upload(upload.tenant, upload.upload_id),
            _item(upload) | {"expires": now + AWAITED_DAYS * 86400},
            condition=f"{is_free} OR {is_over}",
            values={":now": now},
        )
    except ConditionFailed:
        standing = get(table, upload.tenant, upload.upload_id)
        if standing is None or not standing.announces(upload):
            detail = "Another mail was announced with this external_id; choose one of its own."
            raise Conflict("external_id_taken", detail, "/external_id") from None
        return standing, False
    return upload, True


def get(table: Table, tenant: TenantId, upload: str) -> Upload | None:
    item = table.get(keys.upload(tenant, upload), consistent=True)
    return _upload(tenant, item) if item else None


def of_external_id(table: Table, tenant: TenantId, external_id: str) -> Upload | None:
    return get(table, tenant, Upload(tenant, external_id, 0).upload_id)


def of_key(table: Table, key: RawKey) -> Upload | None:
    """What was announced of a raw mail; None in a mailbox's place."""
    if key.account_id != API_ACCOUNT:
        return None
    return get(table, key.tenant, upload_id(key.folder_id, key.uidvalidity, key.uid))


def external_ids(table: Table, tenant: TenantId, copies: Iterable[Copy]) -> dict[str, str]:
    """By copy id, of the copies that lie in no mailbox."""
    wanted = {
        keys.upload(tenant, upload_id(c.folder_id, c.uidvalidity, c.uid)): c.copy_id
        for c in copies
        if c.account_id == API_ACCOUNT
    }
    found = table.batch_get(wanted) if wanted else {}
    return {wanted[key]: item["external_id"] for key, item in found.items()}


def matched(table: Table, upload: Upload, message_id: str, now: int) -> None:
    """It became this message; counted as used once."""
    is_news = "attribute_exists(pk) AND (attribute_not_exists(m) OR m <> :m)"
    noted = update_action(
        keys.upload(upload.tenant, upload.upload_id),
        "SET m = :m REMOVE expires",
        {":m": message_id},
        is_news,
    )
    actions = [noted, usage.add_action(upload.tenant, now, mails=1, bytes=upload.size)]
    if upload.provider_message_id:
        place = keys.provider_message(upload.tenant, upload.provider_message_id)
        actions.append(put_action(place, {"m": message_id}))
    try:
        table.transact(actions)
    except ConditionFailed:
        return


def named_by_provider(table: Table, tenant: TenantId, mail_id: str) -> str | None:
    """The message that went out under this Message-ID, as the sending provider replaced it; SES
    tells its id without the domain it stands in the header with."""
    wanted = dict.fromkeys((mail_id, mail_id.partition("@")[0]))
    found = (table.get(keys.provider_message(tenant, known)) for known in wanted if known)
    return next((str(item["m"]) for item in found if item), None)


def link(s3: Any, raw: RawMail, upload: Upload) -> tuple[str, dict[str, str]]:
    """For one PUT of exactly `size` bytes, for LINK_SECONDS, and the headers to send with it: all
    are signed."""
    url: str = s3.generate_presigned_url(
        "put_object",
        Params={
            "Bucket": raw.bucket,
            "Key": upload.raw_key.text,
            "ContentType": CONTENT_TYPE,
            "ContentLength": upload.size,
            "IfNoneMatch": "*",
        },
        ExpiresIn=LINK_SECONDS,
    )
    size = str(upload.size)
    return url, {"Content-Type": CONTENT_TYPE, "Content-Length": size, "If-None-Match": "*"}


def _item(upload: Upload) -> Item:
    return {
        "schema": SCHEMA,
        "external_id": upload.external_id,
        "size": upload.size,
        "direction": upload.direction,
        "occurred_at": upload.occurred_at,
        "provider": upload.provider_message_id,
        "filings": [str(entity) for entity in upload.filings],
        "by": upload.by,
        "created_at": upload.created_at,
    }


def _upload(tenant: TenantId, item: Item) -> Upload:
    return Upload(
        tenant=tenant,
        external_id=item["external_id"],
        size=item["size"],
        direction=item["direction"],
        occurred_at=item["occurred_at"],
        provider_message_id=item["provider"],
        filings=tuple(map(Entity.parse, item["filings"])),
        by=item["by"],
        created_at=item["created_at"],
        message_id=item.get("m", ""),
    )
