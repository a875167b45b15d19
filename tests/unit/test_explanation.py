"""Decisions in plain words: complete, and silent about Bcc to those who may not know."""

from dataclasses import replace

import pytest

from ablage.explanation import SENTENCES, explain, explain_address, kind_words
from ablage.messages import REASONS, AddressDecision, Entity, Facts, Filing, Message
from ablage.tenancy import TenantId
from ablage.visibility import without_bcc

C1, K1, Q17 = Entity("contact", "c-1"), Entity("customer", "K1"), Entity("quote", "Q-17")
MAX = AddressDecision("max@kunde.de", "from", "matched", ("contact#c-1", "customer#K1"))
SECRET = AddressDecision("secret@kunde.de", "bcc", "matched", ("contact#c-9",))
AUTO = Filing(frozenset({"auto"}), ("from:max@kunde.de",))


def message(*decisions: AddressDecision, **changes: object) -> Message:
    made = Message(
        tenant=TenantId("acme"),
        message_id="a" * 26,
        sort_time="2026-11-20T10:00:00Z",
        facts=Facts(),
        digest="0" * 64,
        decisions=decisions,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  a test's own changes


def text(*decisions: AddressDecision, **changes: object) -> str:
    return explain(without_bcc(message(*decisions, **changes))).text


def test_every_reason_has_its_sentence() -> None:
    assert set(SENTENCES) == set(REASONS)
    for reason in REASONS:
        said = explain_address(AddressDecision("max@kunde.de", "from", reason), "bounce")

        assert said[0].isupper()
        assert said.endswith(".")
        assert "{" not in said


def test_a_reason_nobody_wrote_words_for_is_still_told() -> None:
    assert "new_rule" in explain_address(AddressDecision("a@b.de", "from", "new_rule"), "normal")


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (MAX, "The sender max@kunde.de is an address of contact c-1 and customer K1."),
        (
            AddressDecision("a@sub.x.de", "to", "blocklist", ("x.de",)),
            (
                "The recipient a@sub.x.de is on the blocklist (entry x.de), so nothing is filed "
                "for it automatically."
            ),
        ),
        (
            AddressDecision("me@own.de", "own_address", "own_address", ("contact#c-1",)),
            (
                "Contact c-1 carries the address me@own.de of a connected mailbox, and therefore "
                "every mail of that mailbox."
            ),
        ),
        (
            AddressDecision("max@kunde.de", "from", "kind"),
            "It is a delivery report, a kind of mail that is not filed automatically.",
        ),
        (
            AddressDecision("a@b.de", "from", "ambiguous_sender", ("authentication:fail",)),
            (
                "Your mail provider says that the sender a@b.de is forged, and the policy holds "
                "such mail for a person to look at."
            ),
        ),
    ],
)
def test_what_is_said_of_an_address(decision: AddressDecision, said: str) -> None:
    assert explain_address(decision, "bounce") == said


def test_a_filed_mail_says_where_and_why() -> None:
    said = text(MAX, filings={C1: AUTO, K1: AUTO})

    assert said == "Filed at contact c-1 and customer K1, because it came from max@kunde.de."


def test_sent_mail_says_whom_it_went_to_and_why_it_counts_as_sent() -> None:
    to = replace(MAX, where="to")
    facts = Facts(direction="outbound", via="sent_folder")

    said = text(to, filings={C1: AUTO}, facts=facts)

    assert said.startswith("Filed at contact c-1, because it was sent to max@kunde.de. It lies in")
    assert "alias" in said


def test_what_people_did_is_said_first() -> None:
    by_hand = Filing(frozenset({"manual"}), by="anna")

    assert text(filings={Q17: by_hand}) == "Filed by hand at quote Q-17."
    assert text(MAX, filings={C1: AUTO, Q17: by_hand}) == (
        "Filed by hand at quote Q-17. Also filed at contact c-1, because it came from max@kunde.de."
    )
    assert text(MAX, tombstones=frozenset({C1})) == (
        "Not filed: somebody took it away from contact c-1."
    )
    assert "anna marked it private" in text(MAX, private="anna")
    assert "Sensitivity" in text(MAX, private="header")
    assert "folder that is marked private" in text(MAX, private="folder")
    assert "rejected" in text(MAX, private="anna", review="rejected")
    assert text(MAX, review="held").endswith("It waits for somebody's verdict.")


def test_a_mail_of_a_mailbox_whose_address_is_a_contact_says_so() -> None:
    own = AddressDecision("me@own.de", "own_address", "own_address", ("contact#c-1",))
    filing = Filing(frozenset({"auto"}), ("own_address:me@own.de",))

    assert text(own, filings={C1: filing}) == (
        "Filed at contact c-1, because contact c-1 carries the address of the mailbox it lies in."
    )
    assert text(own, MAX, filings={C1: filing, K1: AUTO}).endswith(
        "because it came from max@kunde.de and contact c-1 carries the address of the mailbox it "
        "lies in."
    )


def test_nobody_found_names_who_was_looked_for() -> None:
    missed = [AddressDecision(f"x{n}@y.de", "to", "no_match") for n in range(6)]

    assert text(missed[0]) == "Not filed: x0@y.de belongs to no contact, customer or other record."
    assert "x0@y.de, x1@y.de, x2@y.de, x3@y.de and 2 more belong to" in text(*missed)
    missing = "none of its addresses belongs to a contact, customer or other record."
    assert text() == f"Not filed: {missing}"


def test_a_closed_gate_is_the_reason() -> None:
    assert text(AddressDecision("max@kunde.de", "from", "filing_off")) == (
        "Not filed: automatic filing is switched off for the mailbox it lies in."
    )


@pytest.mark.parametrize("reason", ["matched", "no_match", "blocklist"])
def test_bcc_is_named_only_to_those_who_may_see_it(reason: str) -> None:
    bcc = replace(SECRET, reason=reason)
    filed = {Entity("contact", "c-9"): Filing(frozenset({"auto"}), ("bcc:secret@kunde.de",))}
    sent = message(
        bcc, facts=Facts(direction="outbound"), filings=filed if reason == "matched" else {}
    )

    hidden, shown = explain(without_bcc(sent)), explain(sent)

    assert "secret" not in hidden.text
    assert hidden.addresses == ()
    assert "secret@kunde.de" in shown.text + shown.addresses[0][1]


def test_every_kind_has_words() -> None:
    kinds = ("normal", "bulk", "invitation", "auto_reply", "bounce", "receipt", "draft")

    assert all("'" not in kind_words(kind) for kind in (*kinds, "invitation_reply"))
    assert kind_words("fax") == "of the kind 'fax'"
