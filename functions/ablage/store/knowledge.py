"""What a batch of mails needs known: the address index, the blocklist, accounts and policy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ablage.accounts import API_ACCOUNT, Account, api_account
from ablage.addresses import Address, normalise
from ablage.matching import IndexEntry, Knowledge, Parties, block_keys, index_keys, looked_up
from ablage.messages import Entity
from ablage.policy import Policy
from ablage.store import address_index, keys
from ablage.store.accounts import account_from_item
from ablage.store.policies import policy_from_item
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId


@dataclass(frozen=True)
class Found:
    """Of one tenant: index entries by key, and the blocked addresses and domains there are."""

    index: dict[str, IndexEntry] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class LookUp:
    """What to look up for one tenant: addresses wholly, own keys in index and blocklist."""

    tenant: TenantId
    address: Address


@dataclass(frozen=True)
class Case:
    """A mail to be decided: the mailbox it lies in, and who takes part."""

    account: Account
    parties: Parties


def knowledge(found: Mapping[TenantId, Found], policy: Policy, tenant: TenantId) -> Knowledge:
    """What `ablage.matching.decide` asks."""
    known = found.get(tenant, Found())
    return Knowledge(known.index, frozenset(known.blocked), policy)


class Reader(Protocol):
    """Whatever reads items by their keys: the table, or what was read of it ahead."""

    def batch_get(self, wanted: Iterable[keys.Key], /) -> dict[keys.Key, Item]: ...


class Ahead:
    """Reads everything a batch is likely to need in one round, and only what was not foreseen
    again."""

    def __init__(self, table: Table, wanted: Iterable[keys.Key]) -> None:
        self._table = table
        self._asked = set(wanted)
        self._items = table.batch_get(sorted(self._asked))

    def batch_get(self, wanted: Iterable[keys.Key]) -> dict[keys.Key, Item]:
        needed = set(wanted)
        missing = needed - self._asked
        if missing:
            self._items |= self._table.batch_get(sorted(missing))
            self._asked |= missing
        return {key: self._items[key] for key in needed & self._items.keys()}


def foreseen(tenant: TenantId, account_id: str, own: str, parties: Parties) -> set[keys.Key]:
    """The keys of a mail before its account is known: its account, policy and senders; `own` is the
    account's own address, empty if nobody said it."""
    mine = normalise(own)
    addresses = {*parties.from_, *([mine] if mine else [])}
    found = {keys.account(tenant, account_id), keys.policy(tenant)}
    for address in addresses:
        found |= {keys.address(tenant, key) for key in index_keys(address)}
        found |= {_block_key(tenant, entry) for entry in block_keys(address)}
    return found


def read_accounts(
    table: Reader, wanted: Iterable[tuple[TenantId, str]]
) -> tuple[dict[tuple[TenantId, str], Account], dict[TenantId, Policy]]:
    """Configs of the accounts, and the policies of their tenants (defaults where none is set)."""
    wanted = set(wanted)
    accounts = {keys.account(*one): one for one in wanted}
    policies = {keys.policy(tenant): tenant for tenant, _ in accounts.values()}
    items = table.batch_get([*accounts, *policies])
    found = {o: account_from_item(*o, items[key]) for key, o in accounts.items() if key in items}
    return (
        found | {one: api_account(one[0]) for one in wanted if one[1] == API_ACCOUNT},
        {tenant: policy_from_item(items.get(key)) for key, tenant in policies.items()},
    )


def read_found(
    table: Reader, policies: Mapping[TenantId, Policy], cases: Sequence[Case]
) -> dict[TenantId, Found]:
    """One round for senders and own addresses; recipients join it where From looks own, and make a
    second round where From turns out own."""
    first = {one for case in cases for one in _look_ups(case, policies, own=False)}
    found = read_addresses(table, first)
    own = [case for case in cases if _from_own(case, policies, found)]
    second = {one for case in own for one in _look_ups(case, policies, own=True)} - first
    return _joined(found, read_addresses(table, second)) if second else found


def _look_ups(case: Case, policies: Mapping[TenantId, Policy], *, own: bool) -> Iterable[LookUp]:
    tenant = case.account.tenant
    mine = normalise(case.account.own)
    if mine:
        yield LookUp(tenant, mine)
    for address in looked_up(case.parties, case.account, policies[tenant], own=own):
        yield LookUp(tenant, address)


def _from_own(
    case: Case, policies: Mapping[TenantId, Policy], found: Mapping[TenantId, Found]
) -> bool:
    tenant, sender = case.account.tenant, case.parties.sender
    return sender is not None and knowledge(found, policies[tenant], tenant).is_own(sender)


def _joined(one: dict[TenantId, Found], more: dict[TenantId, Found]) -> dict[TenantId, Found]:
    return {
        tenant: Found(
            one.get(tenant, Found()).index | more.get(tenant, Found()).index,
            one.get(tenant, Found()).blocked | more.get(tenant, Found()).blocked,
        )
        for tenant in {*one, *more}
    }


def read_addresses(table: Reader, wanted: Iterable[LookUp]) -> dict[TenantId, Found]:
    """One BatchGetItem round for all; a second only where an address has chunks."""
    index_at: dict[keys.Key, tuple[TenantId, str]] = {}
    block_at: dict[keys.Key, tuple[TenantId, str]] = {}
    for one in wanted:
        for key in index_keys(one.address):
            index_at[keys.address(one.tenant, key)] = one.tenant, key
        for entry in block_keys(one.address):
            block_at[_block_key(one.tenant, entry)] = one.tenant, entry
    items = table.batch_get([*index_at, *block_at])
    found: dict[TenantId, Found] = {tenant: Found() for tenant, _ in index_at.values()}
    for block_key, (tenant, entry) in block_at.items():
        if block_key in items:
            found[tenant].blocked.add(entry)
    for (whose, address), parts in _with_chunks(table, index_at, items).items():
        found[whose].index[address] = _index_entry(parts)
    return found


def _block_key(tenant: TenantId, entry: str) -> keys.Key:
    if "@" in entry:
        return keys.blocked_address(tenant, entry)
    return keys.blocked_domain(tenant, entry)


def _with_chunks(
    table: Reader,
    index_at: Mapping[keys.Key, tuple[TenantId, str]],
    items: Mapping[keys.Key, Item],
) -> dict[tuple[TenantId, str], list[Item]]:
    parts = {whose: [items[key]] for key, whose in index_at.items() if key in items}
    chunk_at = {
        keys.address(*whose, number): whose
        for whose, (first, *_) in parts.items()
        for number in range(1, first.get("chunks", 0) + 1)
    }
    for key, item in sorted(table.batch_get(chunk_at).items()) if chunk_at else ():
        parts[chunk_at[key]].append(item)
    return parts


def _index_entry(parts: list[Item]) -> IndexEntry:
    owners = address_index.owners_of(parts)
    records = {
        Entity.parse(record): tuple(Entity.parse(parent) for parent in parents)
        for record, parents in sorted(owners.records.items())
    }
    return IndexEntry(records, tuple(sorted(owners.own)))
