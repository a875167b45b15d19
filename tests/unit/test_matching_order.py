"""Copies of equal content, met with one index and one policy: their order does not matter."""

from dataclasses import replace
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.walks import INFO, MAX, Arriving, contact, knowing, mail, walked

from ablage.messages import OWN_ADDRESS, Message

ADDRESSES = ("info@own.de", "max@own.de", "kunde@k.de", "two@z.de", "x@y.de", "a@blocked.de")
RICH = {"info@own.de": contact("boss", own=("a1",)), "a@blocked.de": contact("c8")}
ACCOUNTS = (INFO, MAX, replace(INFO, account_id="a3", filing_enabled=False))

addresses = st.lists(st.sampled_from(ADDRESSES), max_size=3, unique=True).map(", ".join)
known = st.builds(
    lambda own_address, hold_fail, internal, inbound, reply_to: knowing(
        RICH,
        "blocked.de",
        own_address=own_address,
        hold_fail=hold_fail,
        file_internal_mail=internal,
        match_inbound_recipients=inbound,
        match_reply_to=reply_to,
        fan_out_flag=1,
    ),
    st.sampled_from(("file", "ask", "skip")),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@st.composite
def copies(draw: st.DrawFn) -> list[Arriving]:
    """One mail as three mailboxes have it: their own trace, folder and Bcc. A draft is none yet."""
    sender = draw(st.sampled_from(ADDRESSES))
    fields = [f"From: {sender}", f"To: {draw(addresses)}", f"Cc: {draw(addresses)}"]
    fields += draw(st.sampled_from(([], ["Reply-To: kunde@k.de"], ["X-Original-From: two@z.de"])))
    index = draw(known)
    found = []
    for account in ACCOUNTS:
        trace = draw(st.sampled_from(("", "pass", "fail")))
        results = [f"Authentication-Results: mx; dmarc={trace}"] if trace else []
        bcc = [f"Bcc: {draw(addresses)}"] if not trace and draw(st.booleans()) else []
        private = draw(st.sampled_from(([], [], ["Sensitivity: private"])))
        role = draw(st.sampled_from(("inbox", "sent")))
        raw = mail(*results, *fields, *bcc, *private)
        found.append(Arriving(raw, index, account, role=role))
    return found


def through(path: str) -> tuple[bool, str]:
    """By the rule and the address: where an address was met first is the order's to say."""
    where, _, address = path.partition(":")
    return where == OWN_ADDRESS, address


def outcome(message: Message) -> tuple[object, ...]:
    decided = frozenset((d.address, d.reason, frozenset(d.hits)) for d in message.decisions)
    links = frozenset(
        (e, f.origins, frozenset(map(through, f.paths))) for e, f in message.filings.items()
    )
    facts = message.facts
    way = (facts.direction, frozenset(facts.bcc), facts.authentication)
    return links, decided, way, message.review, message.private, message.flags


@settings(max_examples=80, deadline=None)
@given(copies())
def test_copies_end_the_same_in_any_order(arriving: list[Arriving]) -> None:
    outcomes = {outcome(walked(*order)) for order in permutations(arriving)}

    assert len(outcomes) == 1
