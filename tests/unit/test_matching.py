"""The vectors of the contract, each through `decide`."""

from dataclasses import replace

import pytest
from tests.support.walks import index_entry

from ablage.accounts import Account
from ablage.addresses import Address, normalise
from ablage.authentication import Evidence
from ablage.matching import Decision, IndexEntry, Knowledge, Parties, decide, looked_up
from ablage.messages import Entity
from ablage.policy import Policy
from ablage.tenancy import TenantId

RECEIVED = "2026-11-20T10:00:00Z"
ME = Account(
    tenant=TenantId("acme"),
    account_id="a1",
    address="me@own.de",
    own="me@own.de",
    host="imap.own.de",
    port=993,
    username="me",
    version=1,
    filing_enabled=True,
    filing_since="2026-11-01T00:00:00Z",
)
OWN = IndexEntry(own=("a1",))
FORGED = Evidence("mx.own.de; dmarc=fail", "own.de")


def address(text: str) -> Address:
    found = normalise(text)
    assert found is not None
    return found


def addresses(*texts: str) -> tuple[Address, ...]:
    return tuple(address(text) for text in texts)


def knowing(
    index: dict[str, IndexEntry] | None = None, *blocked: str, policy: Policy | None = None
) -> Knowledge:
    return Knowledge({"me@own.de": OWN} | (index or {}), frozenset(blocked), policy or Policy())


def contact(*contacts: str, customers: tuple[str, ...] = ()) -> IndexEntry:
    return index_entry(contacts=dict.fromkeys(contacts, customers))


def filed(decision: Decision) -> set[str]:
    return {
        hit
        for found in decision.addresses
        if found.reason in ("matched", "own_address")
        for hit in found.hits
    }


def reasons(decision: Decision) -> list[str]:
    return [found.reason for found in decision.addresses]


def test_a_known_sender_is_filed_at_the_contact_and_all_its_customers() -> None:
    known = knowing({"max@kunde.de": contact("c1", customers=("k1", "k2"))})

    decision = decide(Parties(from_=addresses("Max@Kunde.DE")), ME, RECEIVED, known)

    assert filed(decision) == {"contact#c1", "customer#k1", "customer#k2"}


def test_an_address_at_two_contacts_is_filed_at_both_and_their_customer_once() -> None:
    known = knowing({"max@kunde.de": contact("c1", "c2", customers=("k1",))})

    (only,) = decide(Parties(from_=addresses("max@kunde.de")), ME, RECEIVED, known).addresses

    assert sorted(only.hits) == ["contact#c1", "contact#c2", "customer#k1"]


def test_any_record_leads_to_its_parents_and_no_further() -> None:
    lead, project, program = Entity("lead", "L1"), Entity("project", "P1"), Entity("program", "G")
    index = {"l@x.de": IndexEntry({lead: (project,)}), "p@x.de": IndexEntry({project: (program,)})}

    assert knowing(index).entities(address("l@x.de")) == (lead, project)


def test_a_customer_carrying_the_address_itself_is_filed_at() -> None:
    known = knowing({"info@kunde.de": index_entry(customers=("k1",))})

    decision = decide(Parties(from_=addresses("info@kunde.de")), ME, RECEIVED, known)

    assert filed(decision) == {"customer#k1"}


def test_outbound_is_filed_at_each_known_recipient_but_the_blocked_one() -> None:
    known = knowing(
        {"a@x.de": contact("ca"), "b@y.de": contact("cb"), "c@z.de": contact("cc")}, "y.de"
    )
    parties = Parties(
        from_=addresses("me@own.de"),
        to=addresses("a@x.de"),
        cc=addresses("b@y.de"),
        bcc=addresses("c@z.de"),
        role="sent",
    )

    decision = decide(parties, ME, RECEIVED, known)

    assert decision.direction == "outbound"
    assert filed(decision) == {"contact#ca", "contact#cc"}
    assert reasons(decision) == ["matched", "blocklist", "matched"]


