"""OAuth as the API sees it: who asks for what, where people are sent, and what comes back. It
seals, and talks to no provider."""

import secrets
from dataclasses import replace

from ablage.accounts import Account
from ablage.errors import Conflict, InvalidInput, NotFound
from ablage.oauth import OAuthClient, is_issuer, provider_of
from ablage.settings import settings
from ablage.store import connections, grants, oauth_clients
from ablage.store.aws import client as aws_client
from ablage.store.grants import Code
from ablage.store.oauth_clients import STATE_SECONDS, Authorization
from ablage.store.secrets import Secret, seal
from ablage.store.storage import storage
from ablage.tenancy import TenantId, entity_id
from api.accounts import LoginPlace, new_account
from api.clock import now_epoch
from api.oauth_schemas import AuthorizationBody, CallbackBody, OAuthAccount
from api.problems import about
from api.tenant import Caller


def client_of(tenant: TenantId, provider: str) -> OAuthClient:
    """Raises InvalidInput `client_missing`."""
    found = oauth_clients.client_for(storage().table, tenant, provider, settings())
    if found is None:
        detail = "Register your OAuth client first: PUT /v1/oauth/clients/{provider}."
        raise InvalidInput("client_missing", detail, "/provider")
    return found


def authorization(body: AuthorizationBody, caller: Caller, verifier: str) -> Authorization:
    """Raises InvalidInput, NotFound, Conflict."""
    if (body.account is None) == (body.reauthorize is None):
        detail = "Send either the account to connect, or the id of one to reauthorize."
        raise InvalidInput("account_needed", detail, "/account")
    client = client_of(caller.tenant, body.provider)
    if body.redirect_uri not in client.redirect_uris:
        detail = "This redirect URI is none of the client's; they are compared exactly."
        raise InvalidInput("redirect_uri_not_allowed", detail, "/redirect_uri")
    account_id = _account_id(body, caller.tenant)
    return Authorization(
        state=secrets.token_urlsafe(32),
        subject=caller.subject,
        provider=body.provider,
        account_id=account_id,
        redirect_uri=body.redirect_uri,
        body=body.account.model_dump_json() if body.account else "",
        verifier=_sealed(caller.tenant, account_id, grants.VERIFIER, verifier),
        expires=now_epoch() + STATE_SECONDS,
        reauthorizes=body.account is None,
    )


def _account_id(body: AuthorizationBody, tenant: TenantId) -> str:
    """Of the one to connect, whose settings must be good, or to reauthorize."""
    if body.account is None:
        with about("/reauthorize"):
            account = connections.find_account(storage().table, tenant, str(body.reauthorize))
        return account.account_id
    given = body.account.id
    with about("/account/id"):
        account_id = entity_id(given) if given is not None else f"acc-{secrets.token_hex(8)}"
    new_account(tenant, account_id, body.account, _login(body.account, body.provider), None)
    _must_be_free(tenant, account_id)
    return account_id


def _must_be_free(tenant: TenantId, account_id: str) -> None:
    try:
        connections.find_account(storage().table, tenant, account_id)
    except NotFound:
        return
    detail = "An account with this id exists: name it in `reauthorize`."
    raise Conflict("account_exists", detail, "/account/id")


def hint(begun: Authorization, body: AuthorizationBody, tenant: TenantId) -> str:
    """Whom the provider should ask to sign in."""
    if body.account is not None:
        login = _login(body.account, body.provider)
        return login.delegate or login.username
    account = connections.find_account(storage().table, tenant, begun.account_id)
    return account.delegate or account.username


def came_back(body: CallbackBody, caller: Caller) -> connections.Connected:
    """The code is sealed for sync, and the account connected or changed. Raises InvalidInput,
    whatever does not fit; the state is used up then."""
    table = storage().table
    begun = oauth_clients.take(table, caller.tenant, caller.subject, body.state, now_epoch())
    _check(body, begun, client_of(caller.tenant, begun.provider))
    sealed = grants.code_item(
        Code(
            code_id=secrets.token_hex(8),
            sealed=_sealed(
                caller.tenant, begun.account_id, grants.CODE, body.code.get_secret_value()
            ),
            verifier=begun.verifier,
            redirect_uri=begun.redirect_uri,
            expires=now_epoch() + STATE_SECONDS,
        )
    )
    place = caller.tenant, begun.account_id
    if begun.reauthorizes:
        edit = _reauthorized(begun.provider)
        changed = connections.change_account(storage(), *place, edit, sealed)
        return connections.Connected(changed, created=False)
    wanted = OAuthAccount.model_validate_json(begun.body)
    login = _login(wanted, begun.provider)
    return connections.connect(
        storage(),
        lambda standing: new_account(*place, wanted, login, standing),
        place,
        sealed,
    )


def _check(body: CallbackBody, begun: Authorization, client: OAuthClient) -> None:
    if body.error or not body.code.get_secret_value():
        detail = "The provider sent no code: the person declined, or may not allow it."
        raise InvalidInput("authorization_denied", detail, "/error")
    provider = provider_of(begun.provider, settings())
    if body.iss is not None and not is_issuer(provider, client, body.iss):
        detail = "This answer came from another provider than the person was sent to."
        raise InvalidInput("wrong_issuer", detail, "/iss")


def _reauthorized(auth: str) -> connections.Edit:
    """The mailbox stays the same, where it is the provider's: id, cursors and mail stay."""
    provider = provider_of(auth, settings())

    def edit(standing: Account) -> Account:
        return replace(standing, auth=auth, host=provider.host, port=provider.port)

    return edit


def _login(wanted: OAuthAccount, auth: str) -> LoginPlace:
    provider = provider_of(auth, settings())
    username = wanted.username or wanted.address
    return LoginPlace(provider.host, provider.port, username, auth, wanted.delegate)


def _sealed(tenant: TenantId, account_id: str, kind: str, text: str) -> bytes:
    secret = Secret(kind, text)
    item = seal(aws_client("kms"), settings().secrets_key_id, tenant, account_id, secret)
    return bytes(item["sealed"])
