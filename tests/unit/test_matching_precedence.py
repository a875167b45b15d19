"""The gates in their order: of every two that apply, the earlier one decides and is shown."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import combinations

import pytest
from tests.support.walks import INDEX, INFO, Arriving, Step, contact, filed, mail, walked

from ablage.accounts import Account
from ablage.filings import file_by_hand, unfile
from ablage.knowledge import IndexEntry, Knowledge
from ablage.messages import Entity
from ablage.policy import Policy

QUOTE = Entity("quote", "q1")
C1, K1, BOSS, COLLEAGUE = (
    Entity("contact", "c1"),
    Entity("customer", "k1"),
    Entity("contact", "boss"),
    Entity("contact", "eva"),
)


@dataclass(frozen=True)
class Scene:
    """A mail that would be filed by match, until gates close."""

    fields: tuple[str, ...] = ("From: kunde@k.de", "To: info@own.de")
    role: str = "inbox"
    account: Account = INFO
    index: dict[str, IndexEntry] = field(default_factory=lambda: INDEX)
    blocked: frozenset[str] = frozenset()
    policy: Policy = field(default_factory=Policy)
    after: tuple[Step, ...] = ()

    def plays(self) -> tuple[str, set[str]]:
        known = Knowledge(self.index, self.blocked, self.policy)
        copy = Arriving(mail(*self.fields), known, self.account, role=self.role)
        message = walked(copy, *self.after)
        return message.reason(), filed(message)


def with_field(text: str) -> Callable[[Scene], Scene]:
    return lambda scene: replace(scene, fields=(*scene.fields, text))


def with_account(**changes: object) -> Callable[[Scene], Scene]:
    return lambda scene: replace(scene, account=replace(scene.account, **changes))


def by_hand(scene: Scene) -> Scene:
    step = file_by_hand(QUOTE, "anna", "2026-11-20T12:00:00Z")
    return replace(scene, after=(*scene.after, step))


def unfiled(scene: Scene) -> Scene:
    steps = tuple(unfile(entity, "eva") for entity in (C1, K1, BOSS, COLLEAGUE))
    return replace(scene, after=(*steps, *scene.after))


def blocked(scene: Scene) -> Scene:
    return replace(scene, blocked=frozenset({"k.de", "own.de"}))


def boss(scene: Scene) -> Scene:
    return replace(scene, index=scene.index | {"info@own.de": contact("boss", own=("a1",))})


def internal(scene: Scene) -> Scene:
    return replace(
        scene,
        fields=("From: info@own.de", "To: max@own.de", *scene.fields[2:]),
        role="sent",
        index=scene.index | {"max@own.de": contact("eva", own=("a2",))},
        policy=replace(scene.policy, file_internal_mail=False),
    )


GATES: dict[str, Callable[[Scene], Scene]] = {
    "manual": by_hand,
    "tombstone": unfiled,
    "private": with_field("Sensitivity: Private"),
    "filing_off": with_account(filing_enabled=False),
    "before_since": with_account(filing_since="2026-11-21T00:00:00Z"),
    "kind": with_field("X-Unsent: 1"),
    "blocklist": blocked,
    "own_address": boss,
    "internal": internal,
    "matched": lambda scene: scene,
}
FILES = {"manual": {"quote#q1"}, "own_address": {"contact#boss"}}
ONE_RANK = {("tombstone", "private")}


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_alone_decides(gate: str) -> None:
    reason, _ = GATES[gate](Scene()).plays()

    assert reason == gate


@pytest.mark.parametrize(("first", "second"), sorted(set(combinations(GATES, 2)) - ONE_RANK))
def test_of_two_gates_the_first_decides(first: str, second: str) -> None:
    scene = GATES[first](GATES[second](Scene()))

    reason, entities = scene.plays()

    assert reason == first
    if first not in ("manual", "own_address"):
        assert entities == set()
    assert FILES.get(first, set()) <= entities


def test_a_tombstone_and_a_private_mark_agree() -> None:
    reason, entities = unfiled(GATES["private"](Scene())).plays()

    assert (reason in ("tombstone", "private"), entities) == (True, set())
