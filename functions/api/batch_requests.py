"""From what a caller asks to the batch that does it, or previews it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import Field, StrictInt

from ablage import batches as kinds
from ablage import tenancy
from ablage.accounts import Account
from ablage.addresses import Address, normalise
from ablage.blocklist import parse_entry
from ablage.errors import InvalidInput
from ablage.matching import IndexEntry
from ablage.messages import Entity
from ablage.records import CONTACT
from ablage.store import batches, connections, records
from ablage.store.batches import Batch
from ablage.store.policies import get_policy
from ablage.store.storage import storage
from api.clock import now, utc_text
from api.problems import about
from api.tenant import Caller

Value = TypeVar("Value")

DAYS = 30
Days = Annotated[StrictInt, Field(ge=1, le=365)]


def required(value: Value | None, pointer: str) -> Value:
    """Raises InvalidInput `missing_field`."""
    if value is None:
        raise InvalidInput("missing_field", "This kind needs it.", pointer)
    return value


def account_batch(caller: Caller, account_id: str, days: int | None) -> tuple[Account, Batch]:
    """Raises NotFound, InvalidInput."""
    table = storage().table
    with about("/account"):
        tenancy.entity_id(account_id)
        account = connections.find_account(table, caller.tenant, account_id)
    arguments = {"account": account_id, "since": _back(days or DAYS)}
    return account, made(caller, kinds.BACKFILL_ACCOUNT, arguments)


def purge_batch(caller: Caller, text: str) -> Batch:
    """Raises InvalidInput as a blocklist entry does."""
    return made(caller, kinds.PURGE_BLOCKED, {"entry": parse_entry(text).value})


def address_batch(
    caller: Caller, contact_id: str, text: str, days: int | None
) -> tuple[Batch, Address, IndexEntry]:
    """The contact need not exist yet. Raises InvalidInput `invalid_address`."""
    with about("/contact"):
        tenancy.entity_id(contact_id)
    address = normalise(text)
    if address is None:
        detail = "This is not an e-mail address. Send it bare, as name@example.com."
        raise InvalidInput("invalid_address", detail, "/address")
    table = storage().table
    contact = Entity(CONTACT, contact_id)
    found = records.get_record(table, caller.tenant, contact)
    since = _back(get_policy(table, caller.tenant).backfill_days if days is None else days)
    arguments = {"contact": contact_id, "keys": [address.exact], "since": since}
    entry = IndexEntry({contact: found.parents if found else ()})
    return made(caller, kinds.BACKFILL_CONTACT, arguments), address, entry


def contact_batch(caller: Caller, contact_id: str, text: str | None, days: int | None) -> Batch:
    """Of one address of a contact, or all. Raises NotFound, Merged, InvalidInput."""
    table = storage().table
    with about("/contact"):
        entity = Entity(CONTACT, tenancy.entity_id(contact_id))
        contact = records.find_record(table, caller.tenant, entity)
    address = normalise(text) if text is not None else None
    keys = [address.exact if address else ""] if text is not None else list(contact.active_keys)
    if not set(keys) <= set(contact.active_keys) or not keys:
        detail = "Name an address the contact carries; an archived contact gets no mail."
        raise InvalidInput("not_its_address", detail, "/address")
    back = get_policy(table, caller.tenant).backfill_days if days is None else days
    if not back:
        detail = "The policy has backfill_days 0; say how many days."
        raise InvalidInput("backfill_off", detail, "/days")
    arguments = {"contact": contact_id, "keys": keys, "since": _back(back)}
    return made(caller, kinds.BACKFILL_CONTACT, arguments)


def window_batch(
    caller: Caller, since: datetime, until: datetime | None, account_id: str | None
) -> Batch:
    """Raises NotFound, InvalidInput `empty_window`."""
    if until is not None and until <= since:
        raise InvalidInput("empty_window", "`until` lies after `since`.", "/until")
    arguments = {"since": utc_text(since), "until": utc_text(until or now())}
    if account_id is not None:
        with about("/account"):
            tenancy.entity_id(account_id)
            connections.find_account(storage().table, caller.tenant, account_id)
        arguments["account"] = account_id
    return made(caller, kinds.REEVALUATE, arguments)


def made(caller: Caller, kind: str, arguments: Mapping[str, Any]) -> Batch:
    return batches.new_batch(caller.tenant, kind, arguments, at=now(), by=caller.subject)


def _back(days: int) -> str:
    return utc_text(now() - timedelta(days=days))
