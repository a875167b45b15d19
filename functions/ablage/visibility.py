"""Who sees what of a message. Pure.

A viewer of an account (its owner, its viewers, a token for all mailboxes) sees every mail of which
a copy lies in it. Everybody else sees filed mail alone, as far as the accounts that contributed to
it allow: the widest of their visibilities. A variant (a copy of other content) widens nothing: who
has one sees his own content, never the main one. Of Bcc, and of a filing that only Bcc led to,
nobody hears but the viewers of the mailbox it was sent from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ablage.accounts import Account
from ablage.delivery_reports import DELIVERY_FAILED
from ablage.messages import (
    CONTENT_DIGITS,
    OWN_ADDRESS,
    REVIEW,
    Copy,
    DeliveryFailure,
    Entity,
    Filing,
    Message,
)

Access = Literal["full", "headers"]
Accounts = Mapping[str, Account]

BCC = "bcc"
CONTRIBUTES, SEES = "", "!"  # marks before an account id; no id begins with one
MORE = "*"  # not all accounts had room: the message itself has to be asked
MARK_BYTES = 72
TENANTS_OWN = "@"  # no id of a mailbox begins with it: a copy that lies in none
_WIDEST_FIRST: tuple[Access, ...] = ("full", "headers")
_SENT = "sent"


@dataclass(frozen=True)
class Viewer:
    """Who asks. `subject` may be empty: then he is nobody's owner or viewer."""

    subject: str
    all_mailboxes: bool = False

    def views(self, account: Account | None) -> bool:
        """False of an account that is not known (any more), but for all mailboxes."""
        if self.all_mailboxes:
            return True
        if account is None or not self.subject:
            return False
        return self.subject in (account.owner, *account.viewers)


@dataclass(frozen=True)
class Sight:
    """A message as one viewer may know it: `message` lacks whatever he must not hear of, so every
    answer is made from it alone. `access`: of `headers` there is no body, snippet or bytes. `bcc`:
    Bcc is his to know. `bytes`: SHA-256 of the mails that lie in his own mailboxes; of others he is
    not told the fields that name a mailbox (`ablage.mail_redaction`). `hidden`: where it is filed
    beyond what he sees. `is_variant`: he has other content in his mailbox, and that is all he
    sees: nothing lets him change what the others have."""

    message: Message
    access: Access
    bcc: bool
    bytes: frozenset[str] = frozenset()
    hidden: frozenset[Entity] = frozenset()
    is_variant: bool = False


def see(viewer: Viewer, message: Message, accounts: Accounts) -> Sight | None:
    """None: for this viewer there is no such message. `accounts`: those of the copies, by id, as
    they are now (not needed for a token for all mailboxes)."""
    if viewer.all_mailboxes:
        return Sight(message, "full", True, _bytes(message.copies))
    sight = _seen(viewer, message, accounts)
    if sight is None:
        return None
    return replace(sight, hidden=frozenset(message.filings) - frozenset(sight.message.filings))


def _seen(viewer: Viewer, message: Message, accounts: Accounts) -> Sight | None:
    viewed = {a for a in message.accounts if viewer.views(accounts.get(a))}
    bcc = _may_see_bcc(message, accounts, viewed)
    known = message if bcc else without_bcc(message)
    theirs = [copy for copy in message.copies if copy.account_id in viewed]
    if any(copy.digest == message.digest for copy in theirs):
        return Sight(_redacted(known, accounts, viewed), "full", bcc, _bytes(theirs))
    shown = _shown_to_all(known, accounts)
    if theirs and shown != "full":
        variant = _as_variant(_redacted(known, accounts, viewed), theirs, is_shown=bool(shown))
        return Sight(variant, "full", bcc, _bytes(theirs), is_variant=True)
    if shown is None:
        return None
    redacted = _redacted(known, accounts, viewed)
    return Sight(redacted if shown == "full" else _without_body(redacted), shown, bcc)


