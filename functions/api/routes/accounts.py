"""Accounts: connected mailboxes. We write settings and seal secrets; sync talks to servers."""

import secrets
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ablage.accounts import Account, AccountState
from ablage.addresses import normalise
from ablage.errors import InvalidInput
from ablage.mailbox.presets import by_domain
from ablage.oauth import APP_ONLY, provider_of
from ablage.settings import settings
from ablage.store import accounts as states
from ablage.store import connections
from ablage.store import secrets as sealing
from ablage.store.aws import client
from ablage.store.storage import storage
from ablage.store.table import Item
from ablage.tenancy import TenantId, entity_id
from api import cursors
from api.account_schemas import (
    AccountBody,
    AccountDetail,
    AccountPatch,
    AccountView,
    CandidateView,
    DiscoverBody,
    DiscoveryView,
    FolderView,
)
from api.accounts import (
    LoginPlace,
    app_login,
    check_password,
    new_account,
    password_login,
    patched,
    view,
)
from api.authorizations import client_of
from api.clock import now, now_epoch
from api.completeness import last_due, parked_mails
from api.folders import check_folders, folder_views
from api.job_start import new_job_id, send_job, start_job
from api.ledger_views import MAILS_SHOWN
from api.login_tries import count_login
from api.operations import operation
from api.problems import about
from api.schemas import (
    Cursor,
    Expected,
    IfMatch,
    Limit,
    Page,
    PathId,
    Warning_,
    answer,
    check_version,
    expected_version,
    no_content,
)
from api.tenant import Calling
from api.visibility import MANAGE, find_viewed_account, views
from api.warnings import (
    account_warnings,
    alias_warnings,
    hidden_mail_warnings,
    silence_warnings,
)


@operation("POST", "/v1/accounts", "manage")
def connect_account(body: AccountBody, caller: Calling) -> Response[AccountDetail]:
    """Connect a mailbox (201; 200 if the same is connected already under this id).

    Host and user may be connected, or sent a password for, five times an hour and twenty a day; all
    of a tenant's mailboxes twice a day (429, `Retry-After`).
    """
    with about("/id"):
        account_id = entity_id(body.id) if body.id is not None else f"acc-{secrets.token_hex(8)}"
    login = _login_place(body, caller.tenant)
    new_account(caller.tenant, account_id, body, login, None)
    connections.require_room(storage().table, caller.tenant, account_id, settings().quota_accounts)

    def wanted(standing: Account | None) -> Account:
        account = new_account(caller.tenant, account_id, body, login, standing)
        if standing is None:
            count_login(account)
        return account

    connected = connections.connect(
        storage(),
        wanted,
        (caller.tenant, account_id),
        _sealed(caller.tenant, account_id, body.password.get_secret_value()),
    )
    if connected.created and connected.account.sync:
        poll_now(connected.account)
    return account_detail(connected.account, status=201 if connected.created else 200)


@operation("GET", "/v1/accounts", "read")
def list_accounts(caller: Calling, limit: Limit = 25, cursor: Cursor = None) -> Page[AccountView]:
    """Connected mailboxes in the order of their ids."""
    table, after = storage().table, cursors.ACCOUNTS.decode(cursor)
    found, more = connections.page_accounts(table, caller.tenant, after, limit)
    known = connections.states(table, caller.tenant, [account.account_id for account in found])
    items = [view(account, known.get(account.account_id)) for account in found]
    return Page(items=items, next=cursors.ACCOUNTS.encode(more))


@operation("POST", "/v1/accounts/discover", "manage")
def discover_account(body: DiscoverBody, caller: Calling) -> Response[DiscoveryView]:
    """Where an address's mailbox may be, and what its owner must switch on there.

    Known providers are answered at once; for other domains a job asks DNS (202)."""
    address = normalise(body.address)
    if address is None:
        detail = "This is not an e-mail address. Send it bare, as name@example.com."
        raise InvalidInput("invalid_address", detail, "/address")
    known = [CandidateView(**vars(candidate)) for candidate in by_domain(address.exact)]
    if known:
        return answer(DiscoveryView(address=address.exact, candidates=known, job=None))
    job = start_job(caller.tenant, "discover", "", preview={"address": address.exact})
    view = DiscoveryView(address=address.exact, candidates=[], job=job.job_id)
    return answer(view, status=202)


@operation("GET", "/v1/accounts/{account}", "read")
def get_account(account: PathId, caller: Calling) -> Response[AccountDetail]:
    """One mailbox: settings, status, warnings.

    Warnings, and mails that could not be stored, are told to who sees its mail or manages it."""
    found = connections.find_account(storage().table, caller.tenant, account)
    is_told = views(caller, found) or MANAGE in caller.scopes
    return account_detail(found, is_told=is_told)


