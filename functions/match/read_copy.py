"""From a raw object to what matching needs: parties, facts, identity. The bytes are dropped
here."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from ablage.addresses import Address
from ablage.headers import Headers, Mailbox
from ablage.limits import RECIPIENTS_LOOKED_AT
from ablage.mail import Mail, read_mail
from ablage.matching import Parties
from ablage.messages import Copy, Facts, message_id, sort_time, utc_text
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.rows import PARTY_BYTES, SNIPPET_BYTES, cut
from ablage.store.storage import Storage

SHOWN_SUBJECT_BYTES = 250
SHOWN_PARTIES = 10
MAIL_ID_BYTES = 250
EXPIRES_BEFORE_RAW = 2 * 86400  # seconds: an item never promises bytes that are gone
DATE_IMPLAUSIBLE, FAN_OUT_LIMITED, LIMITED = "date_implausible", "fan_out_limited", "limited"


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


def read_copy(storage: Storage, key: RawKey, job: str | None) -> ReadCopy:
    """Raises NotFound `raw_missing` once the raw mail has expired."""
    raw, metadata = storage.raw.get(key)
    mail = read_mail(raw)
    internal_date = _internal_date(metadata)
    sorted_at, implausible = sort_time(mail.headers.date, mail.headers.received, internal_date)
    parties, limited = _parties(mail, metadata)
    flags = {DATE_IMPLAUSIBLE: implausible, FAN_OUT_LIMITED: limited, LIMITED: mail.limited}
    return ReadCopy(
        key=key,
        job=job or metadata.job,
        message_id=_identity(mail),
        copy=_copy(key, metadata, mail, utc_text(internal_date)),
        facts=_facts(mail, parties),
        parties=parties,
        sort_time=sorted_at,
        flags=frozenset(flag for flag, raised in flags.items() if raised),
        expires=metadata.stored_at + int(key.retention[:-1]) * 86400 - EXPIRES_BEFORE_RAW,
    )


def _internal_date(metadata: RawMetadata) -> datetime:
    """INTERNALDATE; a server that gave none: when we stored it."""
    if metadata.received_at:
        return datetime.fromisoformat(metadata.received_at)
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


def _identity(mail: Mail) -> str:
    """matching 6.3; whoever wrote an unreadable From is told apart by its text."""
    headers = mail.headers
    recipients = sorted(_exact(headers.to) + _exact(headers.cc))
    sender = " ".join(sorted(_exact(headers.from_)))
    otherwise = [*recipients, headers.subject, mail.digest]
    return message_id(headers.message_id, sender, headers.date, otherwise)


def _exact(mailboxes: Iterable[Mailbox]) -> list[str]:
    return [m.address.exact if m.address else m.text for m in mailboxes]


def _parties(mail: Mail, metadata: RawMetadata) -> tuple[Parties, bool]:
    """And whether there were more recipients than are looked at."""
    headers = mail.headers
    senders, unparseable = _senders(headers)
    room = RECIPIENTS_LOOKED_AT
    to = _addresses(headers.to)
    cc = _addresses(headers.cc)
    bcc = _addresses(headers.bcc)
    limited = len(to) + len(cc) + len(bcc) > room
    parties = Parties(
        from_=senders,
        from_unparseable=unparseable,
        reply_to=_addresses(headers.reply_to)[:room],
        original=_addresses(headers.original_sender)[:room],
        to=to[:room],
        cc=cc[: max(0, room - len(to))],
        bcc=bcc[: max(0, room - len(to) - len(cc))],
        kind=_kind(mail, metadata),
        role=metadata.role,
        delivered=headers.delivered,
        auth_failed=headers.auth_failed,
        sensitivity=headers.sensitivity,
    )
    return parties, limited


def _senders(headers: Headers) -> tuple[tuple[Address, ...], bool]:
    """The distinct From addresses; one beside an unreadable one is nobody's word: none at all."""
    found = _addresses(headers.from_)
    unread = [mailbox for mailbox in headers.from_ if mailbox.address is None]
    if unread and found:
        return (), False
    return found, bool(unread)


def _addresses(mailboxes: Iterable[Mailbox]) -> tuple[Address, ...]:
    return tuple({m.address.exact: m.address for m in mailboxes if m.address}.values())


def _kind(mail: Mail, metadata: RawMetadata) -> str:
    r"""A draft by flag or folder says so nowhere in its bytes."""
    drafted = metadata.role == "drafts" or any(f.lower() == "\\draft" for f in metadata.flags)
    return "draft" if drafted else mail.kind


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


def with_way(read: ReadCopy, direction: str, via: str) -> Facts:
    return replace(read.facts, direction=direction, via=via)
