"""What a step would do, before it does it. Reads at most PREVIEW_ROWS rows, writes nothing."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from ablage.accounts import Account
from ablage.addresses import Address
from ablage.limits import MESSAGES_COUNTED
from ablage.matching import IndexEntry, Knowledge, decide
from ablage.messages import OWN_ADDRESS, Entity, Message
from ablage.previews import shown_parties
from ablage.reevaluation import (
    Verdict,
    is_left_open,
    with_account,
    with_addresses,
    without_blocked,
)
from ablage.store.batches import Batch
from ablage.store.candidates import Candidate, is_first_seen, rows_read
from ablage.store.knowledge import (
    Case,
    Found,
    LookUp,
    knowledge,
    read_accounts,
    read_addresses,
    read_found,
)
from ablage.store.messages import read_messages
from ablage.store.policies import get_policy
from ablage.store.table import BATCH_GET_LIMIT, Table

PREVIEW_ROWS = MESSAGES_COUNTED

Effects = Callable[[Sequence[Message]], Sequence[Message]]  # each message as it would be


@dataclass
class Preview:
    """`messages` would change, of `looked_at`; `more`: there are rows beyond. `entities`: how many
    messages would come to, or go from, each."""

    messages: int = 0
    looked_at: int = 0
    more: bool = False
    entities: Counter[Entity] = field(default_factory=Counter)

    def add(self, before: Message, after: Message) -> None:
        changed = set(before.filings) ^ set(after.filings)
        self.messages += bool(changed)
        self.entities.update(changed)


def preview_account(table: Table, batch: Batch, account: Account, now: int) -> Preview:
    """Of back-filling an account, whether or not it files now; own-address links left out: they
    have their warning."""
    policy = get_policy(table, batch.tenant)
    policies = {batch.tenant: policy}
    always = replace(account, filing_enabled=True, filing_since="")

    def effects(found: Sequence[Message]) -> list[Message]:
        copies = [message.first_copy(account.account_id) for message in found]
        parties = [shown_parties(m, c) for m, c in zip(found, copies, strict=True)]
        read = read_found(table, policies, [Case(always, each) for each in parties])
        known = knowledge(read, policy, batch.tenant)
        after = []
        for message, copy, each in zip(found, copies, parties, strict=True):
            decision = decide(each, always, copy.received_at, known)
            links = tuple(d for d in decision.addresses if d.where != OWN_ADDRESS)
            verdict = Verdict(copy, account.own, replace(decision, addresses=links))
            left_open = is_left_open(message, copy)
            after.append(with_account(message, verdict) if left_open else message)
        return after

    return _preview(table, batch, now, effects)


def preview_purge(table: Table, batch: Batch, now: int) -> Preview:
    blocked = {batch.arguments["entry"]}
    return _preview(table, batch, now, lambda found: [without_blocked(m, blocked) for m in found])


def preview_address(
    table: Table, batch: Batch, address: Address, entry: IndexEntry, now: int
) -> Preview:
    """As if `entry` stood in the index already."""
    tenant = batch.tenant
    policy = get_policy(table, tenant)
    found_now = read_addresses(table, [LookUp(tenant, address)]).get(tenant, Found())
    standing = found_now.index.get(address.exact, IndexEntry())
    records = {**standing.records, **entry.records}
    index = {**found_now.index, address.exact: replace(standing, records=records)}
    known = Knowledge(index, frozenset(found_now.blocked), policy)

    def effects(found: Sequence[Message]) -> list[Message]:
        whose = {(tenant, account) for message in found for account in message.accounts}
        accounts, _ = read_accounts(table, whose)
        filing = {key for key, a in accounts.items() if a.filing_enabled and not a.deleted}
        return [
            with_addresses(m, {address.exact}, known)
            if any((tenant, account) in filing for account in m.accounts)
            else m
            for m in found
        ]

    return _preview(table, batch, now, effects)


def _preview(table: Table, batch: Batch, now: int, effects: Effects) -> Preview:
    preview = Preview()
    rows = list(islice(rows_read(table, batch, now), PREVIEW_ROWS + 1))
    preview.more = len(rows) > PREVIEW_ROWS
    seen = [row for row in rows[:PREVIEW_ROWS] if row is not None]
    for start in range(0, len(seen), BATCH_GET_LIMIT):
        found = _messages(table, batch, seen[start : start + BATCH_GET_LIMIT], now)
        preview.looked_at += len(found)
        for before, after in zip(found, effects(found), strict=True):
            preview.add(before, after)
    return preview


def _messages(table: Table, batch: Batch, seen: Sequence[Candidate], now: int) -> list[Message]:
    found = read_messages(table, batch.tenant, [each.message_id for each in seen], now)
    return [
        message
        for message in found
        if any(
            is_first_seen(message, each, batch)
            for each in seen
            if each.message_id == message.message_id
        )
    ]
