"""From a raw object to what matching needs: parties, facts, identity. The bytes are dropped
here."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ablage.accounts import API_ACCOUNT
from ablage.delivery_reports import DeliveryReport
from ablage.errors import NotFound
from ablage.headers import Mailbox
from ablage.mail import Mail, read_mail
from ablage.mail_parties import mail_identity, parties_of
from ablage.matching import Parties
from ablage.messages import BODY_NOT_STORED, LIMITED, Copy, Facts, sort_time, utc_text
from ablage.store import uploads
from ablage.store.raw_mail import NOT_STORED, RawKey, RawMetadata
from ablage.store.rows import PARTY_BYTES, SNIPPET_BYTES, cut
from ablage.store.storage import Storage
from ablage.store.uploads import Upload

SHOWN_SUBJECT_BYTES = 250
SHOWN_PARTIES = 10
MAIL_ID_BYTES = 250
EXPIRES_BEFORE_RAW = 2 * 86400  # seconds: an item never promises bytes that are gone
DATE_IMPLAUSIBLE, FAN_OUT_LIMITED = "date_implausible", "fan_out_limited"


@dataclass(frozen=True)
class ReadCopy:
    """One copy, read: what it is, who takes part, where it sorts. `expires`: epoch seconds."""

    key: RawKey
    job: str | None
    message_id: str
    copy: Copy
    facts: Facts
    parties: Parties
    sort_time: str
    flags: frozenset[str]
    expires: int
    report: DeliveryReport | None = None
    own: str = ""
    posted: Upload | None = None


def read_copy(storage: Storage, key: RawKey, job: str | None) -> ReadCopy:
    """Raises NotFound `raw_missing` once the raw mail has expired."""
    raw, metadata = storage.raw.get(key)
    posted = uploads.of_key(storage.table, key)
    if posted is not None:
        metadata = replace(posted.metadata, stored_at=metadata.stored_at)
    elif key.account_id == API_ACCOUNT:
        raise NotFound("raw_missing", "Nobody announced this mail.")
    mail = read_mail(raw)
    internal_date = _internal_date(metadata)
    sorted_at, implausible = sort_time(mail.headers.date, mail.headers.received, internal_date)
    parties, limited = parties_of(mail, metadata.role, metadata.flags, key.folder_id)
    is_header = metadata.body == NOT_STORED
    flags = {
        DATE_IMPLAUSIBLE: implausible,
        FAN_OUT_LIMITED: limited,
        LIMITED: mail.limited or is_header,
        BODY_NOT_STORED: is_header,
    }
    return ReadCopy(
        key=key,
        job=job or metadata.job,
        message_id=mail_identity(mail),
        copy=_copy(key, metadata, mail, utc_text(internal_date)),
        facts=_facts(mail, parties),
        parties=parties,
        sort_time=sorted_at,
        flags=frozenset(flag for flag, raised in flags.items() if raised),
        expires=metadata.stored_at + int(key.retention[:-1]) * 86400 - EXPIRES_BEFORE_RAW,
        report=mail.report,
        own=metadata.own,
        posted=posted,
    )


def _internal_date(metadata: RawMetadata) -> datetime:
    """INTERNALDATE; a server that gave none, or none that can be read: when we stored it."""
    try:
        return datetime.fromisoformat(metadata.received_at).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return datetime.fromtimestamp(metadata.stored_at).astimezone()


def _copy(key: RawKey, metadata: RawMetadata, mail: Mail, received_at: str) -> Copy:
    return Copy(
        account_id=key.account_id,
        folder_id=key.folder_id,
        uidvalidity=key.uidvalidity,
        uid=key.uid,
        received_at=received_at,
        sha256=mail.sha256,
        digest=mail.digest,
        role=metadata.role,
        retention=key.retention,
    )


def _facts(mail: Mail, parties: Parties) -> Facts:
    headers = mail.headers
    sender = parties.sender
    return Facts(
        subject=cut(headers.subject, SHOWN_SUBJECT_BYTES),
        sender=_shown(headers.from_[:1])[0] if headers.from_ else "",
        from_key=sender.exact if sender else "",
        to=_shown(headers.to),
        cc=_shown(headers.cc),
        bcc=_shown(headers.bcc),
        date=utc_text(headers.date) if headers.date else "",
        mail_id=cut(headers.message_id, MAIL_ID_BYTES),
        kind=parties.kind,
        snippet=cut(mail.snippet, SNIPPET_BYTES),
        size=mail.size,
        attachments=len(mail.attachments),
    )


def _shown(mailboxes: tuple[Mailbox, ...]) -> tuple[str, ...]:
    """As a person reads it: `Name <address>`, cut; at most SHOWN_PARTIES, then how many more."""
    texts = [cut(_one(mailbox), PARTY_BYTES) for mailbox in mailboxes[:SHOWN_PARTIES]]
    more = len(mailboxes) - len(texts)
    return tuple([*texts, f"+{more}"] if more > 0 else texts)


def _one(mailbox: Mailbox) -> str:
    address = mailbox.address.text if mailbox.address else mailbox.text
    return f"{mailbox.name} <{address}>" if mailbox.name else address
