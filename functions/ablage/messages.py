"""A message: what is filed once, however many mailboxes it lies in. The truth all rows are made
from."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ablage.tenancy import TenantId

OWN_ADDRESS = "own_address"
REASONS = (
    "manual", "tombstone", "private", "filing_off", "before_since", "kind", "blocklist",
    OWN_ADDRESS, "internal", "matched", "ambiguous_sender", "unparseable", "claimed_own",
    "no_match",
)  # fmt: skip  # the closed list, in the order of the gates
CLAIMED_OWN: tuple[str, tuple[str, ...]] = ("claimed_own", ())  # reasons and hits of held mail
HELD_FAIL = ("ambiguous_sender", ("authentication:fail",))  # by policy hold_fail
HELD, ACCEPTED, REJECTED = "held", "accepted", "rejected"  # of a review
FAN_OUT = "fan_out"  # flag: one address filed it at more contacts than policy finds usual
BODY_NOT_STORED = "body_not_stored"  # its server gives the header alone, or it is too large
LIMITED = "limited"  # not all of its content could be read
CONTENT_FLAGS = frozenset({BODY_NOT_STORED, LIMITED})  # of the main content
ID_LENGTH = 26
CONTENT_DIGITS = 16  # hex digits of a content digest that tell contents apart
EARLIEST_DATE = datetime(1980, 1, 1, tzinfo=UTC)
LATEST_DATE = datetime(2200, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)
STALE_DATE = timedelta(days=30)


@dataclass(frozen=True, order=True)
class Entity:
    """Anything a mail can be filed at. `kind` is contact, customer, or any type the tenant
    names."""

    kind: str
    entity_id: str

    def __str__(self) -> str:
        return f"{self.kind}#{self.entity_id}"

    @classmethod
    def parse(cls, text: str) -> "Entity":
        kind, _, entity_id = text.partition("#")
        return cls(kind, entity_id)


REVIEW = Entity("!review", "list")  # no tenant can name it: its archive is the review list


@dataclass(frozen=True)
class Copy:
    """One mail in one account: the idempotency of sync. `digest` is of the decoded content, both
    hex."""

    account_id: str
    folder_id: str
    uidvalidity: int
    uid: int
    received_at: str
    sha256: str
    digest: str
    role: str = ""
    retention: str = "30d"
    gated: bool = False

    @property
    def copy_id(self) -> str:
        return f"{self.account_id}/{self.folder_id}/{self.uidvalidity}/{self.uid}"


@dataclass(frozen=True)
class Facts:
    """What a list row and a message page show. Texts are cut; the bytes in S3 have the rest.

    `bcc` is known only to a Sent copy and shown only to its viewers.
    """

    subject: str = ""
    sender: str = ""
    from_key: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    date: str = ""
    mail_id: str = ""
    kind: str = "normal"
    snippet: str = ""
    direction: str = "inbound"
    via: str = ""
    size: int = 0
    attachments: int = 0
    authentication: str = "none"


@dataclass(frozen=True)
class AddressDecision:
    """What was decided about one looked-at address: where it stood, the gate that decided, what
    it hit."""

    address: str
    where: str
    reason: str
    hits: tuple[str, ...] = ()

    @property
    def is_held(self) -> bool:
        """Stopped because the provider says that the sender is forged: a person reviews it."""
        return (self.reason, self.hits) in (CLAIMED_OWN, HELD_FAIL)


def identity(decision: AddressDecision) -> tuple[str, bool]:
    """A decision is made once per address; the own-address rule is beside it."""
    return decision.address, decision.where == OWN_ADDRESS


@dataclass(frozen=True)
class Filing:
    """One message at one entity. `origins` holds auto, manual, or both; `paths` say why."""

    origins: frozenset[str]
    paths: tuple[str, ...] = ()
    by: str = ""
    at: str = ""


@dataclass(frozen=True)
class Event:
    """What happened to a message: `kind` is `filed|unfiled|held`. Its id is message + version +
    entity + kind. `at` is where it stands in the feed (epoch milliseconds; a repair may move it
    there), `by` the person, `batch` the job that did it."""

    version: int
    entity: Entity
    kind: str
    at: int = 0
    by: str = ""
    batch: str = ""


@dataclass(frozen=True)
class DeliveryFailure:
    """A recipient who did not get a mail that went out: `status` as RFC 3463 (`5.1.1`, may be
    empty), `report` the message id of the delivery report that says so."""

    recipient: str
    status: str
    report: str = ""


@dataclass(frozen=True)
class Message:
    """Version 0 is never stored. `gone` and `outbox` are what is owed until `settled`; `history`
    are the last events that were owed once.

    `archived`: content digest (16 hex digits) -> SHA-256 of the archived bytes. `expires`: epoch
    seconds, None = kept. `dormant`: by content digest (16 hex digits), what variants would have
    contributed. `spilled`: a version before this one has parts.
    `review`: `held` while somebody has to look, then `accepted` or `rejected`.
    `acting`: the person who takes filings away, until the events that tell so are owed; not stored.
    `batches`: ids of the last batches that changed it. `versions`: of the normaliser and of the
    policy it was last decided by; empty if it was before they were kept.
    """

    tenant: TenantId
    message_id: str
    sort_time: str
    facts: Facts
    digest: str
    version: int = 0
    settled: bool = True
    copies: tuple[Copy, ...] = ()
    decisions: tuple[AddressDecision, ...] = ()
    filings: Mapping[Entity, Filing] = field(default_factory=dict)
    tombstones: frozenset[Entity] = frozenset()
    private: str = ""
    review: str = ""
    flags: frozenset[str] = frozenset()
    gone: frozenset[Entity] = frozenset()
    outbox: tuple[Event, ...] = ()
    history: tuple[Event, ...] = ()
    dormant: tuple[tuple[str, AddressDecision], ...] = ()
    archived: Mapping[str, str] = field(default_factory=dict)
    delivery: tuple[DeliveryFailure, ...] = ()
    expires: int | None = None
    spilled: bool = False
    batches: tuple[str, ...] = ()
    versions: tuple[int, ...] = ()
    acting: str = ""

    @property
    def accounts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(copy.account_id for copy in self.copies))

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened to it, oldest first; of many the last."""
        return (*self.history, *self.outbox)

    @property
    def awaits_decision(self) -> bool:
        """Accepted, and what was held is still to be decided."""
        return self.review == ACCEPTED and any(d.is_held for d in self.decisions)

    def has_copy(self, copy_id: str) -> bool:
        return any(copy.copy_id == copy_id for copy in self.copies)

    def first_copy(self, account_id: str) -> Copy:
        return next(copy for copy in self.copies if copy.account_id == account_id)

    def reason(self) -> str:
        """The one reason a list shows: what filed it, else the gate that stopped it first."""
        if any("manual" in filing.origins for filing in self.filings.values()):
            return "manual"
        if self.filings:
            return _filed_by(self.filings.values())
        if self.private and self.review != REJECTED:
            return "private"
        if self.tombstones:
            return "tombstone"
        reasons = {decision.reason for decision in self.decisions}
        return next((reason for reason in REASONS if reason in reasons), "no_match")