def _without_body(message: Message) -> Message:
    return replace(message, facts=replace(message.facts, snippet=""))


def _bytes(copies: Iterable[Copy]) -> frozenset[str]:
    return frozenset(copy.sha256 for copy in copies)


def _shown_to_all(message: Message, accounts: Accounts) -> Access | None:
    """What others see: of unfiled and of private mail nothing."""
    if message.private or not message.filings:
        return None
    return _widest(contributors(message), accounts)


def _widest(account_ids: Iterable[str], accounts: Accounts) -> Access | None:
    found = {_visibility(accounts.get(a), a) for a in account_ids}
    return next((access for access in _WIDEST_FIRST if access in found), None)


def _visibility(account: Account | None, account_id: str) -> str:
    """Mail the tenant's own system sent lies in no mailbox: all see it. An account nobody knows
    shows nothing."""
    if account_id.startswith(TENANTS_OWN):
        return "full"
    return account.shown_to_others if account else "viewers"


def contributors(message: Message) -> list[str]:
    """Accounts whose copies are of the main content and were decided; filed by hand alone, those
    that have the content."""
    main = [copy for copy in message.copies if copy.digest == message.digest]
    decided = [copy for copy in main if not copy.gated]
    return list(dict.fromkeys(copy.account_id for copy in decided or main))


# ---- Bcc -----------------------------------------------------------------------------------------


def has_bcc(message: Message) -> bool:
    return bool(message.facts.bcc) or any(d.where == BCC for d in message.decisions)


def is_by_bcc(filing: Filing) -> bool:
    """Nothing but Bcc led there."""
    paths = filing.paths
    return "manual" not in filing.origins and bool(paths) and all(map(_is_bcc, paths))


def without_bcc(message: Message) -> Message:
    """As if its Bcc were not known."""
    if not has_bcc(message) and not any(map(is_by_bcc, message.filings.values())):
        return message
    decisions = tuple(d for d in message.decisions if d.where != BCC)
    hit = {hit for d in message.decisions if d.where == BCC for hit in d.hits}
    hit -= {hit for d in decisions for hit in d.hits}
    filings = {e: _openly(f) for e, f in message.filings.items() if not is_by_bcc(f)}
    delivery = tuple(f for f in message.delivery if _is_open(message, f))
    return replace(
        message,
        facts=replace(message.facts, bcc=()),
        decisions=decisions,
        filings=filings,
        tombstones=frozenset(e for e in message.tombstones if str(e) not in hit),
        dormant=tuple((c, d) for c, d in message.dormant if d.where != BCC),
        delivery=delivery,
        flags=message.flags if delivery else message.flags - {DELIVERY_FAILED},
    )


def _is_open(message: Message, failure: DeliveryFailure) -> bool:
    """Everybody may know that it went there: it did in To or Cc."""
    written = {d.address for d in message.decisions if d.where in ("to", "cc")}
    named = any(
        failure.recipient in text.lower() for text in (*message.facts.to, *message.facts.cc)
    )
    return failure.recipient in written or named


def _may_see_bcc(message: Message, accounts: Accounts, viewed: Iterable[str]) -> bool:
    """Bcc is known to the Sent copy alone. Somebody else's account with a copy in a sent folder has
    no say."""
    sent = {copy.account_id for copy in message.copies if copy.role == _SENT} & set(viewed)
    return any(_sends_as(accounts[account], message.facts.from_key) for account in sent)


def _sends_as(account: Account, from_key: str) -> bool:
    return bool({account.own, *account.aliases} & {from_key, "@" + from_key.rpartition("@")[2]})


def _is_bcc(path: str) -> bool:
    return path.startswith(f"{BCC}:")


def _openly(filing: Filing) -> Filing:
    """What else led there; where only Bcc and a hand did, the hand."""
    paths = tuple(path for path in filing.paths if not _is_bcc(path))
    by_hand = filing.paths and not paths
    origins = filing.origins - {"auto"} if by_hand else filing.origins
    return replace(filing, paths=paths, origins=origins)


