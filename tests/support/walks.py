"""Mails walked through matching without a store: bytes in, the message they become out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ablage.accounts import Account
from ablage.copies import Arrival, add_copy
from ablage.filings import Intent
from ablage.mail import read_mail
from ablage.mail_parties import mail_identity, parties_of
from ablage.matching import IndexEntry, Knowledge, decide, vouched_for
from ablage.messages import Copy, Entity, Facts, Message, next_version, sort_time
from ablage.policy import Policy
from ablage.tenancy import TenantId

RECEIVED = "2026-11-20T10:00:05Z"
INTERNAL_DATE = datetime.fromisoformat(RECEIVED)
INFO = Account(
    tenant=TenantId("acme"),
    account_id="a1",
    address="info@own.de",
    own="info@own.de",
    host="imap.own.de",
    port=993,
    username="info",
    version=1,
    filing_enabled=True,
    filing_since="2026-11-01T00:00:00Z",
)
MAX = replace(INFO, account_id="a2", address="max@own.de", own="max@own.de")
OWN = {"info@own.de": IndexEntry(own=("a1",)), "max@own.de": IndexEntry(own=("a2",))}


def contact(
    *contacts: str, customers: tuple[str, ...] = (), own: tuple[str, ...] = ()
) -> IndexEntry:
    return index_entry(dict.fromkeys(contacts, customers), own=own)


def index_entry(
    contacts: Mapping[str, tuple[str, ...]] | None = None,
    customers: tuple[str, ...] = (),
    own: tuple[str, ...] = (),
) -> IndexEntry:
    """Contacts with their customers, and customers, that carry an address."""
    records = {
        Entity("contact", one): tuple(Entity("customer", k) for k in of)
        for one, of in (contacts or {}).items()
    }
    return IndexEntry(records | {Entity("customer", k): () for k in customers}, own)


INDEX = OWN | {
    "kunde@k.de": contact("c1", customers=("k1",)),
    "two@z.de": contact("c2", customers=("k2",)),
}


def knowing(
    index: dict[str, IndexEntry] | None = None, *blocked: str, **policy: object
) -> Knowledge:
    made = Policy(**policy)  # type: ignore[arg-type]  names checked by the dataclass
    return Knowledge(INDEX | (index or {}), frozenset(blocked), made)


def mail(*fields: str, body: str = "Hello") -> bytes:
    """A mail of Friday noon with these fields; one named again replaces the usual one."""
    named = {field.partition(":")[0].lower() for field in fields}
    usual = {
        "message-id": "Message-ID: <m1@k.de>",
        "date": "Date: Fri, 20 Nov 2026 10:00:00 +0000",
        "subject": "Subject: Offer",
    }
    lines = [*fields, *(line for name, line in usual.items() if name not in named)]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}\r\n").encode()


@dataclass(frozen=True)
class Arriving:
    """A copy of `raw` in an account's folder, met with what is known then."""

    raw: bytes
    known: Knowledge
    account: Account = INFO
    role: str = "inbox"
    flags: tuple[str, ...] = ()
    uid: int = 1
    uidvalidity: int = 1
    received_at: str = RECEIVED

    @property
    def identity(self) -> str:
        return mail_identity(read_mail(self.raw))

    def arrival(self) -> Arrival:
        read = read_mail(self.raw)
        folder = (self.role or "projects").ljust(16, "0")
        parties, limited = parties_of(read, self.role, self.flags, folder)
        decision = decide(parties, self.account, self.received_at, self.known)
        lifted = decide(vouched_for(parties), self.account, self.received_at, self.known)
        headers = read.headers
        sorted_at, implausible = sort_time(headers.date, headers.received, INTERNAL_DATE)
        flags = {"fan_out_limited": limited, "date_implausible": implausible}
        sender = parties.sender
        return Arrival(
            tenant=self.account.tenant,
            message_id=self.identity,
            copy=Copy(
                self.account.account_id,
                folder,
                self.uidvalidity,
                self.uid,
                self.received_at,
                read.sha256,
                read.digest,
                self.role,
            ),
            facts=Facts(
                from_key=sender.exact if sender else "", kind=parties.kind, bcc=_bcc(parties.bcc)
            ),
            decision=decision,
            sort_time=sorted_at,
            flags=frozenset(flag for flag, raised in flags.items() if raised),
            expires=1_800_000_000,
            vouched=lifted if decision.is_held else None,
        )

    def __call__(self, message: Message | None) -> Message | None:
        return add_copy(self.arrival())(message)


def _bcc(addresses: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(str(address) for address in addresses[:10])


Step = Arriving | Intent | Callable[[Message], Message]


def walked(*steps: Step) -> Message:
    """The message after every step. Copies of another identity are other messages, left out."""
    message: Message | None = None
    first: str | None = None
    for step in steps:
        if isinstance(step, Arriving):
            first = first or step.identity
            if step.identity != first:
                continue
        wanted = step(message)  # type: ignore[arg-type]  only the first step meets nothing
        message = next_version(message, wanted) if wanted else message
    assert message is not None
    return message


def filed(message: Message) -> set[str]:
    return {str(entity) for entity in message.filings}
