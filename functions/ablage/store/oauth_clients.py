"""Applications registered with OAuth providers, and authorizations under way.

Config and secret of a client are two items written in one transaction: the API reads the config,
and nobody but sync the secret."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from ablage.errors import InvalidInput
from ablage.oauth import OAuthClient, stack_client
from ablage.settings import Settings
from ablage.store import keys
from ablage.store.table import ConditionFailed, Item, Table, delete_action, put_action
from ablage.tenancy import TenantId

SCHEMA = 1
CLIENT_SECRET = "client_secret"  # noqa: S105  a kind of secrets
STATE_SECONDS = 600


@dataclass(frozen=True)
class Authorization:
    """Under way since the person was sent to the provider. `body` is what the caller asked for, as
    JSON; `verifier` is sealed."""

    state: str = field(repr=False)
    subject: str
    provider: str
    account_id: str
    redirect_uri: str
    body: str
    verifier: bytes = field(repr=False)
    expires: int
    reauthorizes: bool = False


def secret_owner(provider: str) -> str:
    """Stands for the account in the context a client's secret is sealed with."""
    return f"@{provider}"


def tenant_client(table: Table, tenant: TenantId, provider: str) -> OAuthClient | None:
    item = table.get(keys.oauth_client(tenant, provider), consistent=True)
    if item is None:
        return None
    return OAuthClient(
        provider,
        item["client_id"],
        item["directory"],
        tuple(item["redirect_uris"]),
        item["version"],
    )


def client_for(
    table: Table, tenant: TenantId, provider: str, settings: Settings
) -> OAuthClient | None:
    """The tenant's own, else the stack's."""
    return tenant_client(table, tenant, provider) or stack_client(provider, settings)


def put_client(table: Table, tenant: TenantId, client: OAuthClient, sealed: Item) -> None:
    """`client.version` is the one after what was read. Raises ConditionFailed."""
    item: dict[str, Any] = {
        "schema": SCHEMA,
        "client_id": client.client_id,
        "directory": client.directory,
        "redirect_uris": list(client.redirect_uris),
        "version": client.version,
    }
    is_as_read = "attribute_not_exists(pk) OR version = :before"
    place = keys.oauth_client(tenant, client.provider)
    config = put_action(place, item, is_as_read, {":before": client.version - 1})
    table.transact([config, put_action(keys.client_secret(tenant, client.provider), sealed)])


def delete_client(table: Table, tenant: TenantId, provider: str, version: int) -> None:
    """Raises ConditionFailed where another version stands, or none."""
    place = keys.oauth_client(tenant, provider)
    gone = delete_action(place, "version = :seen", {":seen": version})
    table.transact([gone, delete_action(keys.client_secret(tenant, provider))])


def begin(table: Table, tenant: TenantId, authorization: Authorization) -> None:
    item = {
        "schema": SCHEMA,
        "subject": authorization.subject,
        "provider": authorization.provider,
        "account": authorization.account_id,
        "redirect_uri": authorization.redirect_uri,
        "body": authorization.body,
        "verifier": authorization.verifier,
        "expires": authorization.expires,
        "reauthorizes": authorization.reauthorizes,
    }
    table.put(_place(tenant, authorization.state), item, condition="attribute_not_exists(pk)")


def take(table: Table, tenant: TenantId, subject: str, state: str, now: int) -> Authorization:
    """Once, by the tenant and user who began it, within STATE_SECONDS. Raises InvalidInput
    `invalid_state`, whatever does not fit."""
    item = table.get(_place(tenant, state), consistent=True)
    if item is None or item["subject"] != subject or item["expires"] <= now:
        raise _invalid_state()
    try:
        table.delete(_place(tenant, state), condition="attribute_exists(pk)")
    except ConditionFailed:
        raise _invalid_state() from None
    return Authorization(
        state=state,
        subject=subject,
        provider=item["provider"],
        account_id=item["account"],
        redirect_uri=item["redirect_uri"],
        body=item["body"],
        verifier=item["verifier"],
        expires=item["expires"],
        reauthorizes=item["reauthorizes"],
    )


def _place(tenant: TenantId, state: str) -> keys.Key:
    """Hashed: who reads the table cannot finish what somebody else began."""
    return keys.oauth_state(tenant, hashlib.sha256(state.encode()).hexdigest())


def _invalid_state() -> InvalidInput:
    detail = "This state is unknown, used, expired or another user's; begin the authorization anew."
    return InvalidInput("invalid_state", detail, "/state")