@operation("PATCH", "/v1/accounts/{account}", "manage")
def change_account(
    account: PathId, body: AccountPatch, caller: Calling, if_match: IfMatch = None
) -> Response[AccountDetail]:
    """Change settings.

    Switching filing on files nothing that is stored already. Another host, port or user name
    needs the password sent along. A password may be sent five times an hour and twenty a day for
    one user of a host (429, `Retry-After`).
    """
    expected = expected_version(if_match)
    if body.version is not None:
        expected = Expected(frozenset({body.version}), "/version")
    before: list[Account] = []

    def edit(standing: Account) -> Account:
        check_version(standing.version, expected)
        before[:] = [standing]
        wanted = patched(standing, body)
        check_password(standing, wanted, is_sent=bool(body.password.get_secret_value()))
        return wanted

    password = body.password.get_secret_value()
    if body.folder_modes or password:
        standing = connections.find_account(storage().table, caller.tenant, account)
        _check_sent(body, standing, edit)
    sealed = _sealed(caller.tenant, account, password)
    changed = connections.change_account(storage(), caller.tenant, account, edit, sealed)
    if changed.sync and (sealed or _login(changed) != _login(before[0])):
        poll_now(changed)
    return account_detail(changed)


@operation("DELETE", "/v1/accounts/{account}", "manage", status=204)
def disconnect_account(
    account: PathId, caller: Calling, if_match: IfMatch = None
) -> Response[None]:
    """Disconnect: no more polls, the secret is gone. Filed mail stays.

    Access that Google granted is ended there too, as soon as Google answers."""
    expected = expected_version(if_match)
    job = connections.disconnect(
        storage(),
        caller.tenant,
        account,
        new_job_id(),
        now_epoch(),
        check=lambda standing: check_version(standing, expected),
    )
    if job is not None:
        send_job(job)
    return no_content()


@operation("GET", "/v1/accounts/{account}/folders", "read")
def list_folders(account: PathId, caller: Calling) -> Page[FolderView]:
    """Folders as last listed; empty until the first connection."""
    found = find_viewed_account(caller, account, or_manage=True)
    state = states.get_state(storage().table, caller.tenant, account)
    return Page(items=folder_views(found, state) if state else [])


def _check_sent(body: AccountPatch, standing: Account, edit: connections.Edit) -> None:
    """What needs more than the account's own item. Raises InvalidInput, TooMany."""
    if body.folder_modes:
        check_folders(storage().table, standing, _pointers(body))
    if body.password.get_secret_value():
        count_login(edit(standing))


def _pointers(body: AccountPatch) -> list[tuple[str, str]]:
    """Of the modes set; one taken back may be of a folder that is gone."""
    return [(f, f"/folder_modes/{f}") for f, mode in body.folder_modes.items() if mode]


def _login(account: Account) -> tuple[object, ...]:
    """What a poll would do differently with."""
    modes = sorted(account.folder_modes.items())
    where = account.host, account.port, account.username
    return (*where, account.sync, account.sync_folders, modes)


def _login_place(body: AccountBody, tenant: TenantId) -> LoginPlace:
    if body.auth == "password":
        return password_login(body)
    return app_login(body, client_of(tenant, "microsoft"), provider_of(APP_ONLY, settings()))


def _sealed(tenant: TenantId, account_id: str, password: str) -> Item | None:
    if not password:
        return None
    secret = sealing.Secret("password", password)
    return sealing.seal(client("kms"), settings().secrets_key_id, tenant, account_id, secret)


def poll_now(account: Account) -> None:
    """At once, not at the account's next slot."""
    poll: dict[str, Any] = {
        "kind": "poll",
        "minute": now().strftime("%Y-%m-%dT%H:%MZ"),
        "interval": 5,
        "tenant": account.tenant,
        "accounts": [account.account_id],
    }
    storage().queues.sync(account.tenant, poll)


def account_detail(
    account: Account, status: int = 200, *, is_told: bool = True
) -> Response[AccountDetail]:
    table = storage().table
    known = connections.states(table, account.tenant, [account.account_id])
    state = known.get(account.account_id)
    noted = [Warning_(code=code, detail=code) for code in (state or {}).get("warnings", ())]
    suggested = alias_warnings(account, (state or {}).get("alias_hints", ()))
    known_state = states.state_from_item(state) if state else AccountState()
    silence = silence_warnings(account, known_state.habit, known_state.code)
    hidden = hidden_mail_warnings(state)
    parked = list(parked_mails(table, account)) if is_told else []
    own = account_warnings(table, account) if is_told else []
    detail = AccountDetail(
        **view(account, state).model_dump(),
        warnings=own + (suggested if is_told else []) + hidden + silence + noted,
        last_due_at=last_due(table, account, known_state),
        parked_count=len(parked),
        parked=parked[:MAILS_SHOWN],
    )
    return answer(detail, status=status, version=account.version)