# ---- what others' mailboxes know -----------------------------------------------------------------


def _redacted(message: Message, accounts: Accounts, viewed: set[str]) -> Message:
    """Without copies in mailboxes that are not shown to the viewer, nor what they alone tell."""
    shown = viewed | set(_openly_contributing(message, accounts))
    hidden = [a for a in message.accounts if a not in shown]
    own = {accounts[a].own for a in hidden if a in accounts}
    own -= {accounts[a].own for a in shown if a in accounts}
    copies = tuple(copy for copy in message.copies if copy.account_id in shown)
    contents = {digest[:CONTENT_DIGITS] for digest in (message.digest, *(c.digest for c in copies))}
    return replace(
        message,
        copies=copies,
        archived={content: sha for content, sha in message.archived.items() if content in contents},
        decisions=tuple(
            d for d in message.decisions if d.where != OWN_ADDRESS or d.address not in own
        ),
        filings={entity: _without_own(f, own) for entity, f in message.filings.items()},
    )


def _openly_contributing(message: Message, accounts: Accounts) -> list[str]:
    if message.private or not message.filings:
        return []
    return [a for a in contributors(message) if _widest([a], accounts)]


def _without_own(filing: Filing, own: set[str]) -> Filing:
    paths = {f"{OWN_ADDRESS}:{address}" for address in own}
    return replace(filing, paths=tuple(path for path in filing.paths if path not in paths))


def _as_variant(message: Message, theirs: Sequence[Copy], *, is_shown: bool) -> Message:
    """The content the viewer's own mailbox has, in place of the main one; of the main one's facts
    only what both have in common by the message's identity, and its filings if others see it."""
    facts = replace(message.facts, snippet="", to=(), cc=(), attachments=0)
    return replace(
        message,
        digest=theirs[0].digest,
        facts=facts,
        copies=tuple(theirs),
        decisions=(),
        dormant=(),
        filings=message.filings if is_shown else {},
        tombstones=message.tombstones if is_shown else frozenset(),
    )


# ---- list rows -----------------------------------------------------------------------------------


def access_mark(message: Message, entity: Entity) -> list[str]:
    """What a list row at `entity` keeps of who may see it: account ids, bare where the account's
    visibility counts for everybody, after `!` where its viewers alone see it. At most MARK_BYTES;
    `*` where that is not all of them."""
    filing = message.filings.get(entity)
    main = dict.fromkeys(c.account_id for c in message.copies if c.digest == message.digest)
    if filing and is_by_bcc(filing):  # the message is no help here: it may be filed elsewhere too
        sent = dict.fromkeys(c.account_id for c in message.copies if c.role == _SENT)
        return [mark for mark in _within([SEES + account for account in sent]) if mark != MORE]
    is_open = filing is not None and not message.private and entity != REVIEW
    wide = contributors(message) if is_open else []
    marks = [*(CONTRIBUTES + a for a in wide), *(SEES + a for a in main if a not in wide)]
    return _within(marks)


def _within(marks: Sequence[str]) -> list[str]:
    kept: list[str] = []
    room = MARK_BYTES
    for mark in marks:
        room -= len(mark) + 1
        if room < 0:
            return [*kept, MORE]
        kept.append(mark)
    return kept


def marked_accounts(mark: Iterable[str]) -> list[str]:
    return [entry.removeprefix(SEES) for entry in mark if entry != MORE]


def row_access(viewer: Viewer, mark: Sequence[str], accounts: Accounts) -> Access | None:
    """What the viewer sees of a row; None: not even that it is there. Where MORE is among `mark`
    and this is not `full`, the message itself has to be asked."""
    if any(viewer.views(accounts.get(account)) for account in marked_accounts(mark)):
        return "full"
    return _widest([entry for entry in mark if entry[:1] not in (SEES, MORE)], accounts)