def test_a_blocked_domain_stops_its_subdomains_and_nothing_else() -> None:
    known = knowing({"a@sub.x.de": contact("c1"), "a@notx.de": contact("c2")}, "x.de")

    blocked = decide(Parties(from_=addresses("a@sub.x.de")), ME, RECEIVED, known)
    other = decide(Parties(from_=addresses("a@notx.de")), ME, RECEIVED, known)

    assert (reasons(blocked), filed(blocked)) == (["blocklist"], set())
    assert filed(other) == {"contact#c2"}


def test_a_blocked_address_stops_its_tagged_forms_but_a_tagged_entry_only_itself() -> None:
    index = {key: contact("c1") for key in ("a@x.de", "a+t@x.de", "a+u@x.de")}
    plain, tagged = knowing(index, "a@x.de"), knowing(index, "a+t@x.de")

    outcomes = [
        reasons(decide(Parties(from_=addresses(text)), ME, RECEIVED, known))
        for known in (plain, tagged)
        for text in ("a@x.de", "a+t@x.de", "a+u@x.de")
    ]

    assert outcomes == [["blocklist"]] * 3 + [["matched"], ["blocklist"], ["matched"]]


def test_blocked_from_is_not_filed_through_a_known_reply_to() -> None:
    policy = Policy(match_reply_to=True)
    known = knowing({"b@y.de": contact("c1")}, "x.de", policy=policy)
    parties = Parties(from_=addresses("a@x.de"), reply_to=addresses("b@y.de"))

    assert reasons(decide(parties, ME, RECEIVED, known)) == ["blocklist"]


def test_reply_to_matches_only_where_policy_says_so_and_from_hit_nothing() -> None:
    parties = Parties(from_=addresses("a@x.de"), reply_to=addresses("b@y.de"))
    index = {"b@y.de": contact("c1")}

    off = decide(parties, ME, RECEIVED, knowing(index))
    on = decide(parties, ME, RECEIVED, knowing(index, policy=Policy(match_reply_to=True)))

    assert (filed(off), filed(on)) == (set(), {"contact#c1"})


def test_a_contact_with_the_own_address_gets_mail_in_and_out() -> None:
    known = knowing({"me@own.de": index_entry(contacts={"boss": ()}, own=("a1",))})
    inbound = Parties(from_=addresses("stranger@x.de"))
    outbound = Parties(from_=addresses("me@own.de"), to=addresses("s@x.de"), role="sent")

    assert filed(decide(inbound, ME, RECEIVED, known)) == {"contact#boss"}
    assert filed(decide(outbound, ME, RECEIVED, known)) == {"contact#boss"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(own_address="skip"), set()),
        (Policy(own_address="ask"), set()),
        (Policy(own_address="ask", acknowledged=("contact#boss",)), {"contact#boss"}),
    ],
)
def test_the_own_address_rule_follows_policy(policy: Policy, expected: set[str]) -> None:
    known = knowing({"me@own.de": index_entry(contacts={"boss": ()}, own=("a1",))}, policy=policy)

    decision = decide(Parties(from_=addresses("s@x.de")), ME, RECEIVED, known)

    assert filed(decision) == expected


@pytest.mark.parametrize(
    ("acknowledged", "expected"),
    [
        ((), set()),
        (("customer#k1",), set()),
        (("contact#boss",), {"contact#boss", "customer#k1"}),
        (("customer#k9",), {"customer#k9"}),
    ],
)
def test_an_acknowledged_contact_leads_to_its_customers_who_carry_no_own_address(
    acknowledged: tuple[str, ...], expected: set[str]
) -> None:
    entry = index_entry(contacts={"boss": ("k1",)}, customers=("k9",), own=("a2",))
    policy = Policy(own_address="ask", acknowledged=acknowledged, own_domains=("own.de",))
    known = knowing({"eva@own.de": entry}, policy=policy)
    parties = Parties(from_=addresses("me@own.de"), to=addresses("eva@own.de"), role="sent")

    assert filed(decide(parties, ME, RECEIVED, known)) == expected


