"""Accounts on this machine's IMAP servers, ready to be polled."""

from dataclasses import replace
from typing import Any

import boto3
from infra.local.mail_server import Mailboxes
from tests.support.hostile_imap import HostileImap
from tests.support.scripted_imap import ScriptedImap

from ablage.accounts import Account, AccountState
from ablage.mailbox.network import Network
from ablage.settings import settings
from ablage.store import keys
from ablage.store.accounts import account_item, due_keys, get_state, state_item
from ablage.store.aws import client
from ablage.store.secrets import Secret, Secrets, seal
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from sync.access import Access
from sync.identity import IdentityProviders
from sync.tools import Tools

TENANT = TenantId("acme")
OTHER = TenantId("other")
PASSWORD = "correct horse"


Server = Mailboxes | HostileImap | ScriptedImap


def network(server: Server) -> Network:
    return Network(str(server.ca_file), frozenset({f"{server.host}:{server.port}"}))


def tools_for(where: Storage, server: Server, **changes: Any) -> Tools:
    """Without jitter what is transient is tried again at once."""
    known = settings()
    secrets = Secrets(where.table, client("kms"), key_id=known.secrets_key_id)
    access = Access(where.table, secrets, IdentityProviders(str(server.ca_file)), known)
    made = Tools(where, access, network(server), jitter=lambda: 0.0)
    return replace(made, **changes)


def connect_mailbox(
    where: Storage, server: Server, user: str, tenant: TenantId = TENANT, **changes: Any
) -> Account:
    """As the API leaves a new account: config, state with due keys, sealed secret."""
    account = Account(
        tenant=tenant,
        account_id="box",
        address=user,
        own=user,
        host=server.host,
        port=server.port,
        username=user,
        version=1,
    )
    account = replace(account, **changes)
    put_account(where, account)
    put_secret(where, account, PASSWORD)
    return account


def put_account(where: Storage, account: Account, state: AccountState | None = None) -> None:
    state = state or AccountState()
    place = account.tenant, account.account_id
    where.table.put(keys.account(*place), account_item(account))
    due = due_keys(*place, state.interval)
    where.table.put(keys.account_state(*place), state_item(state) | due)


def put_secret(where: Storage, account: Account, password: str) -> None:
    item = seal(
        client("kms"),
        settings().secrets_key_id,
        account.tenant,
        account.account_id,
        Secret("password", password),
    )
    where.table.put(keys.secret(account.tenant, account.account_id), item)


def state_of(where: Storage, account: Account) -> AccountState:
    state = get_state(where.table, account.tenant, account.account_id)
    assert state is not None
    return state


def raw_keys(where: Storage) -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=where.raw.bucket)
    return [entry["Key"] for entry in found.get("Contents", [])]


def a_mail(number: int = 1, body: bytes = b"hello") -> bytes:
    return b"From: a@kunde.de\r\nSubject: mail %d\r\n\r\n%b\r\n" % (number, body)
