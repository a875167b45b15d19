"""Connecting, changing and disconnecting mailboxes: config, state's due keys and sealed secret in
one transaction, own addresses in the index after it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ablage.accounts import Account, AccountState
from ablage.errors import Conflict, NotFound
from ablage.oauth import has_revocation
from ablage.store import address_index, keys, projection, quotas
from ablage.store.accounts import account_from_item, account_item, due_keys, state_item
from ablage.store.grants import CODE, retire_action
from ablage.store.jobs import Job, job_item
from ablage.store.storage import Storage
from ablage.store.table import ConditionFailed, Item, Table, delete_action, put_action
from ablage.store.table import update_action as update
from ablage.tenancy import TenantId

_PREFIX = "ACCOUNT#"
_ROUNDS = 10

Edit = Callable[[Account], Account]


@dataclass(frozen=True)
class Connected:
    """`created` is False where the same account stood there already."""

    account: Account
    created: bool


def find_account(table: Table, tenant: TenantId, account_id: str) -> Account:
    """Raises NotFound `not_found`, also for one that is deleted."""
    item = table.get(keys.account(tenant, account_id), consistent=True)
    account = account_from_item(tenant, account_id, item) if item else None
    if account is None or account.deleted:
        raise NotFound("not_found", "There is no such account.")
    return account


def page_accounts(
    table: Table, tenant: TenantId, after: str | None, limit: int
) -> tuple[list[Account], str | None]:
    """Accounts in the order of their ids, and the sort key to go on after."""
    items = table.query(keys.accounts(tenant), prefix=_PREFIX, after=after, limit=limit)
    found = [account_from_item(tenant, i["sk"].removeprefix(_PREFIX), i) for i in items]
    more = items[-1]["sk"] if len(items) == limit else None
    return [account for account in found if not account.deleted], more


def require_room(table: Table, tenant: TenantId, account_id: str, most: int) -> None:
    """Raises Conflict `quota_exceeded` where a new account would be one too many. Accounts made at
    the same moment may pass together: it is a bound, no price."""
    items = table.query(keys.accounts(tenant), prefix=_PREFIX, limit=2 * most)
    ids = {item["sk"].removeprefix(_PREFIX) for item in items if not item.get("deleted")}
    if account_id not in ids and len(ids) >= most:
        raise quotas.exceeded("accounts", most)


def states(table: Table, tenant: TenantId, account_ids: list[str]) -> dict[str, Item]:
    """State items by account id."""
    wanted = {keys.account_state(tenant, account_id): account_id for account_id in account_ids}
    return {wanted[key]: item for key, item in table.batch_get(wanted).items()}


def connect(
    storage: Storage,
    wanted: Callable[[Account | None], Account],
    key: tuple[TenantId, str],
    sealed: Item | None,
) -> Connected:
    """Creates the account `wanted` makes, given the one that stands there. One that was deleted is
    connected anew, as another mailbox. Raises Conflict `account_exists` when a different one stands
    there.
    """
    tenant, account_id = key
    table = storage.table
    for _ in range(_ROUNDS):
        before = table.get(keys.account(tenant, account_id), consistent=True)
        standing = account_from_item(tenant, account_id, before) if before else None
        if standing and not standing.deleted:
            return _same(standing, wanted(standing))
        account = _as_new(wanted(None), standing)
        state = state_item(AccountState())
        if account.sync:
            state |= due_keys(tenant, account_id, state["interval"])
        more = [put_action(keys.account_state(tenant, account_id), state)]
        if sealed is not None:
            more.append(_secret_action(account, sealed))
        if _write(storage, account, before, more):
            return Connected(account, created=True)
    raise Conflict("busy", "Too many writers of one account; try again.")


def _as_new(account: Account, deleted: Account | None) -> Account:
    version, generation = 1, 0
    if deleted is not None:
        version, generation = deleted.version + 1, deleted.generation + 1
    return replace(account, version=version, generation=generation, login_version=version)


def _same(standing: Account, wanted: Account) -> Connected:
    asked = replace(
        wanted,
        version=standing.version,
        generation=standing.generation,
        login_version=standing.login_version,
    )
    if standing != asked:
        detail = "An account with this id exists and differs; change it with PATCH."
        raise Conflict("account_exists", detail, "/id")
    return Connected(standing, created=False)


def change_account(
    storage: Storage,
    tenant: TenantId,
    account_id: str,
    edit: Edit,
    sealed: Item | None,
    *,
    also: Callable[[Account], list[dict[str, Any]]] = lambda _: [],
) -> Account:
    """The account as `edit` makes it of the one that stands there; `sealed` is a new secret,
    `also` what else its transaction writes.

    Raises NotFound `not_found`, what `edit` raises, Conflict `busy`.
    """
    for _ in range(_ROUNDS):
        before = storage.table.get(keys.account(tenant, account_id), consistent=True)
        standing = account_from_item(tenant, account_id, before) if before else None
        if standing is None or standing.deleted:
            raise NotFound("not_found", "There is no such account.")
        account = _in_generation(replace(edit(standing), version=standing.version + 1), standing)
        if sealed is None and account == replace(standing, version=account.version):
            return standing
        if sealed is not None or _login(account) != _login(standing):
            account = replace(account, login_version=account.version)
        more = _due_actions(storage.table, standing, account)
        if sealed is not None:
            more.append(_secret_action(account, sealed))
        more += also(account)
        if _write(storage, account, before, more):
            return account
    raise Conflict("busy", "Too many writers of one account; try again.")


def _login(account: Account) -> tuple[object, ...]:
    return account.host, account.port, account.username, account.auth, account.delegate


def _secret_action(account: Account, sealed: Item) -> dict[str, Any]:
    """A code stands beside the secret it will replace: should it fail, that one goes on."""
    place = keys.secret_code if sealed["kind"] == CODE else keys.secret
    return put_action(place(account.tenant, account.account_id), sealed)


def _in_generation(account: Account, standing: Account) -> Account:
    """Another host or user is another mailbox, whatever UIDVALIDITY it tells."""
    is_same = (account.host, account.username) == (standing.host, standing.username)
    return replace(account, generation=standing.generation + (not is_same))


def disconnect(
    storage: Storage,
    tenant: TenantId,
    account_id: str,
    job_id: str,
    now: int,
    *,
    check: Callable[[int], None] = lambda _: None,
) -> Job | None:
    """No more polls, no secret, no automatic filing. Own addresses and filed mail stay. The job, by
    this id, that ends the access at the provider, where that can be asked to. `check` sees the
    version that stands and may raise."""

    def edit(account: Account) -> Account:
        check(account.version)
        return replace(account, deleted=True, sync=False, filing_enabled=False, filing_since=None)

    def also(account: Account) -> list[dict[str, Any]]:
        job = _revocation(account, job_id)
        return [put_action(keys.job(tenant, job_id), job_item(job, now))] if job else []

    return _revocation(change_account(storage, tenant, account_id, edit, None, also=also), job_id)


def _revocation(account: Account, job_id: str) -> Job | None:
    if not has_revocation(account.auth):
        return None
    preview = {"provider": account.auth}
    return Job(account.tenant, job_id, "revoke", account.account_id, preview=preview)


def repair_account(storage: Storage, tenant: TenantId, account_id: str) -> None:
    """Finishes what a killed writer left in the index. Raises Conflict `busy`."""
    table = storage.table

    def project(item: Item) -> None:
        account = account_from_item(tenant, account_id, item)
        entries: dict[str, Any] = dict.fromkeys((account.own, *account.aliases), account.version)
        for address in (*entries, *item["lost"]["aliases"]):
            entry = {"v": account.version} | ({} if address in entries else {"gone": True})
            address_index.write(table, tenant, address, group="own", entity=account_id, entry=entry)

    projection.settle(table, keys.account(tenant, account_id), project)


def _due_actions(table: Table, standing: Account, account: Account) -> list[dict[str, Any]]:
    """What the switch `sync` means to dispatch, what another mailbox means to the next look (its
    folders are listed at once), and what a deletion takes along."""
    state = keys.account_state(account.tenant, account.account_id)
    sets, values, removes = "", {}, []
    if account.sync and not standing.sync:
        known = table.get(state, consistent=True) or {}
        due = due_keys(account.tenant, account.account_id, int(known["interval"]))
        sets, values = "SET due = :due, due_sk = :due_sk", {f":{k}": v for k, v in due.items()}
    if standing.sync and not account.sync:
        removes += ["due", "due_sk"]
    if standing.generation != account.generation:
        removes.append("checked_at")
    change = f"{sets} {'REMOVE ' + ', '.join(removes) if removes else ''}".strip()
    actions = [update(state, change, values)] if change else []
    if account.deleted:
        place = account.tenant, account.account_id
        gone = retire_action if has_revocation(account.auth) else _forget_action
        others = (keys.secret_code, keys.opened_secret)
        actions += [gone(*place), *(delete_action(key(*place)) for key in others)]
    return actions


def _forget_action(tenant: TenantId, account_id: str) -> dict[str, Any]:
    return delete_action(keys.secret(tenant, account_id))


def _write(
    storage: Storage, account: Account, before: Item | None, more: list[dict[str, Any]]
) -> bool:
    """False when somebody else wrote first."""
    tenant, account_id = account.tenant, account.account_id
    repair = {"repair": {"tenant": tenant, "account": account_id}}
    storage.queues.match(repair, projection.REPAIR_DELAY)
    item = projection.next_version(before, account_item(account), ("aliases",))
    condition, values = projection.unchanged_since(before)
    config = put_action(keys.account(tenant, account_id), item, condition, values)
    try:
        storage.table.transact([config, *more])
    except ConditionFailed:
        return False
    repair_account(storage, tenant, account_id)
    return True
