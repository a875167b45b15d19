"""A mail as matching sees it: its identity, and who takes part in it. Pure."""

from collections.abc import Iterable, Sequence

from ablage.addresses import Address
from ablage.headers import Headers, Mailbox
from ablage.limits import RECIPIENTS_LOOKED_AT
from ablage.mail import Mail
from ablage.matching import Parties
from ablage.messages import message_id


def mail_identity(mail: Mail) -> str:
    """matching 6.3; whoever wrote an unreadable From is told apart by its text."""
    headers = mail.headers
    recipients = sorted(_exact(headers.to) + _exact(headers.cc))
    otherwise = [*recipients, headers.subject, mail.digest]
    return message_id(headers.message_id, sender_text(headers), headers.date, otherwise)


def header_identity(headers: Headers) -> str:
    """The id of a mail of which only the header is at hand; empty without a Message-ID."""
    if not headers.message_id:
        return ""
    return message_id(headers.message_id, sender_text(headers), headers.date, ())


def sender_text(headers: Headers) -> str:
    """From as it counts for the identity."""
    return " ".join(sorted(_exact(headers.from_)))


def parties_of(
    mail: Mail, role: str, flags: Sequence[str] = (), folder: str = ""
) -> tuple[Parties, bool]:
    """And whether there were more recipients than are looked at. `role`, `flags` and `folder` (its
    id) are of the copy: a draft by flag or folder says so nowhere in its bytes."""
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
        kind=_kind(mail, role, flags),
        role=role,
        folder=folder,
        delivered=headers.delivered,
        evidence=headers.evidence,
        sensitivity=headers.sensitivity,
    )
    return parties, limited


def _exact(mailboxes: Iterable[Mailbox]) -> list[str]:
    return [m.address.exact if m.address else m.text for m in mailboxes]


def _senders(headers: Headers) -> tuple[tuple[Address, ...], bool]:
    """The distinct From addresses; one beside an unreadable one is nobody's word: none at all."""
    found = _addresses(headers.from_)
    unread = [mailbox for mailbox in headers.from_ if mailbox.address is None]
    if unread and found:
        return (), False
    return found, bool(unread)


def _addresses(mailboxes: Iterable[Mailbox]) -> tuple[Address, ...]:
    return tuple({m.address.exact: m.address for m in mailboxes if m.address}.values())


def _kind(mail: Mail, role: str, flags: Sequence[str]) -> str:
    drafted = role == "drafts" or any(flag.lower() == "\\draft" for flag in flags)
    return "draft" if drafted else mail.kind
