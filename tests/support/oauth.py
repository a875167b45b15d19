"""Mailboxes that are logged in to by OAuth, and the provider that says who may."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from infra.local.aws import environment
from infra.local.certificates import Certificates
from infra.local.identity_provider import IdentityProvider
from tests.support.mailboxes import TENANT, put_account

from ablage.accounts import Account
from ablage.oauth import OAuthClient, authorization_url
from ablage.settings import settings
from ablage.store import grants, keys, oauth_clients
from ablage.store.aws import client
from ablage.store.grants import Code
from ablage.store.oauth_clients import CLIENT_SECRET, secret_owner
from ablage.store.secrets import Secret, Secrets, seal
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from sync.access import Access
from sync.identity import IdentityProviders

PERSON = "anna@firma.de"
REDIRECT = "https://crm.example/oauth"
CLIENT_ID, SECRET = "client-1", "canary-client-secret"


@contextmanager
def running(certificates: Certificates, **more: Any) -> Iterator[IdentityProvider]:
    """A provider that knows our client, and settings that send us there."""
    provider = IdentityProvider(certificates, **more)
    provider.register(CLIENT_ID, SECRET)
    try:
        with environment({"OAUTH_LOCAL_URL": provider.base_url, "MAIL_CA_FILE": ""}):
            settings.cache_clear()
            yield provider
    finally:
        settings.cache_clear()
        provider.stop()


def sealed(owner: str, kind: str, text: str, tenant: TenantId = TENANT) -> dict[str, Any]:
    return seal(client("kms"), os.environ["SECRETS_KEY_ID"], tenant, owner, Secret(kind, text))


def register(where: Storage, provider: str = "google", version: int = 1, **more: Any) -> None:
    known = {"client_id": CLIENT_ID, "redirect_uris": (REDIRECT,), "version": version} | more
    item = sealed(secret_owner(provider), CLIENT_SECRET, SECRET)
    oauth_clients.put_client(where.table, TENANT, OAuthClient(provider, **known), item)


def an_account(auth: str = "google", **changes: Any) -> Account:
    known = settings().oauth_local_mail.partition(":")
    hosts = {"google": "imap.gmail.com"}
    host = known[0] or hosts.get(auth, "outlook.office365.com")
    port = int(known[2]) if known[2] else 993
    account = Account(TENANT, "box", PERSON, PERSON, host, port, PERSON, 1, auth=auth)
    return replace(account, **changes)


def grant_access(
    where: Storage, provider: IdentityProvider, account: Account, person: str = PERSON
) -> None:
    """As the API leaves an account when the person came back with a code."""
    known = OAuthClient(account.auth, CLIENT_ID)
    asked = authorization_url(
        known, settings(), state="s", verifier="v" * 43, redirect_uri=REDIRECT, hint=person
    )
    code = provider.consent(asked, person)["code"]
    place = account.tenant, account.account_id
    item = grants.code_item(
        Code(
            code[-8:],
            sealed(account.account_id, grants.CODE, code, account.tenant)["sealed"],
            sealed(account.account_id, grants.VERIFIER, "v" * 43, account.tenant)["sealed"],
            REDIRECT,
            int(time.time()) + 600,
        )
    )
    put_account(where, account)
    where.table.put(keys.secret_code(*place), item)


def an_access(where: Storage, certificates: Certificates, **more: Any) -> Access:
    secrets = Secrets(where.table, client("kms"), key_id=settings().secrets_key_id)
    providers = IdentityProviders(str(certificates.ca_file))
    return Access(where.table, secrets, providers, settings(), **more)
