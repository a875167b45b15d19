"""Sixty-five mails somebody walked through an earlier plan, each with the right outcome.

Where the contract differs from what that walk found right, the contract wins; `note` says so, and
what is not built: the case holds what is so today.
"""

from dataclasses import dataclass, field, replace

import pytest
from tests.support.walks import (
    INFO,
    MAX,
    Arriving,
    Step,
    contact,
    filed,
    knowing,
    mail,
    walked,
)

from ablage.filings import mark_private, unfile
from ablage.matching import Knowledge
from ablage.messages import Entity, Message, next_version
from ablage.policy import Policy
from ablage.reevaluation import merged, with_addresses
from ablage.store.message_items import message_items

KNOWN = knowing()
C1 = Entity("contact", "c1")
BOTH = {"contact#c1", "customer#k1"}
NOTHING: set[str] = set()
IN = mail("From: Max <kunde@k.de>", "To: info@own.de")
OUT = mail("From: info@own.de", "To: kunde@k.de")
OWN_DOMAIN = knowing(own_domains=("own.de",))
MOVED = knowing({"kunde@k.de": contact("c1", customers=("k9",))})
BOSS = knowing({"info@own.de": contact("boss", own=("a1",))})
FAILED = "Authentication-Results: mx.own.de; dmarc=fail header.from=%s"
REPORT = 'Content-Type: multipart/report; report-type=%s; boundary="b"'
CALENDAR = "Content-Type: text/calendar; method=%s"
GROUP = ("From: info@own.de", "X-Original-From: Max <kunde@k.de>", "Reply-To: kunde@k.de")
FORM = mail("From: wordpress@own.de", "To: info@own.de", "Reply-To: kunde@k.de")
STRANGER = mail("From: max.privat@gmx.de", "To: info@own.de")


@dataclass(frozen=True)
class Walk:
    mail: str
    steps: tuple[Step, ...]
    filed: set[str] = field(default_factory=lambda: BOTH)
    reason: str = "matched"
    direction: str = "inbound"
    kind: str = "normal"
    identities: int = 1
    flags: frozenset[str] = frozenset()
    note: str = ""


def at(raw: bytes, known: Knowledge = KNOWN, **more: object) -> Arriving:
    return Arriving(raw, known, **more)  # type: ignore[arg-type]  names checked by the dataclass


def nothing(reason: str) -> dict[str, object]:
    return {"filed": NOTHING, "reason": reason}


def walk(mail: str, *steps: Step, **expected: object) -> Walk:
    return Walk(mail, steps, **expected)  # type: ignore[arg-type]  same


def later_contact(message: Message) -> Message:
    return with_addresses(message, {"kunde@k.de"}, KNOWN)


def merge_into_c9(message: Message) -> Message:
    return merged(message, C1, Entity("contact", "c9"))


MERGED = knowing({"kunde@k.de": contact("c9")})
UNKNOWN = Knowledge({k: v for k, v in KNOWN.index.items() if "own" in k}, frozenset(), Policy())
NEWSLETTER = mail(
    "From: info@own.de",
    "To: info@own.de",
    "Bcc: " + ",".join(f"p{n}@list.de" for n in range(500)),
    "List-Unsubscribe: <https://own.de>",
)
READERS = knowing({f"p{n}@list.de": contact(f"p{n}") for n in range(500)})

