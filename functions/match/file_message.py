"""A batch of copies: known together in one round, then each decided and filed on its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ablage.accounts import Account
from ablage.addresses import normalise
from ablage.change import change
from ablage.copies import Arrival, add_copy
from ablage.filings import Intent
from ablage.matching import Knowledge, decide, looked_up
from ablage.messages import Message
from ablage.policy import Policy
from ablage.store.jobs import tick_copy
from ablage.store.knowledge import Found, LookUp, read_accounts, read_addresses
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from match.read_copy import ReadCopy, with_way


@dataclass(frozen=True)
class Known:
    """What the batch's mails need known."""

    accounts: dict[tuple[TenantId, str], Account]
    policies: dict[TenantId, Policy]
    found: dict[TenantId, Found]

    def account(self, read: ReadCopy) -> Account | None:
        return self.accounts.get((read.key.tenant, read.key.account_id))

    def knowledge(self, tenant: TenantId) -> Knowledge:
        found = self.found.get(tenant, Found())
        return Knowledge(found.index, frozenset(found.blocked), self.policies[tenant])


def know(storage: Storage, batch: Sequence[ReadCopy]) -> Known:
    """One round for senders and own addresses; recipients join it where From looks own, and make a
    second round where From turns out own."""
    whose = {(read.key.tenant, read.key.account_id) for read in batch}
    accounts, policies = read_accounts(storage.table, whose)
    known = Known(accounts, policies, {})
    first = {one for read in batch for one in _look_ups(read, known, own=False)}
    known = Known(accounts, policies, read_addresses(storage.table, first))
    second = {
        one for read in batch if _from_own(read, known) for one in _look_ups(read, known, own=True)
    }
    if second - first:
        more = read_addresses(storage.table, second - first)
        known = Known(accounts, policies, _joined(known.found, more))
    return known


def _look_ups(read: ReadCopy, known: Known, *, own: bool) -> Iterable[LookUp]:
    account = known.account(read)
    if account is None:
        return
    mine = normalise(account.own)
    if mine:
        yield LookUp(account.tenant, mine)
    policy = known.policies[account.tenant]
    for address in looked_up(read.parties, account, policy, own=own):
        yield LookUp(account.tenant, address)


def _from_own(read: ReadCopy, known: Known) -> bool:
    sender = read.parties.sender
    return sender is not None and known.knowledge(read.key.tenant).is_own(sender)


def _joined(one: dict[TenantId, Found], more: dict[TenantId, Found]) -> dict[TenantId, Found]:
    return {
        tenant: Found(
            one.get(tenant, Found()).index | more.get(tenant, Found()).index,
            one.get(tenant, Found()).blocked | more.get(tenant, Found()).blocked,
        )
        for tenant in {*one, *more}
    }


def file_message(storage: Storage, read: ReadCopy, known: Known) -> Message | None:
    """Decide and file one copy, then tick it off its job. None for a mailbox we do not know."""
    account = known.account(read)
    message = None
    if account is not None:
        message = change(storage, account.tenant, read.message_id, _intent(read, account, known))
    tick(storage, read.key.tenant, read.job, read.copy.copy_id)
    return message


def _intent(read: ReadCopy, account: Account, known: Known) -> Intent:
    decision = decide(read.parties, account, read.copy.received_at, known.knowledge(account.tenant))
    return add_copy(
        Arrival(
            tenant=account.tenant,
            message_id=read.message_id,
            copy=read.copy,
            facts=with_way(read, decision.direction, decision.via),
            decision=decision,
            sort_time=read.sort_time,
            flags=read.flags,
            expires=read.expires,
        )
    )


def tick(storage: Storage, tenant: TenantId, job: str | None, copy_id: str) -> None:
    if job:
        tick_copy(storage.table, tenant, job, copy_id)