def test_an_own_domain_on_the_blocklist_stops_the_own_address_rule_only() -> None:
    known = knowing(
        {
            "me@own.de": index_entry(contacts={"boss": ()}, own=("a1",)),
            "max@kunde.de": contact("c1"),
        },
        "own.de",
    )

    decision = decide(Parties(from_=addresses("max@kunde.de")), ME, RECEIVED, known)

    assert filed(decision) == {"contact#c1"}


def test_blocked_inbound_mail_does_not_reach_the_own_address_contact_either() -> None:
    known = knowing({"me@own.de": index_entry(contacts={"boss": ()}, own=("a1",))}, "x.de")

    assert filed(decide(Parties(from_=addresses("a@x.de")), ME, RECEIVED, known)) == set()


def test_form_mail_from_ourselves_is_filed_at_its_reply_to() -> None:
    known = knowing({"max@kunde.de": contact("c1")}, "own.de")
    parties = Parties(
        from_=addresses("me@own.de"), to=addresses("me@own.de"), reply_to=addresses("max@kunde.de")
    )

    decision = decide(parties, ME, RECEIVED, known)

    assert (decision.direction, decision.via) == ("inbound", "relayed")
    assert filed(decision) == {"contact#c1"}


def test_a_group_list_is_filed_at_the_original_sender_only() -> None:
    known = knowing({"max@kunde.de": contact("c1"), "o@other.de": contact("c2")})
    parties = Parties(
        from_=addresses("me@own.de"), original=addresses("max@kunde.de"), cc=addresses("o@other.de")
    )

    assert filed(decide(parties, ME, RECEIVED, known)) == {"contact#c1"}


def test_a_colleagues_mail_seen_in_my_copy_is_outbound_by_own_domain() -> None:
    known = knowing({"max@kunde.de": contact("c1")}, policy=Policy(own_domains=("own.de",)))
    parties = Parties(
        from_=addresses("colleague@own.de"), to=addresses("max@kunde.de"), cc=addresses("me@own.de")
    )

    decision = decide(parties, ME, RECEIVED, known)

    assert (decision.direction, filed(decision)) == ("outbound", {"contact#c1"})


def test_mail_from_an_undeclared_alias_in_the_sent_folder_is_outbound() -> None:
    known = knowing({"max@kunde.de": contact("c1")})
    parties = Parties(from_=addresses("alias@x.de"), to=addresses("max@kunde.de"), role="sent")

    decision = decide(parties, ME, RECEIVED, known)

    assert (decision.direction, decision.via) == ("outbound", "sent_folder")
    assert filed(decision) == {"contact#c1"}


def test_delivered_mail_dragged_into_the_sent_folder_stays_inbound() -> None:
    known = knowing({"max@kunde.de": contact("c1")})
    parties = Parties(
        from_=addresses("spam@x.de"), to=addresses("max@kunde.de"), role="sent", delivered=True
    )

    assert decide(parties, ME, RECEIVED, known).direction == "inbound"


def test_forged_mail_from_our_own_address_is_held() -> None:
    known = knowing({"max@kunde.de": contact("c1")})
    parties = Parties(from_=addresses("me@own.de"), cc=addresses("max@kunde.de"), evidence=FORGED)

    assert reasons(decide(parties, ME, RECEIVED, known)) == ["claimed_own"]


@pytest.mark.parametrize(
    ("parties", "reason"),
    [
        (Parties(), "ambiguous_sender"),
        (Parties(from_=addresses("a@x.de", "b@y.de")), "ambiguous_sender"),
        (Parties(from_unparseable=True), "unparseable"),
        (Parties(from_=addresses("a@x.de"), kind="bounce"), "kind"),
        (Parties(from_=addresses("a@x.de"), kind="draft"), "kind"),
        (Parties(from_=addresses("a@x.de"), sensitivity="private"), "private"),
        (Parties(from_=addresses("s@x.de")), "no_match"),
    ],
)
def test_every_mail_that_is_not_filed_has_its_reason(parties: Parties, reason: str) -> None:
    known = knowing({"a@x.de": contact("c1"), "b@y.de": contact("c2")})

    decision = decide(parties, ME, RECEIVED, known)

    assert (reasons(decision), filed(decision)) == ([reason], set())