WALKS = {
    1: walk("customer to the shared mailbox", at(IN)),
    2: walk("customer to two mailboxes", at(IN), at(IN, account=MAX)),
    3: walk("the second mailbox a year later", at(IN), at(IN, MOVED, account=MAX)),
    4: walk("connected colleague to a customer, me in Cc",
            at(mail("From: max@own.de", "To: kunde@k.de", "Cc: info@own.de")),
            direction="outbound"),
    5: walk("colleague without account, me in Cc",
            at(mail("From: eva@own.de", "To: kunde@k.de", "Cc: info@own.de"), OWN_DOMAIN),
            direction="outbound"),
    6: walk("customer to me, another customer in Cc",
            at(mail("From: kunde@k.de", "To: info@own.de", "Cc: two@z.de"))),
    7: walk("contact to a mailing list that keeps From, and directly",
            at(mail("From: kunde@k.de", "To: l@list.org", "List-Id: <l.list.org>")), at(IN, uid=2),
            kind="bulk"),
    8: walk("a list that rewrites From to itself",
            at(mail("From: l@list.org", "Reply-To: kunde@k.de"), knowing(match_reply_to=True)),
            note="a foreign From is never relayed: only by policy match_reply_to"),
    9: walk("info@ is a Google Group", at(mail(*GROUP, "To: info@own.de"))),
    10: walk("the same with an external Cc",
             at(mail(*GROUP, "To: info@own.de", "Cc: two@z.de"))),
    11: walk("web form of our own domain", at(FORM, OWN_DOMAIN)),
    12: walk("web form, own domain on the blocklist",
             at(FORM, knowing(None, "own.de", own_domains=("own.de",)))),
    13: walk("a customer's mail forwarded inline to info@",
             at(mail("From: max@own.de", "To: info@own.de", body="From: kunde@k.de")),
             **nothing("no_match"), direction="outbound"),
    14: walk("forwarded as an attachment",
             at(mail("From: max@own.de", "To: info@own.de", "Content-Type: message/rfc822",
                     body="From: kunde@k.de\r\nTo: max@own.de\r\n\r\nHi")),
             **nothing("no_match"), direction="outbound"),
    15: walk("redirected by a server, DMARC fails",
             at(mail(FAILED % "k.de", "From: kunde@k.de", "To: info@own.de")),
             note="forwarders cannot be exempted from hold_fail: it is off by default"),
    16: walk("customer from a private address", at(STRANGER), **nothing("no_match"),
             note="no suggestions by thread yet"),
    17: walk("sent from an undeclared alias",
             at(mail("From: alias@firma.com", "To: kunde@k.de"), role="sent"),
             direction="outbound"),
    18: walk("sent from a catch-all address",
             at(mail("From: egal@own.de", "To: kunde@k.de"), OWN_DOMAIN, role="sent"),
             direction="outbound"),
    19: walk("two Sent folders", at(OUT, role="sent"), at(OUT, role="sent", uidvalidity=2),
             direction="outbound"),
    20: walk("dots of a Gmail address",
             at(mail("From: maxkunde@gmail.com"),
                knowing({"max.kunde@gmail.com": contact("c3")})), **nothing("no_match")),
    21: walk("googlemail.com is gmail.com",
             at(mail("From: max@googlemail.com"), knowing({"max@gmail.com": contact("c3")})),
             filed={"contact#c3"}),
    22: walk("a +tag of a contact's address", at(mail("From: kunde+berlin@k.de")),
             **nothing("no_match")),
    23: walk("out of office", at(mail("Return-Path: <>", "From: kunde@k.de")),
             kind="auto_reply"),
    24: walk("read receipt",
             at(mail(REPORT % "disposition-notification", "From: kunde@k.de")),
             **nothing("kind"), kind="receipt"),
    25: walk("delivery report", at(mail(REPORT % "delivery-status", "From: kunde@k.de")),
             **nothing("kind"), kind="bounce"),
    26: walk("invitation", at(mail(CALENDAR % "REQUEST", "From: kunde@k.de")),
             kind="invitation"),
    27: walk("answer to an invitation", at(mail(CALENDAR % "REPLY", "From: kunde@k.de")),
             **nothing("kind"), kind="invitation_reply"),
    28: walk("ticket system, not in Sent",
             at(mail("From: support@own.de", "To: kunde@k.de"), OWN_DOMAIN),
             direction="outbound",
             note="no ingest by API yet: seen where a copy reaches a mailbox"),
    29: walk("invoice through SES, and its Bcc copy under another Message-ID",
             at(mail("From: erp@own.de", "To: kunde@k.de"), OWN_DOMAIN),
             at(mail("From: erp@own.de", "To: kunde@k.de", "Message-ID: <ses@aws>"), OWN_DOMAIN),
             direction="outbound", identities=2, note="two messages: identity is by Message-ID"),
    30: walk("Bcc to myself: copies in Inbox and Sent",
             at(OUT), at(mail("From: info@own.de", "To: kunde@k.de", "Bcc: two@z.de, info@own.de"),
                         role="sent"),
             filed={*BOTH, "contact#c2", "customer#k2"}, direction="outbound"),
    31: walk("the Sent copy has another Message-ID",
             at(OUT, role="sent"), at(mail("From: info@own.de", "To: kunde@k.de",
                                           "Message-ID: <b@k.de>"), account=MAX),
             direction="outbound", identities=2, note="no soft merge: two messages"),
    32: walk("draft stored in Sent", at(OUT, role="sent", flags=(r"\Draft",)),
             **nothing("kind"), direction="outbound", kind="draft"),
    33: walk("scheduled mail, edited after it was first saved",
             at(OUT, role="drafts"),
             at(mail("From: info@own.de", "To: kunde@k.de",
                     "Date: Fri, 20 Nov 2026 11:00:00 +0000"), role="sent"),
             **nothing("kind"), direction="outbound", kind="draft", identities=2,
             note="a new Date is a new message; the draft is not filed"),
    34: walk("own address is a contact, mail of a friend", at(STRANGER, BOSS),
             filed={"contact#boss"}, reason="own_address",
             note="filed without acknowledgement under the default policy `file`"),
    35: walk("the same with filing off there, copy through a colleague",
             at(STRANGER, BOSS, account=replace(INFO, filing_enabled=False)),
             at(STRANGER, BOSS, account=MAX), **nothing("no_match")),
    36: walk("own-address contact, blocked sender",
             at(STRANGER, knowing({"info@own.de": contact("boss", own=("a1",))}, "gmx.de")),
             **nothing("blocklist")),
    37: walk("internal mail, the colleague is a contact",
             at(mail("From: info@own.de", "To: max@own.de"),
                knowing({"max@own.de": contact("c3", own=("a2",))}), role="sent"),
             filed={"contact#c3"}, direction="outbound",
             note="filed without acknowledgement under the default policy `file`"),
    38: walk("contact archived", at(IN, UNKNOWN), **nothing("no_match")),
    39: walk("contact deleted, then a UIDVALIDITY change",
             at(IN), at(IN, UNKNOWN, uidvalidity=2)),
    40: walk("merged contacts, unfiled at one",
             at(IN), unfile(C1, "eva"), merge_into_c9, at(IN, MERGED, uidvalidity=2),
             filed={"customer#k1"}),
    41: walk("contact made after the mail", at(IN, UNKNOWN), later_contact),
    42: walk("the same for a sent mail", at(OUT, UNKNOWN, role="sent"), later_contact,
             direction="outbound"),
    43: walk("contact moved to another customer: new mail",
             at(IN, MOVED), filed={"contact#c1", "customer#k9"}),
    44: walk("another tenant has the same mailbox",
             at(IN, UNKNOWN, account=replace(INFO, tenant="acme2")), **nothing("no_match")),
    45: walk("shared mailbox connected twice",
             at(IN), at(IN, account=replace(INFO, account_id="a9")),
             note="two accounts, one message"),
    46: walk("sent as info@ from another mailbox", at(OUT, account=MAX, role="sent"),
             direction="outbound"),
    47: walk("resent by me to another customer, in my Sent",
             at(mail("From: kunde@k.de", "To: info@own.de", "Resent-From: info@own.de",
                     "Resent-To: two@z.de"), role="sent"),
             note="Resent fields are not looked at"),
    48: walk("spam from our own address, a customer in Cc",
             at(mail(FAILED % "own.de", "From: info@own.de", "Cc: kunde@k.de")),
             **nothing("claimed_own")),
    49: walk("spam in a customer's name",
             at(mail(FAILED % "k.de", "From: kunde@k.de"), knowing(hold_fail=True)),
             **nothing("ambiguous_sender"), note="held by policy hold_fail"),
    50: walk("no From, Sender known", at(mail("Sender: kunde@k.de")),
             **nothing("ambiguous_sender")),
    51: walk("two From mailboxes, one known", at(mail("From: kunde@k.de, eve@evil.de")),
             **nothing("ambiguous_sender"), note="not on the review list"),
    52: walk("forged copy of a known mail, other body, more Cc",
             at(IN), at(mail("From: kunde@k.de", "To: info@own.de", "Cc: two@z.de", body="Pay"),
                        account=MAX), flags=frozenset({"variant"})),
    53: walk("opaque S/MIME",
             at(mail("From: kunde@k.de", "Content-Type: application/pkcs7-mime", body="MIIB"))),
    54: walk("60 MB of drawings", at(mail("From: kunde@k.de", body="")),
             note="filed by the header alone; the bytes stream past matching"),
    55: walk("no Message-ID, two mailboxes",
             at(mail("Received: by a; x", "From: kunde@k.de", "Message-ID:")),
             at(mail("Received: by b; y", "From: kunde@k.de", "Message-ID:"), account=MAX)),
    56: walk("Date of 1970", at(mail("From: kunde@k.de", "Date: Thu, 01 Jan 1970 00:00:00 +0000"))),
    57: walk("Date of 2099", at(mail("From: kunde@k.de", "Date: Thu, 01 Jan 2099 00:00:00 +0000"))),
    58: walk("Date of 2009", at(mail("From: kunde@k.de", "Date: Thu, 01 Jan 2009 00:00:00 +0000")),
             flags=frozenset({"date_implausible"})),
    59: walk("moved to a folder before the sync", at(IN, role="")),
    60: walk("moved to a private folder",
             at(IN, role="", account=replace(INFO, folder_modes={"projects00000000": "private"})),
             **nothing("private")),
    61: walk("moved, UIDVALIDITY changed, contact moved",
             at(IN), at(IN, MOVED, role="", uidvalidity=2)),
    62: walk("private mail of a customer", at(IN), mark_private("anna"), **nothing("private")),
    63: walk("private mail, deleted in the mailbox", at(STRANGER), **nothing("no_match"),
             note="what is not filed expires with its retention class"),
    64: walk("Bcc to a contact",
             at(mail("From: info@own.de", "To: x@y.de", "Bcc: kunde@k.de"), role="sent"),
             direction="outbound"),
    65: walk("newsletter to 500 in Bcc", at(NEWSLETTER, READERS, role="sent"),
             filed={f"contact#p{n}" for n in range(500)}, direction="outbound", kind="bulk"),
}  # fmt: skip


