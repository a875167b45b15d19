"""What a caller should know of a mailbox.

Own-address warnings (whoever carries the address of a connected account gets all its mail) are
shown at three places: switching filing on, writing the entity, reading the account.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice

from ablage import limits
from ablage.accounts import Account
from ablage.folder_modes import hides_all_mail
from ablage.habit import Habit
from ablage.messages import Entity
from ablage.store import accounts, address_index, keys, projection
from ablage.store.table import Item, Table
from ablage.tenancy import TenantId
from api.clock import now_epoch, utc_text
from api.schemas import Warning_

CODE = "own_address"
_OVERVIEW = "MAIL#"


def entity_warnings(
    table: Table, tenant: TenantId, entity_type: str, entity_id: str, addresses: Sequence[str]
) -> list[Warning_]:
    """One for each connected account whose address is among `addresses` (exact keys)."""
    owners = address_index.read(table, tenant, addresses)
    own = {account for found in owners.values() for account in found.own}
    connected = (accounts.get_account(table, tenant, account_id) for account_id in sorted(own))
    return [
        warning
        for account in connected
        if account is not None and not account.deleted and account.own in addresses
        for warning in _warnings(table, account, [(entity_type, entity_id)])
    ]


def account_warnings(table: Table, account: Account) -> list[Warning_]:
    """One for each entity that carries the account's address. Aliases do not count: the rule is
    about the address that is connected."""
    owners = address_index.read(table, account.tenant, [account.own]).get(account.own)
    return _warnings(table, account, list(_entities(owners))) if owners else []


def alias_warnings(account: Account, seen: Iterable[str]) -> list[Warning_]:
    """Addresses the mailbox sends as: declared ones are no news."""
    return [
        Warning_(
            code="alias_suggested",
            detail="Mail in the sent folder comes from this address. If it is yours, add it to the "
            "account's aliases: mail from it is then outbound wherever it lies.",
            account=account.account_id,
            address=address,
        )
        for address in sorted(seen)
        if not {address, "@" + address.rpartition("@")[2]} & {account.own, *account.aliases}
    ]


def hidden_mail_warnings(state: Item | None) -> list[Warning_]:
    """Gmail that hides All Mail from IMAP: what a filter archives is then not seen."""
    if state is None or not hides_all_mail(accounts.state_from_item(state)):
        return []
    detail = (
        "All Mail is hidden from IMAP, so only Inbox and Sent are read: mail that a filter "
        "archives is missed. Show it in Gmail's settings, under Labels."
    )
    return [Warning_(code="all_mail_hidden", detail=detail)]


def silence_warnings(account: Account, habit: Habit, code: str | None) -> list[Warning_]:
    """One where no mail came in a long time in which it usually does. A mailbox that is off, or
    cannot be read (`code`), says that instead."""
    silent = habit.silent_since(now_epoch()) if account.sync and code is None else None
    if silent is None:
        return []
    return [
        Warning_(
            code="silent",
            detail="No mail has come for much longer than usual in this mailbox. It can be read; "
            "see whether mail is delivered elsewhere, as by a new rule or a forwarding.",
            account=account.account_id,
            since=utc_text(datetime.fromtimestamp(silent, UTC)),
        )
    ]


def _entities(owners: address_index.Owners) -> Iterable[tuple[str, str]]:
    found = (Entity.parse(record) for record in sorted(owners.records))
    yield from ((entity.kind, entity.entity_id) for entity in found)


def _warnings(
    table: Table, account: Account, entities: Sequence[tuple[str, str]]
) -> list[Warning_]:
    messages, more = _count(table, account) if entities else (0, False)
    return [
        Warning_(
            code=CODE,
            detail="It carries the address of a connected account, so that every mail of this "
            "account is filed at it, as the policy own_address says.",
            entity_type=entity_type,
            entity_id=entity_id,
            account=account.account_id,
            address=account.own,
            messages=messages,
            more=more,
        )
        for entity_type, entity_id in entities
    ]


def _count(table: Table, account: Account) -> tuple[int, bool]:
    """Mails of the account, up to a limit, and whether there are more."""
    now = now_epoch()
    pk = keys.account_partition(account.tenant, account.account_id)
    rows = (row for row in table.query_all(pk, prefix=_OVERVIEW) if projection.is_live(row, now))
    found = sum(1 for _ in islice(rows, limits.MESSAGES_COUNTED + 1))
    return min(found, limits.MESSAGES_COUNTED), found > limits.MESSAGES_COUNTED