def _filed_by(filings: Iterable[Filing]) -> str:
    own = any(path.startswith(f"{OWN_ADDRESS}:") for f in filings for path in f.paths)
    return OWN_ADDRESS if own else "matched"


def next_version(current: Message | None, wanted: Message, at: int = 0) -> Message:
    """`wanted` as the version after `current`: pending, with everything the difference owes. `at`:
    where its events will stand in the feed."""
    before = current.filings if current else {}
    version = (current.version if current else 0) + 1
    owed = current.gone if current else frozenset()
    review = _review(wanted)
    lost = (owed | set(before)) - set(wanted.filings)
    events = _events(current, wanted, is_held=review == HELD)
    lost = lost - {REVIEW} if review == HELD else lost | _reviewed(current)
    keep = (
        wanted.filings or wanted.tombstones or wanted.private or (current and not current.expires)
    )
    return replace(
        wanted,
        version=version,
        settled=False,
        gone=frozenset(lost),
        review=review,
        outbox=(
            *(current.outbox if current else ()),
            *(replace(event, version=version, at=at) for event in events),
        ),
        expires=None if keep else wanted.expires,
        acting="",
    )


def _events(before: Message | None, after: Message, *, is_held: bool) -> Iterator[Event]:
    known = before.filings if before else {}
    batches = before.batches if before else ()
    batch = after.batches[-1] if after.batches[-1:] != batches[-1:] else ""
    for entity, filing in after.filings.items():
        if entity not in known:
            yield Event(0, entity, "filed", by=filing.by, batch=batch)
    for entity in known:
        if entity not in after.filings:
            yield Event(0, entity, "unfiled", by=after.acting, batch=batch)
    if is_held and (before is None or before.review != HELD):
        yield Event(0, REVIEW, "held", batch=batch)


def _review(wanted: Message) -> str:
    """Held for as long as a held decision stands and nobody gave a verdict."""
    if wanted.review in (ACCEPTED, REJECTED):
        return wanted.review
    held = any(decision.is_held for decision in wanted.decisions)
    return HELD if held and not wanted.private else ""


def _reviewed(before: Message | None) -> frozenset[Entity]:
    return frozenset({REVIEW}) if before and before.review == HELD else frozenset()


def message_id(mail_id: str, sender: str, date: datetime | None, otherwise: Iterable[str]) -> str:
    """The identity of a mail within a tenant: (Message-ID, From, Date); without a Message-ID,
    `otherwise`
    (To and Cc sorted, Subject, content digest) takes its place. 26 lower-case base32 characters."""
    moment = utc_text(date) if date else ""
    parts = [mail_id, sender, moment] if mail_id else ["", sender, moment, *otherwise]
    number = int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:17])
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(alphabet[number >> 5 * place & 31] for place in range(ID_LENGTH))


def utc_text(moment: datetime) -> str:
    """RFC 3339, UTC, whole seconds, fixed width: sorts as text."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def plausible(moment: datetime | None) -> datetime | None:
    """None for a time no mail server has: it would overflow, or sort where nobody looks."""
    return moment if moment and EARLIEST_DATE <= moment < LATEST_DATE else None


def sort_time(
    date: datetime | None, received: datetime | None, internal_date: datetime
) -> tuple[str, bool]:
    """Where the message stands in every archive, and whether its Date was implausibly old."""
    reference = plausible(received) or plausible(internal_date) or EARLIEST_DATE
    if date is None or not EARLIEST_DATE <= date <= reference + CLOCK_SKEW:
        return utc_text(reference), False
    if reference - date > STALE_DATE:
        return utc_text(reference), True
    return utc_text(date), False