@pytest.mark.parametrize("number", WALKS)
def test_a_walked_mail_ends_where_it_should(number: int) -> None:
    case = WALKS[number]

    message = walked(*case.steps)

    assert filed(message) == case.filed
    found = (message.reason(), message.facts.direction, message.facts.kind, message.flags)
    assert found == (case.reason, case.direction, case.kind, case.flags)
    copies = [step for step in case.steps if isinstance(step, Arriving)]
    assert len({copy.identity for copy in copies}) == case.identities
    assert len(message.copies) == sum(c.identity == copies[0].identity for c in copies)


def test_every_mail_of_the_walk_is_here() -> None:
    assert list(WALKS) == list(range(1, 66))


@pytest.mark.parametrize(("number", "sorted_at"), [(56, 10), (57, 10), (58, 10)])
def test_an_odd_date_sorts_by_what_the_server_saw(number: int, sorted_at: int) -> None:
    assert walked(*WALKS[number].steps).sort_time == f"2026-11-20T{sorted_at}:00:05Z"


def test_what_was_held_is_listed_and_what_is_unfiled_expires() -> None:
    held = [n for n in WALKS if walked(*WALKS[n].steps).review == "held"]

    assert held == [48, 49]
    assert walked(*WALKS[63].steps).expires == 1_800_000_000
    assert walked(*WALKS[1].steps).expires is None


def test_only_the_bcc_decision_says_that_it_was_bcc() -> None:
    assert [d.where for d in walked(*WALKS[64].steps).decisions] == ["to", "bcc"]


def test_five_hundred_filings_fit_their_items() -> None:
    message = walked(*WALKS[65].steps)
    item, parts = message_items(replace(next_version(None, message), version=1))

    assert len(repr(item)) < 400_000
    assert all(len(repr(part.entries)) < 400_000 for part in parts)
