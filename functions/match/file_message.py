"""A batch of copies: known together in one round, then each decided and filed on its own."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ablage.accounts import API_ACCOUNT, Account
from ablage.addresses import NORMALISER_VERSION
from ablage.authentication import FAIL
from ablage.change import change
from ablage.copies import Arrival, add_copy
from ablage.delivery_reports import failed_delivery
from ablage.filings import Intent, filed_with
from ablage.headers import Headers
from ablage.mail_parties import header_identity, sender_text
from ablage.matching import (
    Decision,
    Knowledge,
    Parties,
    authenticated,
    decide,
    vouched_for,
)
from ablage.messages import Message
from ablage.policy import Policy
from ablage.store import uploads
from ablage.store.accounts import suggest_alias
from ablage.store.jobs import tick_copy
from ablage.store.knowledge import (
    Ahead,
    Case,
    Found,
    foreseen,
    knowledge,
    read_accounts,
    read_found,
)
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from match.read_copy import ReadCopy


@dataclass(frozen=True)
class Known:
    """What the batch's mails need known."""

    accounts: dict[tuple[TenantId, str], Account]
    policies: dict[TenantId, Policy]
    found: dict[TenantId, Found]

    def account(self, read: ReadCopy) -> Account | None:
        return self.accounts.get((read.key.tenant, read.key.account_id))

    def knowledge(self, tenant: TenantId) -> Knowledge:
        return knowledge(self.found, self.policies[tenant], tenant)


def know(storage: Storage, batch: Sequence[ReadCopy]) -> Known:
    """One round of reading for the whole batch; a second for recipients, where From is own."""
    whose = {_whose(read) for read in batch}
    likely = (foreseen(*_whose(read), read.own, read.parties) for read in batch)
    table = Ahead(storage.table, set().union(*likely))
    accounts, policies = read_accounts(table, whose)
    known = Known(accounts, policies, {})
    mailed = ((known.account(read), read.parties) for read in batch)
    cases = [Case(account, parties) for account, parties in mailed if account]
    return Known(accounts, policies, read_found(table, policies, cases))


def _whose(read: ReadCopy) -> tuple[TenantId, str]:
    return read.key.tenant, read.key.account_id


def file_message(storage: Storage, read: ReadCopy, known: Known) -> Message | None:
    """Decide and file one copy, then tick it off its job. None for a mailbox we do not know."""
    account = known.account(read)
    message = None
    if account is not None:
        message = change(storage, account.tenant, read.message_id, _intent(read, account, known))
        if read.posted:
            uploads.matched(storage.table, read.posted, read.message_id, int(time.time()))
        _note_failed_delivery(storage, account, read)
        _note_alias(storage, account, read, message)
    tick(storage, read.key.tenant, read.job, read.copy.copy_id)
    return message


def _intent(read: ReadCopy, account: Account, known: Known) -> Intent:
    added = add_copy(arrival_of(read, account, known))
    posted = read.posted
    if posted is None or not posted.filings:
        return added
    return filed_with(added, read.copy.copy_id, posted.filings, posted.by, posted.created_at)


def _note_alias(
    storage: Storage, account: Account, read: ReadCopy, message: Message | None
) -> None:
    """Sent as an address nobody declared: the account shows it as a suggestion."""
    if account.account_id == API_ACCOUNT:
        return
    if message and message.facts.via == "sent_folder" and read.parties.role == "sent":
        suggest_alias(storage.table, account.tenant, account.account_id, message.facts.from_key)


def _note_failed_delivery(storage: Storage, account: Account, read: ReadCopy) -> None:
    """A delivery report marks the message it names, if we have it and it went out. A report whose
    sender the provider found forged marks nothing."""
    report = read.report
    if report is None or report.returned is None:
        return
    if authenticated(read.parties, account) == FAIL:
        return
    named = header_identity(report.returned)
    if not named or not report.failures:
        return
    noted = failed_delivery(report.failures, read.message_id)
    if change(storage, account.tenant, named, noted) is None:
        _note_replaced(storage, account.tenant, report.returned, noted)


def _note_replaced(storage: Storage, tenant: TenantId, returned: Headers, noted: Intent) -> None:
    """The sending provider put a Message-ID and Date of its own into a mail that was posted: its
    From has to be that of the message."""
    named = uploads.named_by_provider(storage.table, tenant, returned.message_id)

    def of_its_sender(message: Message | None) -> Message | None:
        is_it = message is not None and message.facts.from_key == sender_text(returned)
        return noted(message) if is_it else None

    if named:
        change(storage, tenant, named, of_its_sender)


def arrival_of(read: ReadCopy, account: Account, known: Known) -> Arrival:
    """The copy, decided; where that is held, also as a person's word would have it."""
    knowledge_ = known.knowledge(account.tenant)

    def decided(parties: Parties) -> Decision:
        return decide(parties, account, read.copy.received_at, knowledge_)

    decision = decided(read.parties)
    return Arrival(
        tenant=account.tenant,
        message_id=read.message_id,
        copy=read.copy,
        facts=read.facts,
        decision=decision,
        sort_time=read.sort_time,
        flags=read.flags,
        expires=read.expires,
        versions=(NORMALISER_VERSION, known.policies[account.tenant].version),
        vouched=decided(vouched_for(read.parties)) if decision.is_held else None,
    )


def tick(storage: Storage, tenant: TenantId, job: str | None, copy_id: str) -> None:
    if job:
        tick_copy(storage.table, tenant, job, copy_id)
