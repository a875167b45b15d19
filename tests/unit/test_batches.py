"""What batches make of messages, and how undo takes exactly that back: pure."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.walks import index_entry

from ablage.batches import MARKS, becomes, ledger, marked, undone
from ablage.matching import Decision, Knowledge
from ablage.messages import AddressDecision, Copy, Entity, Facts, Filing, Message
from ablage.policy import Policy
from ablage.reevaluation import (
    Verdict,
    decided_again,
    merged,
    with_account,
    with_addresses,
    without_blocked,
    without_entity,
)
from ablage.tenancy import TenantId

C1, C2, K1 = Entity("contact", "c1"), Entity("contact", "c2"), Entity("customer", "k1")
QUOTE = Entity("quote", "q1")
MAX = "max@kunde.de"
COPY = Copy("a1", "0" * 16, 1, 1, "2026-11-20T10:00:00Z", "bb" * 32, "aa" * 32)
AUTO, HAND = frozenset({"auto"}), frozenset({"manual"})
UNMATCHED = AddressDecision(MAX, "from", "no_match")
MATCHED = AddressDecision(MAX, "from", "matched", ("contact#c1", "customer#k1"))
OFF = AddressDecision(MAX, "from", "filing_off")
LINK = Filing(AUTO, (f"from:{MAX}",))
OWN = Filing(AUTO, ("own_address:me@own.de",))


def message(*decisions, filings=None, direction="inbound", via="", **more):
    facts = Facts(from_key=MAX, direction=direction, via=via, kind=more.pop("kind", "normal"))
    return Message(
        TenantId("acme"),
        "m" * 26,
        "2026-11-20T10:00:00Z",
        facts,
        "aa" * 32,
        version=3,
        copies=(COPY,),
        decisions=decisions,
        filings=filings or {},
        **more,
    )


def known(*blocked, **policy):
    index = {MAX: index_entry({"c1": ("k1",)})}
    return Knowledge(index, frozenset(blocked), Policy(**policy))


def verdict(*decisions, digest="aa" * 32, direction="inbound", own="me@own.de"):
    return Verdict(replace(COPY, digest=digest), own, Decision(direction, "", decisions))


def test_a_new_contact_gets_the_mail_that_hit_nothing():
    after = with_addresses(message(UNMATCHED), {MAX}, known())

    assert after.filings == {C1: LINK, K1: LINK}
    assert after.decisions == (MATCHED,)


@pytest.mark.parametrize(
    ("before", "knowledge"),
    [
        (message(UNMATCHED), known("kunde.de")),
        (message(UNMATCHED, private="anna"), known()),
        (message(UNMATCHED, kind="bounce"), known()),
        (message(OFF), known()),
        (message(replace(UNMATCHED, where="to")), known()),
        (message(replace(UNMATCHED, address="other@kunde.de")), known()),
    ],
    ids=["blocked", "private", "kind", "never decided", "inbound recipient", "other address"],
)
def test_a_gate_that_is_shut_today_stops_back_filling(before, knowledge):
    assert with_addresses(before, {MAX}, knowledge) is before


def test_a_sender_the_provider_found_forged_is_held_for_review():
    before = message(UNMATCHED)
    forged = replace(before, facts=replace(before.facts, authentication="fail"))

    held = with_addresses(forged, {MAX}, known(hold_fail=True))
    vouched = with_addresses(replace(forged, review="accepted"), {MAX}, known(hold_fail=True))

    assert (held.filings, held.decisions[0].is_held) == ({}, True)
    assert set(vouched.filings) == {C1, K1}


def test_back_filling_leaves_tombstones_alone():
    after = with_addresses(message(UNMATCHED, tombstones=frozenset({C1})), {MAX}, known())

    assert set(after.filings) == {K1}


def test_an_account_switched_on_decides_what_it_left_open():
    after = with_account(message(OFF), verdict(MATCHED))

    assert (after.decisions, set(after.filings)) == ((MATCHED,), {C1, K1})


def test_what_another_account_decided_stays_decided():
    before = message(UNMATCHED)

    assert with_account(before, verdict(MATCHED)) is before


def test_a_variant_of_the_account_adds_its_own_address_alone():
    own = AddressDecision("me@own.de", "own_address", "own_address", ("contact#c2",))

    after = with_account(message(OFF), verdict(own, MATCHED, digest="cc" * 32))

    assert set(after.filings) == {C2}


def test_a_purge_takes_what_came_through_the_entry_and_leaves_what_a_hand_filed():
    to = AddressDecision("a@sub.kunde.de", "to", "matched", ("contact#c1",))
    other = AddressDecision("b@frei.de", "to", "matched", ("contact#c1", "contact#c2"))
    both = Filing(AUTO | HAND, ("to:a@sub.kunde.de",), "anna", "then")
    filings = {C1: Filing(AUTO, ("to:a@sub.kunde.de", "to:b@frei.de")), QUOTE: both}

    after = without_blocked(message(to, other, filings=filings, direction="outbound"), {"kunde.de"})

    assert after.filings == {
        C1: Filing(AUTO, ("to:b@frei.de",)),
        QUOTE: Filing(HAND, (), "anna", "then"),
    }
    assert after.decisions == (replace(to, reason="blocklist", hits=("kunde.de",)), other)


def test_mail_from_a_blocked_sender_loses_all_that_is_automatic():
    own = AddressDecision("me@own.de", "own_address", "own_address", ("contact#c2",))
    before = message(own, MATCHED, filings={C1: LINK, C2: OWN, QUOTE: Filing(HAND)})

    after = without_blocked(before, {MAX})

    assert set(after.filings) == {QUOTE}
    assert [d.reason for d in after.decisions] == ["blocklist"]


def test_mail_of_a_blocked_stranger_filed_by_the_own_address_rule_says_why_it_is_gone():
    own = AddressDecision("me@own.de", "own_address", "own_address", ("contact#c2",))

    after = without_blocked(message(own, UNMATCHED, filings={C2: OWN}), {"kunde.de"})

    assert (after.filings, after.reason()) == ({}, "blocklist")


def test_a_purge_leaves_what_one_of_many_recipients_still_leads_to():
    names = [f"p{n}@gone.de" for n in range(6)] + ["left@kunde.de"]
    met = [AddressDecision(a, "to", "matched", ("customer#k1",)) for a in names]
    paths = tuple(f"to:{a}" for a in names)
    before = message(*met, filings={K1: Filing(AUTO, paths[:5])}, direction="outbound")

    after = without_blocked(before, {"gone.de"})

    assert after.filings == {K1: Filing(AUTO, paths[6:])}
    planned = ledger(before, after)
    assert undone(after, planned).filings[K1].origins == AUTO


def test_a_purge_knows_label_boundaries():
    before = message(MATCHED, filings={C1: LINK})

    assert without_blocked(before, {"unde.de"}) is before


def test_deciding_again_moves_automatic_links_and_keeps_those_by_hand():
    filings = {C1: LINK, K1: Filing(AUTO | HAND, LINK.paths, "anna", "then"), QUOTE: Filing(HAND)}
    today = replace(MATCHED, hits=("contact#c2",))

    after = decided_again(message(MATCHED, filings=filings), [verdict(today)])

    assert after.filings == {
        C2: LINK,
        K1: Filing(HAND, (), "anna", "then"),
        QUOTE: Filing(HAND),
    }


def test_own_address_links_of_accounts_that_are_not_asked_stay():
    own = AddressDecision("two@own.de", "own_address", "own_address", ("contact#c2",))
    held = Filing(AUTO, ("own_address:two@own.de",))

    after = decided_again(message(own, MATCHED, filings={C2: held, C1: LINK}), [verdict(UNMATCHED)])

    assert after.filings == {C2: held}


def test_a_copy_that_is_private_today_takes_every_automatic_link_away():
    private = AddressDecision(MAX, "from", "private")
    secret = Verdict(COPY, "me@own.de", Decision("inbound", "", (private,), private="folder"))
    filings = {C1: LINK, C2: OWN, QUOTE: Filing(HAND)}

    after = decided_again(message(MATCHED, filings=filings), [verdict(MATCHED), secret])

    assert (set(after.filings), after.decisions) == ({QUOTE}, (private,))


def test_a_forged_private_twin_takes_nothing_away():
    twin = verdict(MATCHED, digest="ee" * 32)
    twin = replace(twin, decision=replace(twin.decision, private="header"))
    before = message(MATCHED, filings={C1: LINK, K1: LINK})

    assert decided_again(before, [verdict(MATCHED), twin]).filings == before.filings
    assert decided_again(before, [twin]).filings == before.filings


@pytest.mark.parametrize("order", [1, -1])
def test_a_gate_of_one_copy_does_not_hide_what_another_copy_decides(order):
    through_a_list = verdict(replace(MATCHED, reason="kind", hits=("bulk",)))
    before = message(MATCHED, filings={C1: LINK, K1: LINK})

    after = decided_again(before, [through_a_list, verdict(MATCHED)][::order])

    assert (after.filings, after.decisions) == (before.filings, (MATCHED,))


def test_deciding_again_never_files_what_is_private():
    before = message(UNMATCHED, private="anna")

    assert decided_again(before, [verdict(MATCHED)]) is before


@pytest.mark.parametrize(
    ("filings", "tombstones", "left", "unfiled"),
    [
        ({C1: LINK}, set(), {C2: LINK}, set()),
        ({C1: LINK, C2: OWN}, set(), {C2: Filing(AUTO, OWN.paths + LINK.paths)}, set()),
        ({}, {C1}, {}, {C2}),
        ({C2: LINK}, {C1}, {C2: LINK}, set()),
        ({C1: LINK}, {C2}, {}, {C2}),
        ({C1: Filing(HAND, (), "anna")}, {C2}, {C2: Filing(HAND, (), "anna")}, set()),
    ],
    ids=["moves", "joins", "tombstone", "stays filed", "stays unfiled", "a hand wins"],
)
def test_a_merge_moves_filing_tombstone_and_reasons(filings, tombstones, left, unfiled):
    before = message(MATCHED, filings=filings, tombstones=frozenset(tombstones))

    after = merged(before, C1, C2)

    assert (after.filings, after.tombstones) == (left, unfiled)
    assert after.decisions[0].hits == ("contact#c2", "customer#k1")


def test_an_archive_that_is_deleted_leaves_no_tombstone():
    after = without_entity(message(filings={C1: LINK, QUOTE: Filing(HAND)}), C1)

    assert (set(after.filings), after.tombstones) == ({QUOTE}, frozenset())


def test_undo_of_a_back_filling_unfiles_for_good():
    before = message(UNMATCHED)
    after = with_addresses(before, {MAX}, known())

    back = undone(after, ledger(before, after))

    assert (back.filings, back.decisions) == ({}, (UNMATCHED,))
    assert back.tombstones == {C1, K1}


def test_undo_of_a_purge_puts_back_what_it_took():
    before = message(MATCHED, filings={C1: Filing(AUTO | HAND, LINK.paths, "anna", "then")})
    after = without_blocked(before, {MAX})

    back = undone(after, ledger(before, after))

    assert (back.filings, back.decisions) == (before.filings, before.decisions)
    assert back.tombstones == frozenset()


def test_undo_leaves_what_people_and_later_copies_made():
    before = message(UNMATCHED)
    after = with_addresses(before, {MAX}, known())
    later = Filing(AUTO, (f"from:{MAX}", "to:b@frei.de"))
    since = replace(after, filings={C1: Filing(AUTO | HAND, LINK.paths, "anna"), K1: later})

    back = undone(since, ledger(before, after))

    assert back.filings == {C1: Filing(HAND, (), "anna"), K1: Filing(AUTO, ("to:b@frei.de",))}
    assert back.tombstones == frozenset()


def test_undo_of_a_purge_files_nothing_that_was_unfiled_or_marked_since():
    before = message(MATCHED, filings={C1: LINK, K1: Filing(AUTO | HAND, LINK.paths)})
    after = without_blocked(before, {MAX})
    since = replace(after, private="anna", tombstones=frozenset({C1}))

    back = undone(since, ledger(before, after))

    assert back.filings == {K1: Filing(HAND)}


def _filing(paths, by_hand):
    origins = (AUTO if paths else frozenset()) | (HAND if by_hand else frozenset())
    return Filing(origins, tuple(paths))


_paths = st.lists(st.sampled_from(["from:a@x.de", "to:b@x.de", "own_address:c"]), unique=True)
_filings = st.dictionaries(
    st.sampled_from([C1, C2, K1, QUOTE]),
    st.builds(_filing, _paths, st.booleans()).filter(lambda filing: filing.origins),
)


def _by_a_batch(before, wanted):
    """Batches file nothing by hand."""
    hands = {entity for entity, filing in before.items() if "manual" in filing.origins}
    made = {e: _filing(f.paths, e in hands and "manual" in f.origins) for e, f in wanted.items()}
    return {entity: filing for entity, filing in made.items() if filing.origins}


@given(_filings, _filings)
def test_undo_right_after_a_batch_is_as_if_it_never_was(before, wanted):
    was, became = message(filings=before), message(filings=_by_a_batch(before, wanted))

    back = undone(became, ledger(was, became))

    shown = {e: (f.origins, set(f.paths)) for e, f in back.filings.items()}
    assert shown == {e: (f.origins, set(f.paths)) for e, f in before.items()}
    assert back.tombstones == set(became.filings) - set(before)


def test_a_plan_is_good_for_the_version_it_was_made_from():
    before = message(UNMATCHED)
    after = with_addresses(before, {MAX}, known())

    assert becomes(after, 3)(before) is after
    assert becomes(after, 3)(replace(before, version=4)) is None
    assert becomes(after, 3)(None) is None


def test_a_message_remembers_its_last_batches():
    many = message(batches=tuple(f"job-{n}" for n in range(MARKS)))

    assert marked(many, "job-x").batches[-1] == "job-x"
    assert len(marked(many, "job-x").batches) == MARKS
