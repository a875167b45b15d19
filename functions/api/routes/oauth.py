"""OAuth: the tenant's clients, and authorizations by code with PKCE. Sync redeems the codes."""

import secrets
from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import SecretStr

from ablage.errors import Conflict, NotFound
from ablage.oauth import OAuthClient, authorization_url
from ablage.settings import settings
from ablage.store import oauth_clients
from ablage.store.aws import client as aws_client
from ablage.store.oauth_clients import CLIENT_SECRET, secret_owner
from ablage.store.secrets import Secret, seal
from ablage.store.storage import storage
from ablage.store.table import ConditionFailed, Item
from ablage.tenancy import TenantId
from api.account_schemas import AccountDetail
from api.authorizations import authorization, came_back, client_of, hint
from api.clock import utc_text
from api.oauth_schemas import (
    AuthorizationBody,
    AuthorizationView,
    CallbackBody,
    ClientBody,
    ClientView,
    Provider,
)
from api.operations import operation
from api.routes.accounts import account_detail, poll_now
from api.schemas import IfMatch, answer, check_version, expected_version, no_content
from api.tenant import Caller, Calling

PathProvider = Annotated[Provider, Path(description="google or microsoft.")]


@operation("PUT", "/v1/oauth/clients/{provider}", "manage")
def put_oauth_client(
    provider: PathProvider, body: ClientBody, caller: Calling, if_match: IfMatch = None
) -> Response[ClientView]:
    """Register your own application; mailboxes use it from their next refresh on."""
    table = storage().table
    standing = oauth_clients.tenant_client(table, caller.tenant, provider)
    before = standing.version if standing else 0
    check_version(before, expected_version(if_match))
    uris = tuple(dict.fromkeys(body.redirect_uris))
    client = OAuthClient(provider, body.client_id, body.directory, uris, before + 1)
    sealed = _sealed(caller.tenant, provider, body.client_secret)
    try:
        oauth_clients.put_client(table, caller.tenant, client, sealed)
    except ConditionFailed:
        raise _busy() from None
    return _client_answer(client)


@operation("GET", "/v1/oauth/clients/{provider}", "read")
def get_oauth_client(provider: PathProvider, caller: Calling) -> Response[ClientView]:
    """Your application, without its secret."""
    return _client_answer(_find_client(caller, provider))


@operation("DELETE", "/v1/oauth/clients/{provider}", "manage", status=204)
def delete_oauth_client(
    provider: PathProvider, caller: Calling, if_match: IfMatch = None
) -> Response[None]:
    """Forget your application and its secret; its mailboxes need another authorization."""
    version = _find_client(caller, provider).version
    check_version(version, expected_version(if_match))
    try:
        oauth_clients.delete_client(storage().table, caller.tenant, provider, version)
    except ConditionFailed:
        raise _busy() from None
    return no_content()


@operation("POST", "/v1/oauth/authorizations", "manage", status=201, is_replayed=False)
def begin_authorization(body: AuthorizationBody, caller: Calling) -> Response[AuthorizationView]:
    """Begin: send the person's browser to the answered URL within ten minutes."""
    verifier = secrets.token_urlsafe(48)
    begun = authorization(body, caller, verifier)
    oauth_clients.begin(storage().table, caller.tenant, begun)
    asked = authorization_url(
        client_of(caller.tenant, body.provider),
        settings(),
        state=begun.state,
        verifier=verifier,
        redirect_uri=body.redirect_uri,
        hint=hint(begun, body, caller.tenant),
    )
    view = AuthorizationView(
        authorization_url=asked,
        state=begun.state,
        expires_at=utc_text(datetime.fromtimestamp(begun.expires, UTC)),
        account=begun.account_id,
    )
    return answer(view, status=201)


@operation("POST", "/v1/oauth/callbacks", "manage")
def finish_authorization(body: CallbackBody, caller: Calling) -> Response[AccountDetail]:
    """Finish: connects the mailbox (201), or reauthorizes it (200).

    Its status tells within seconds whether the provider took the code.
    """
    connected = came_back(body, caller)
    if connected.account.sync:
        poll_now(connected.account)
    return account_detail(connected.account, status=201 if connected.created else 200)


def _find_client(caller: Caller, provider: str) -> OAuthClient:
    found = oauth_clients.tenant_client(storage().table, caller.tenant, provider)
    if found is None:
        raise NotFound("not_found", "There is no client of this provider.")
    return found


def _busy() -> Conflict:
    return Conflict("busy", "Somebody else changed it meanwhile; try again.")


def _sealed(tenant: TenantId, provider: str, secret: SecretStr) -> Item:
    sealing = Secret(CLIENT_SECRET, secret.get_secret_value())
    key_id = settings().secrets_key_id
    return seal(aws_client("kms"), key_id, tenant, secret_owner(provider), sealing)


def _client_answer(client: OAuthClient) -> Response[ClientView]:
    view = ClientView(
        provider=client.provider,
        client_id=client.client_id,
        directory=client.directory,
        redirect_uris=list(client.redirect_uris),
        version=client.version,
    )
    return answer(view, version=client.version)