def test_filing_is_off_by_default_and_counts_from_since_on() -> None:
    known = knowing({"a@x.de": contact("c1")})
    parties = Parties(from_=addresses("a@x.de"))
    off = replace(ME, filing_enabled=False)
    just = replace(ME, filing_since=RECEIVED)

    assert reasons(decide(parties, off, RECEIVED, known)) == ["filing_off"]
    assert reasons(decide(parties, just, "2026-11-20T09:59:59Z", known)) == ["before_since"]
    assert reasons(decide(parties, just, RECEIVED, known)) == ["matched"]


def test_internal_mail_is_filed_unless_policy_says_no() -> None:
    index = {"c@own.de": index_entry(contacts={"colleague": ()}, own=("a2",))}
    parties = Parties(from_=addresses("me@own.de"), to=addresses("c@own.de"), role="sent")

    on = decide(parties, ME, RECEIVED, knowing(index))
    off = decide(parties, ME, RECEIVED, knowing(index, policy=Policy(file_internal_mail=False)))

    assert (filed(on), set(reasons(off))) == ({"contact#colleague"}, {"internal"})


def test_a_subaddress_matches_its_base_only_by_policy() -> None:
    index = {"info@kunde.de": contact("c1")}
    parties = Parties(from_=addresses("info+berlin@kunde.de"))

    off = decide(parties, ME, RECEIVED, knowing(index))
    on = decide(parties, ME, RECEIVED, knowing(index, policy=Policy(match_subaddress=True)))

    assert (filed(off), filed(on)) == (set(), {"contact#c1"})


def test_inbound_looks_up_the_sender_alone() -> None:
    parties = Parties(from_=addresses("a@x.de"), to=addresses("me@own.de"), cc=addresses("b@y.de"))

    assert looked_up(parties, ME, Policy(), own=False) == {*addresses("a@x.de")}


def test_mail_that_looks_own_looks_up_its_recipients_in_the_same_round() -> None:
    parties = Parties(from_=addresses("me+x@own.de"), to=addresses("b@y.de"))

    assert address("b@y.de") in looked_up(parties, ME, Policy(), own=False)


def test_internal_mail_of_a_blocked_own_address_is_not_filed() -> None:
    index = {"c@own.de": index_entry(contacts={"colleague": ()}, own=("a2",))}
    parties = Parties(from_=addresses("me@own.de"), to=addresses("c@own.de"), role="sent")

    decision = decide(parties, ME, RECEIVED, knowing(index, "me@own.de"))

    assert (filed(decision), reasons(decision)) == (set(), ["blocklist"])


def test_one_blocked_address_among_several_senders_stops_the_own_address_rule_too() -> None:
    index = {"me@own.de": index_entry(contacts={"boss": ()}, own=("a1",))}
    parties = Parties(from_=addresses("x@fine.de", "y@evil.de"))

    decision = decide(parties, ME, RECEIVED, knowing(index, "evil.de"))

    assert (filed(decision), reasons(decision)) == (set(), ["blocklist"])


def test_an_entry_for_the_own_base_address_stops_its_tagged_account() -> None:
    me = replace(ME, address="me+crm@own.de", own="me+crm@own.de")
    index = {"me+crm@own.de": index_entry(contacts={"boss": ()}, own=("a1",))}

    decision = decide(Parties(from_=addresses("s@x.de")), me, RECEIVED, knowing(index, "me@own.de"))

    assert (filed(decision), reasons(decision)) == (set(), ["blocklist", "no_match"])
