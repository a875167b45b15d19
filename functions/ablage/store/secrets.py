"""Mailbox secrets, sealed by KMS with the tenant, account and kind as context: a blob copied
elsewhere does not open.

The API seals (it may only Encrypt), sync opens (it alone may Decrypt). KMS Encrypt takes up to 4
KB, enough for a password or a refresh token. Opened secrets stay in the warm function for an hour,
by account version;
beyond it they are opened by the tenant's data key (`ablage.store.data_keys`), not by KMS."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ablage.errors import AccountFault, InvalidInput
from ablage.faults import fault
from ablage.store import keys
from ablage.store.data_keys import About, DataKeys
from ablage.store.table import Item, Table, check_action, exists_action
from ablage.tenancy import TenantId

SCHEMA = 1
SECRET_BYTES = 4096  # AWS: plaintext of KMS Encrypt
PASSWORD, ACCESS_TOKEN = "password", "access_token"  # kinds
CACHE_SECONDS = 3600
CACHE_ENTRIES = 100_000  # some 40 MB


@dataclass(frozen=True)
class Secret:
    """`kind`: `password`, or what a grant of OAuth holds."""

    kind: str
    text: str = field(repr=False)


def _context(tenant: TenantId, account_id: str, kind: str) -> dict[str, str]:
    return {"tenant": tenant, "account": account_id, "kind": kind}


def seal(client: Any, key_id: str, tenant: TenantId, account_id: str, secret: Secret) -> Item:
    """The item for `keys.secret`, without its key, for the transaction that writes the account.
    `client` is KMS.

    Raises InvalidInput `secret_too_long`."""
    plaintext = secret.text.encode()
    if len(plaintext) > SECRET_BYTES:
        raise InvalidInput("secret_too_long", "A secret has at most 4096 bytes.")
    answer = client.encrypt(
        KeyId=key_id,
        Plaintext=plaintext,
        EncryptionContext=_context(tenant, account_id, secret.kind),
    )
    return {"schema": SCHEMA, "kind": secret.kind, "sealed": answer["CiphertextBlob"]}


class Secrets:
    """Opens secrets; one per warm function. `client` is a botocore KMS client, `clock` counts
    seconds."""

    def __init__(
        self,
        table: Table,
        client: Any,
        clock: Callable[[], float] = time.monotonic,
        key_id: str = "",
    ) -> None:
        self._table = table
        self._key_id = key_id
        self._client = client
        self._clock = clock
        self._opened: dict[tuple[TenantId, str, int], tuple[float, Secret]] = {}
        self._data_keys = DataKeys(table, client, key_id, clock)

    def open(self, tenant: TenantId, account_id: str, version: int) -> Secret:
        """`version` is the account's: whoever changes the secret raises it.

        Raises AccountFault `secret_missing` when there is none or it does not open."""
        key = (tenant, account_id, version)
        cached = self._opened.get(key)
        if cached and self._clock() < cached[0]:
            return cached[1]
        secret = self._open(tenant, account_id, version)
        if len(self._opened) >= CACHE_ENTRIES:
            self._opened.clear()
        self._opened[key] = (self._clock() + CACHE_SECONDS, secret)
        return secret

    def _open(self, tenant: TenantId, account_id: str, version: int) -> Secret:
        """By KMS the first time, then by the tenant's data key."""
        copy = About(tenant, account_id, PASSWORD, version)
        kept = self._data_keys.opened(copy)
        if kept is not None:
            return Secret(PASSWORD, kept)
        secret = self._decrypt(tenant, account_id)
        if secret.kind == PASSWORD:
            is_there = exists_action(keys.secret(tenant, account_id))
            self._data_keys.keep(copy, secret.text, is_there)
        return secret

    def kept_token(self, tenant: TenantId, account_id: str, version: int) -> str | None:
        """What `keep_token` kept of this login, by whichever worker."""
        return self._data_keys.opened(About(tenant, account_id, ACCESS_TOKEN, version))

    def keep_token(
        self, tenant: TenantId, account_id: str, version: int, text: str, expires: int
    ) -> None:
        """For all workers, while the account is logged in to in this `version` of its login."""
        values = {":version": version, ":no": False}
        is_so = "login_version = :version AND deleted = :no"
        is_current = check_action(keys.account(tenant, account_id), is_so, values)
        copy = About(tenant, account_id, ACCESS_TOKEN, version)
        self._data_keys.keep(copy, text, is_current, expires)

    def _decrypt(self, tenant: TenantId, account_id: str) -> Secret:
        item = self._table.get(keys.secret(tenant, account_id), consistent=True)
        if item is None:
            raise _missing()
        return Secret(item["kind"], self.unseal(tenant, account_id, item["kind"], item["sealed"]))

    def unseal(self, tenant: TenantId, account_id: str, kind: str, sealed: bytes) -> str:
        """Raises AccountFault `secret_missing` when it does not open as this account's."""
        try:
            answer = self._client.decrypt(
                CiphertextBlob=sealed, EncryptionContext=_context(tenant, account_id, kind)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidCiphertextException":
                raise _missing() from error
            raise
        return str(answer["Plaintext"].decode())

    def seal(self, tenant: TenantId, account_id: str, secret: Secret) -> bytes:
        """Raises InvalidInput `secret_too_long`."""
        sealed = seal(self._client, self._key_id, tenant, account_id, secret)["sealed"]
        return bytes(sealed)


def _missing() -> AccountFault:
    return fault("secret_missing")
