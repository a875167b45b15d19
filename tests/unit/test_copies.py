"""What a further copy adds, whatever came before."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablage.copies import Arrival, add_copy
from ablage.filings import (
    Intent,
    file_by_hand,
    keep_only,
    mark_private,
    reject,
    unfile,
    unmark_private,
)
from ablage.matching import Decision
from ablage.messages import AddressDecision, Copy, Entity, Facts, Message, next_version
from ablage.tenancy import TenantId

C1, C2 = Entity("contact", "c1"), Entity("contact", "c2")
FROM_X = AddressDecision("x@kunde.de", "from", "matched", ("contact#c1",))
TO_Y = AddressDecision("y@kunde.de", "to", "matched", ("contact#c2",))
OWN = AddressDecision("me@own.de", "own_address", "own_address", ("contact#c2",))


def arrival(
    account: str = "a1",
    *decisions: AddressDecision,
    digest: str = "aa" * 32,
    direction: str = "inbound",
    via: str = "",
    bcc: tuple[str, ...] = (),
    authoritative: bool = False,
    private: bool = False,
    kind: str = "normal",
) -> Arrival:
    copy = Copy(account, "f" * 16, 1, 7, "2026-11-20T10:00:00Z", "bb" * 32, digest)
    facts = Facts(direction=direction, via=via, bcc=bcc, kind=kind)
    decision = Decision(direction, via, decisions, authoritative, "header" if private else "")
    tenant = TenantId("acme")
    return Arrival(
        tenant, "m", copy, facts, decision, "2026-11-20T10:00:00Z", frozenset(), 1_800_000_000
    )


def after(*arrivals: Arrival, start: Message | None = None) -> Message:
    message = start
    for one in arrivals:
        wanted = add_copy(one)(message)
        message = next_version(message, wanted) if wanted else message
    assert message is not None
    return message


def test_a_copy_seen_again_changes_nothing() -> None:
    message = after(arrival("a1", FROM_X))

    assert add_copy(arrival("a1", FROM_X))(message) is None


def test_a_second_copy_adds_only_addresses_no_copy_had() -> None:
    moved = AddressDecision("x@kunde.de", "from", "matched", ("contact#c9",))

    message = after(arrival("a1", FROM_X), arrival("a2", moved, TO_Y))

    assert set(message.filings) == {C1, C2}


def test_a_block_added_between_two_copies_removes_nothing() -> None:
    blocked = AddressDecision("x@kunde.de", "from", "blocklist", ("kunde.de",))

    assert set(after(arrival("a1", FROM_X), arrival("a2", blocked)).filings) == {C1}


def test_a_copy_of_an_account_that_does_not_file_leaves_the_address_open() -> None:
    off = AddressDecision("x@kunde.de", "from", "filing_off")

    message = after(arrival("a1", off), arrival("a2", FROM_X))

    assert set(message.filings) == {C1}
    assert message.decisions == (FROM_X,)


def test_a_mail_held_as_claimed_own_is_decided_by_its_sent_copy() -> None:
    held = AddressDecision("me@own.de", "from", "claimed_own")
    sent = arrival("a2", TO_Y, direction="outbound", via="sent", authoritative=True)

    message = after(arrival("a1", held), sent)

    assert (set(message.filings), message.facts.direction) == ({C2}, "outbound")


def test_a_later_sent_copy_turns_inbound_to_outbound_and_never_back() -> None:
    sent = arrival("a2", TO_Y, direction="outbound", via="sent", bcc=("y@kunde.de",))

    one = after(arrival("a1", FROM_X), sent)
    other = after(sent, arrival("a1", FROM_X))

    assert one.facts.direction == other.facts.direction == "outbound"
    assert one.facts.bcc == other.facts.bcc == ("y@kunde.de",)


def test_a_variant_adds_no_filing_but_the_own_address_rule_counts_it() -> None:
    forged = arrival("a2", TO_Y, digest="cc" * 32)
    forged_own = arrival("a3", OWN, digest="cc" * 32)

    message = after(arrival("a1", FROM_X), forged)
    counted = after(forged_own, start=message)

    assert (set(message.filings), message.flags) == ({C1}, {"variant"})
    assert set(counted.filings) == {C1, C2}
    assert len(counted.copies) == 3


def test_the_genuine_sent_copy_re_decides_what_a_forged_twin_filed() -> None:
    forged_cc = AddressDecision("z@x.de", "cc", "matched", ("contact#c9",))
    forged = arrival("a1", forged_cc, OWN, direction="outbound")
    genuine = arrival(
        "a2", TO_Y, digest="cc" * 32, direction="outbound", via="sent", authoritative=True
    )

    message = after(forged, genuine)

    assert set(message.filings) == {C2}
    assert message.filings[C2].paths == ("own_address:me@own.de", "to:y@kunde.de")
    assert message.digest == "cc" * 32


@pytest.mark.parametrize("order", [1, -1])
def test_a_mail_is_internal_until_a_copy_names_somebody_else(order: int) -> None:
    colleague = AddressDecision("y@kunde.de", "to", "internal")
    inbox = arrival("a1", colleague, direction="outbound")
    sent = arrival("a2", TO_Y, replace(FROM_X, where="bcc"), direction="outbound")

    message = after(*[inbox, sent][::order])

    assert set(message.filings) == {C1, C2}
    assert {d.reason for d in message.decisions} == {"matched"}
    assert after(inbox).reason() == "internal"


def test_the_genuine_sent_copy_brings_its_mailboxs_own_address_whatever_came_before() -> None:
    twin = arrival("a1", FROM_X, direction="outbound")
    genuine = arrival(
        "a2", OWN, digest="cc" * 32, direction="outbound", via="sent", authoritative=True
    )

    assert set(after(twin, genuine).filings) == {C2}


def test_what_a_variant_would_have_filed_is_looked_at_again_by_the_genuine_copy() -> None:
    merged = AddressDecision("y@kunde.de", "to", "matched", ("contact#c1",))
    twin = arrival("a1", FROM_X, direction="outbound")
    inbox = arrival("a2", TO_Y, digest="cc" * 32, direction="outbound")
    genuine = arrival(
        "a3", merged, digest="cc" * 32, direction="outbound", via="sent", authoritative=True
    )

    assert set(after(twin, inbox, genuine).filings) == {C1}


def test_what_a_person_filed_outlives_the_genuine_copy() -> None:
    quote = Entity("quote", "q1")
    message = after(arrival("a1", FROM_X, direction="outbound"))
    filed = file_by_hand(quote, "anna", "2026-11-20T12:00:00Z")(message)
    assert filed is not None
    genuine = arrival("a2", digest="cc" * 32, direction="outbound", via="sent", authoritative=True)

    assert set(after(genuine, start=next_version(message, filed)).filings) == {quote}


def test_an_unfiled_mail_stays_unfiled_when_a_second_copy_comes() -> None:
    message = after(arrival("a1", FROM_X))
    unfiled = unfile(C1, "eva")(message)
    assert unfiled is not None

    again = after(arrival("a2", FROM_X, TO_Y), start=next_version(message, unfiled))

    assert set(again.filings) == {C2}


def test_filing_by_hand_lifts_the_tombstone() -> None:
    message = after(arrival("a1", FROM_X))
    unfiled = unfile(C1, "eva")(message)
    filed = file_by_hand(C1, "anna", "2026-11-20T12:00:00Z")(unfiled)
    assert filed is not None

    assert (filed.filings[C1].origins, filed.tombstones) == ({"manual"}, frozenset())


def test_a_private_mark_takes_automatic_filings_away_and_keeps_those_by_hand() -> None:
    message = after(arrival("a1", FROM_X, TO_Y))
    by_hand = file_by_hand(C2, "anna", "2026-11-20T12:00:00Z")(message)
    private = mark_private("anna")(by_hand)
    assert private is not None

    assert {e: f.origins for e, f in private.filings.items()} == {C2: {"manual"}}
    assert set(after(arrival("a2", FROM_X), start=private).filings) == {C2}
    assert unmark_private(private) == replace(private, private="")


def test_a_draft_becomes_a_mail_when_it_is_sent() -> None:
    gate = AddressDecision("me@own.de", "from", "kind")
    sent = arrival("a1", TO_Y, direction="outbound", via="sent")
    sent = replace(sent, copy=replace(sent.copy, uid=8))

    message = after(arrival("a1", gate, kind="draft"), sent)

    assert (message.facts.kind, set(message.filings), message.reason()) == (
        "normal",
        {C2},
        "matched",
    )


def test_the_next_version_owes_what_was_lost_until_it_is_settled() -> None:
    first = after(arrival("a1", FROM_X))
    unfiled = unfile(C1, "eva")(first)
    assert unfiled is not None
    second = next_version(first, unfiled)
    refiled = file_by_hand(C1, "anna", "2026-11-20T12:00:00Z")(second)
    assert refiled is not None
    third = next_version(second, refiled)

    assert (second.gone, third.gone) == ({C1}, frozenset())
    assert [(e.version, e.kind) for e in third.outbox] == [
        (1, "filed"),
        (2, "unfiled"),
        (3, "filed"),
    ]


@pytest.mark.parametrize(
    "intent", [unfile(C1, "eva"), keep_only([], "eva"), mark_private("eva"), reject("eva")]
)
def test_who_took_a_mail_away_is_told_once_and_not_kept(intent: Intent) -> None:
    first = replace(after(arrival("a1", FROM_X)), outbox=(), settled=True)
    second = next_version(first, intent(first) or first)
    third = next_version(second, replace(second, filings=first.filings))
    fourth = next_version(third, replace(third, filings={}))

    assert second.acting == ""
    assert [(event.kind, event.by) for event in fourth.outbox] == [
        ("unfiled", "eva"),
        ("filed", ""),
        ("unfiled", ""),
    ]


def test_the_first_filing_lifts_the_expiry_for_good() -> None:
    unfiled = after(arrival("a1"))
    filed = after(arrival("a2", FROM_X), start=unfiled)
    gone = unfile(C1, "eva")(filed)
    assert gone is not None

    assert unfiled.expires == 1_800_000_000
    assert filed.expires is None
    assert next_version(filed, gone).expires is None


@given(st.lists(st.sampled_from([FROM_X, TO_Y, OWN]), max_size=3, unique=True))
def test_equal_copies_end_the_same_in_any_order(decisions: list[AddressDecision]) -> None:
    arrivals = [arrival(f"a{n}", *decisions[: n + 1]) for n in range(3)]

    outcomes = {
        (frozenset(after(*order).filings), frozenset(after(*order).decisions))
        for order in permutations(arrivals)
    }

    assert len(outcomes) == 1


def copies_of(*arrivals: Arrival) -> list[tuple[Arrival, ...]]:
    return [tuple(order) for order in permutations(arrivals)]


def test_the_genuine_contents_addresses_count_in_any_order_of_twin_inbox_and_sent() -> None:
    twin = arrival("a1", AddressDecision("z@x.de", "cc", "matched", ("contact#c9",)))
    inbox = arrival("a2", TO_Y, digest="cc" * 32, direction="outbound")
    off = AddressDecision("me@own.de", "from", "filing_off")
    sent = arrival(
        "a3", off, digest="cc" * 32, direction="outbound", via="sent", authoritative=True
    )

    outcomes = {frozenset(after(*order).filings) for order in copies_of(twin, inbox, sent)}

    assert outcomes == {frozenset({C2})}


def test_a_second_copy_in_one_account_does_not_look_at_the_own_address_again() -> None:
    again = arrival("a1", FROM_X, OWN)
    again = replace(again, copy=replace(again.copy, uidvalidity=2))

    assert set(after(arrival("a1", FROM_X), again).filings) == {C1}


def test_an_account_that_files_by_now_is_looked_at_for_the_own_address() -> None:
    off = AddressDecision("x@kunde.de", "from", "filing_off")
    again = arrival("a1", FROM_X, OWN)
    again = replace(again, copy=replace(again.copy, uidvalidity=2))

    assert set(after(arrival("a1", off), again).filings) == {C1, C2}


def test_a_kind_stopped_stays_stopped_when_policy_changes() -> None:
    stopped = AddressDecision("me@own.de", "from", "kind", ("bulk",))
    bulk = arrival("a2", TO_Y, direction="outbound", kind="bulk")

    message = after(arrival("a1", stopped, direction="outbound", kind="bulk"), bulk)

    assert (message.filings, message.reason()) == ({}, "kind")


def test_the_copy_of_a_filed_kind_decides_in_any_order() -> None:
    bulk = arrival("a1", AddressDecision("x@kunde.de", "from", "kind"), kind="bulk")
    direct = arrival("a2", FROM_X)

    outcomes = {
        (frozenset(found.filings), found.facts.kind, found.reason())
        for order in copies_of(bulk, direct)
        for found in [after(*order)]
    }

    assert outcomes == {(frozenset({C1}), "normal", "matched")}


def test_a_private_copy_takes_automatic_filings_away_in_any_order() -> None:
    gate = AddressDecision("x@kunde.de", "from", "private")
    private = arrival("a2", gate, private=True)

    outcomes = {
        (frozenset(found.filings), found.private)
        for order in copies_of(arrival("a1", FROM_X), private)
        for found in [after(*order)]
    }

    assert outcomes == {(frozenset(), "header")}


def test_a_forged_private_twin_does_not_stop_the_genuine_sent_copy() -> None:
    twin = arrival("a1", AddressDecision("me@own.de", "from", "private"), private=True)
    sent = arrival("a2", TO_Y, digest="cc" * 32, via="sent", authoritative=True)

    message = after(twin, sent)

    assert (set(message.filings), message.private) == ({C2}, "")


def test_a_mail_beats_its_draft_of_other_content_in_any_order() -> None:
    draft = arrival("a1", AddressDecision("me@own.de", "from", "kind"), kind="draft")
    inbox = arrival("a2", FROM_X, digest="cc" * 32)

    outcomes = {
        (frozenset(found.filings), found.digest, found.flags)
        for order in copies_of(draft, inbox)
        for found in [after(*order)]
    }

    assert outcomes == {(frozenset({C1}), "cc" * 32, frozenset())}


def test_a_mail_stored_again_after_it_expired_is_seen_again() -> None:
    first = arrival("a1")
    again = replace(first, expires=first.expires + 1000)

    assert after(first, again).expires == first.expires + 1000
    assert add_copy(first)(after(first)) is None


def test_a_decision_names_some_of_many_hits_and_files_at_all() -> None:
    many = AddressDecision(
        "x@kunde.de", "from", "matched", tuple(f"contact#{n}" for n in range(99))
    )

    message = after(arrival("a1", many))

    assert (len(message.filings), len(message.decisions[0].hits)) == (99, 20)


def test_a_copy_stored_again_names_the_class_its_raw_mail_is_in() -> None:
    first = arrival("a1", FROM_X)
    longer = replace(
        first, copy=replace(first.copy, retention="365d"), expires=first.expires + 335 * 86400
    )

    unfiled = after(replace(first, decision=replace(first.decision, addresses=())), longer)
    filed = after(first, longer)
    late = after(first, longer, first)

    assert (unfiled.copies[0].retention, unfiled.expires) == ("365d", longer.expires)
    assert [copy.retention for copy in filed.copies] == ["365d"]
    assert late == filed


WHOLE, NOTHING = "aa" * 32, "ee" * 32
NO_BODY = frozenset({"body_not_stored", "limited"})


def header_of(one: Arrival) -> Arrival:
    """As it arrives when its body cannot be had."""
    return replace(one, flags=NO_BODY, copy=replace(one.copy, digest=NOTHING, sha256="dd" * 32))


def with_text(one: Arrival, snippet: str = "Hello", size: int = 900) -> Arrival:
    return replace(one, facts=replace(one.facts, snippet=snippet, size=size))


FIRST = with_text(arrival("a1", FROM_X))
SECOND = with_text(arrival("a2", FROM_X))


@pytest.mark.parametrize("order", ["012", "021", "102", "120", "201", "210"])
def test_whichever_copy_has_the_body_shows_it(order: str) -> None:
    arrivals = (header_of(FIRST), FIRST, SECOND)

    message = after(*(arrivals[int(number)] for number in order))

    assert (message.digest, message.flags) == (WHOLE, frozenset())
    assert (message.facts.snippet, message.facts.size) == ("Hello", 900)
    assert {copy.account_id for copy in message.copies} == {"a1", "a2"}
    assert set(message.filings) == {C1}


def test_a_body_that_comes_is_that_of_its_copy() -> None:
    message = after(header_of(FIRST), FIRST)

    (copy,) = message.copies
    assert (copy.digest, copy.sha256) == (FIRST.copy.digest, FIRST.copy.sha256)


def test_a_header_read_before_its_body_came_takes_nothing_back() -> None:
    message = after(header_of(FIRST), FIRST)

    assert add_copy(header_of(FIRST))(message) is None


def test_a_body_that_comes_decides_nothing_anew() -> None:
    moved = with_text(
        arrival("a1", AddressDecision("x@kunde.de", "from", "matched", ("contact#c9",)))
    )

    message = after(header_of(FIRST), moved)

    assert set(message.filings) == {C1}
    assert message.decisions == (FROM_X,)


def test_the_header_of_a_sent_copy_takes_no_body_away() -> None:
    sent = header_of(arrival("a2", TO_Y, direction="outbound", via="sent", authoritative=True))

    message = after(FIRST, sent)

    assert (message.digest, message.flags) == (WHOLE, frozenset())
    assert message.facts.direction == "outbound"
    assert set(message.filings) == {C1, C2}


def test_a_twin_of_another_header_completes_nothing() -> None:
    twin = with_text(arrival("a2", TO_Y))
    twin = replace(twin, facts=replace(twin.facts, to=("z@x.de",)))

    message = after(header_of(FIRST), twin)

    assert message.flags == NO_BODY | {"variant"}
    assert message.digest == NOTHING
    assert set(message.filings) == {C1}


def test_a_sent_copy_of_other_content_clears_what_was_said_of_the_header() -> None:
    sent = arrival("a2", TO_Y, digest="cc" * 32, via="sent", authoritative=True)
    sent = replace(sent, facts=replace(sent.facts, subject="another"))

    message = after(header_of(FIRST), sent)

    assert (message.digest, message.flags) == ("cc" * 32, {"variant"})
