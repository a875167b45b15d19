"""What each kind of batch makes of a message: today's knowledge, read once a slice."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ablage import batches as kinds
from ablage import reevaluation
from ablage.accounts import API_ACCOUNT, Account, api_account
from ablage.addresses import NORMALISER_VERSION, Address, normalise
from ablage.batches import moved, undone
from ablage.errors import Gone, NotFound
from ablage.folder_modes import is_private
from ablage.mail import read_mail
from ablage.mail_parties import parties_of
from ablage.matching import Knowledge, Parties, decide, vouched_for
from ablage.messages import ACCEPTED, Copy, Entity, Message
from ablage.policy import Policy
from ablage.reevaluation import OPEN, Verdict
from ablage.store import batches
from ablage.store.accounts import get_account
from ablage.store.batches import Batch
from ablage.store.knowledge import (
    Case,
    Found,
    LookUp,
    knowledge,
    read_addresses,
    read_found,
)
from ablage.store.merges import archive_place
from ablage.store.policies import get_policy
from ablage.store.raw_mail import RawKey
from ablage.store.storage import Storage

_DECIDES = (kinds.BACKFILL_CONTACT, kinds.BACKFILL_ACCOUNT, kinds.REEVALUATE)
COPIES_READ = 20  # of one message, where its recipients have to be read again


class Plans:
    """`after(message)` for one batch. Accounts, policy and index entries are read once."""

    def __init__(self, storage: Storage, batch: Batch) -> None:
        self._storage = storage
        self._batch = batch
        self._accounts: dict[str, Account | None] = {}
        self._policy: Policy | None = None
        self._moved: dict[Entity, Entity | None] = {}
        self._found = Found()
        self._looked_up: set[Address] = set()
        self._plan: Callable[[Message], Message] = {
            kinds.BACKFILL_CONTACT: self._with_addresses,
            kinds.BACKFILL_ACCOUNT: self._with_account,
            kinds.PURGE_BLOCKED: self._without_blocked,
            kinds.REEVALUATE: self._decided_again,
            kinds.UNDO: self._undone,
            kinds.DELETE_ARCHIVE: self._without_entity,
            kinds.MERGE_CONTACT: self._merged,
        }[batch.kind]

    def after(self, message: Message) -> Message:
        """The message itself where nothing changes."""
        after = self._plan(message)
        if after is message or self._batch.kind not in _DECIDES:
            return after
        return replace(after, versions=(NORMALISER_VERSION, self._tenant_policy().version))

    def _with_addresses(self, message: Message) -> Message:
        wanted = frozenset(self._batch.arguments["keys"])
        accounts = {account.account_id: account for account in self._accounts_of(message)}
        filing = any(account.filing_enabled for account in accounts.values())
        if not filing or any(_is_private(copy, accounts) for copy in message.copies):
            return message
        known = self._known([*wanted, message.facts.from_key])
        return reevaluation.with_addresses(message, wanted, known)

    def _with_account(self, message: Message) -> Message:
        account = self._account(self._batch.arguments["account"])
        if account is None or not account.filing_enabled or account.deleted or message.private:
            return message
        copies = [c for c in message.copies if c.account_id == account.account_id]
        for copy in copies[:COPIES_READ]:
            if reevaluation.is_left_open(message, copy):
                message = reevaluation.with_account(message, self._verdict(message, copy, account))
        return message

    def _without_blocked(self, message: Message) -> Message:
        return reevaluation.without_blocked(message, {self._batch.arguments["entry"]})

    def _decided_again(self, message: Message) -> Message:
        """Where nothing was decided yet, there is nothing to decide again."""
        if message.private or all(d.reason in OPEN for d in message.decisions):
            return message
        accounts = {account.account_id: account for account in self._accounts_of(message)}
        copies = [c for c in message.copies if c.account_id in accounts][:COPIES_READ]
        filing = [c for c in copies if _files(accounts[c.account_id], c)]
        verdicts = [self._verdict(message, c, accounts[c.account_id]) for c in filing]
        return reevaluation.decided_again(message, verdicts) if verdicts else message

    def _undone(self, message: Message) -> Message:
        """Planned is not done: only a message with the mark was changed."""
        of = self._batch.arguments["of"]
        if of not in message.batches:
            return message
        table, tenant = self._storage.table, self._batch.tenant
        entry = batches.get_ledger(table, tenant, of, message.message_id)
        if entry is None:
            return message
        return undone(message, moved(entry, self._places({*entry.added, *entry.removed}, of)))

    def _places(self, entities: Iterable[Entity], of: str) -> dict[Entity, Entity | None]:
        """Where a contact's mail is by now: None, where its archive was deleted since `of`."""
        for entity in entities:
            if entity.kind == "contact" and entity not in self._moved:
                table, tenant = self._storage.table, self._batch.tenant
                place = archive_place(table, tenant, entity.entity_id, of)
                self._moved[entity] = Entity("contact", place) if place else None
        return self._moved

    def _without_entity(self, message: Message) -> Message:
        return reevaluation.without_entity(message, self._entity())

    def _merged(self, message: Message) -> Message:
        source = self._entity()
        into = Entity(source.kind, self._batch.arguments["into"])
        return reevaluation.merged(message, source, into)

    def _entity(self) -> Entity:
        arguments = self._batch.arguments
        return Entity(arguments["entity_type"], arguments["entity_id"])

    def _account(self, account_id: str) -> Account | None:
        if account_id not in self._accounts:
            table, tenant = self._storage.table, self._batch.tenant
            is_ours = account_id == API_ACCOUNT
            found = api_account(tenant) if is_ours else get_account(table, tenant, account_id)
            self._accounts[account_id] = found
        return self._accounts[account_id]

    def _accounts_of(self, message: Message) -> list[Account]:
        found = (self._account(account_id) for account_id in message.accounts)
        return [account for account in found if account is not None and not account.deleted]

    def _tenant_policy(self) -> Policy:
        if self._policy is None:
            self._policy = get_policy(self._storage.table, self._batch.tenant)
        return self._policy

    def _known(self, keys: Iterable[str]) -> Knowledge:
        wanted = {address for key in keys if (address := normalise(key))} - self._looked_up
        if wanted:
            tenant = self._batch.tenant
            more = read_addresses(self._storage.table, (LookUp(tenant, a) for a in wanted))
            found = more.get(tenant, Found())
            self._found.index.update(found.index)
            self._found.blocked.update(found.blocked)
            self._looked_up |= wanted
        return Knowledge(self._found.index, frozenset(self._found.blocked), self._tenant_policy())

    def _verdict(self, message: Message, copy: Copy, account: Account) -> Verdict:
        """Of the copy as if its account had always filed. Raises Gone `raw_expired`."""
        parties = self._parties(message, copy)
        if message.review == ACCEPTED:
            parties = vouched_for(parties)
        tenant = self._batch.tenant
        policies = {tenant: self._tenant_policy()}
        found = read_found(self._storage.table, policies, [Case(account, parties)])
        known = knowledge(found, self._tenant_policy(), tenant)
        always = replace(account, filing_since="")
        return Verdict(copy, account.own, decide(parties, always, copy.received_at, known))

    def _parties(self, message: Message, copy: Copy) -> Parties:
        draft = (r"\Draft",) if message.facts.kind == "draft" else ()
        parties, _ = parties_of(
            read_mail(self._bytes(message, copy)), copy.role, draft, copy.folder_id
        )
        return parties

    def _bytes(self, message: Message, copy: Copy) -> bytes:
        """The copy's own; the archived ones once its raw mail has expired."""
        key = RawKey(
            copy.retention,
            message.tenant,
            copy.account_id,
            copy.folder_id,
            copy.uidvalidity,
            copy.uid,
        )
        try:
            return self._storage.raw.get(key)[0]
        except NotFound as missing:
            sha256 = message.archived.get(copy.digest[:16])
            if sha256 is None:
                raise Gone("raw_expired", "The mail is no longer kept.") from missing
        return self._storage.archive.read(message.tenant, message.message_id, sha256)


def _files(account: Account, copy: Copy) -> bool:
    """What it never contributed for its time waits for the back-filling of its account."""
    return account.filing_enabled and (not copy.gated or account.files(copy.received_at))


def _is_private(copy: Copy, accounts: Mapping[str, Account]) -> bool:
    account = accounts.get(copy.account_id)
    return account is not None and is_private(account, copy.folder_id, copy.role)
