"""A second seal for what is opened at every look: one KMS call a tenant and hour, not an account.

    SECRET#box        / SECRET    sealed by KMS itself, as whoever sent the password left it
    SECRET#box@opened / OPENED    what sync found in it, or the access token it got for it, under
                                  the tenant's data key (AES-256-GCM)
    SECRET#@          / DATA_KEY  the data key, sealed by KMS

Only sync writes and reads the last two. A copy is of one version of its account: a changed password
is a new version, and opened by KMS once more. What does not open is as good as absent."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from ablage.store import keys
from ablage.store.keys import Key
from ablage.store.table import ConditionFailed, Table, put_action
from ablage.tenancy import TenantId

SCHEMA = 1
KEPT_SECONDS = 3600  # a data key, opened, in the warm function
_KEY_BYTES, _NONCE_BYTES = 32, 12  # AES-256; NIST SP 800-38D


@dataclass(frozen=True)
class About:
    """Whose copy it is, of what, in which version. Authenticated, so none stands for another."""

    tenant: TenantId
    account_id: str
    kind: str
    version: int

    @property
    def key(self) -> Key:
        return keys.opened_secret(self.tenant, self.account_id)

    @property
    def authenticated(self) -> bytes:
        return f"{self.tenant}#{self.account_id}#{self.kind}#{self.version}".encode()


class DataKeys:
    """One per warm function. `client` is KMS, `clock` counts seconds."""

    def __init__(
        self, table: Table, client: Any, key_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._table = table
        self._client = client
        self._key_id = key_id
        self._clock = clock
        self._keys: dict[TenantId, tuple[float, Any]] = {}
        self._lock = Lock()  # or all threads of a poll ask at once

    def opened(self, about: About) -> str | None:
        """The text of the copy; None where there is none of this version and kind."""
        item = self._table.get(about.key)
        if item is None or (item["version"], item["kind"]) != (about.version, about.kind):
            return None
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  as in `_cipher`

        nonce, sealed = item["sealed"][:_NONCE_BYTES], item["sealed"][_NONCE_BYTES:]
        try:
            key = self._key(about.tenant)
            return str(key.decrypt(nonce, sealed, about.authenticated).decode())
        except InvalidTag:
            return None

    def keep(
        self, about: About, text: str, is_current: dict[str, Any], expires: int | None = None
    ) -> None:
        """Where `is_current`, a condition of the transaction, does not hold, nothing: disconnected
        meanwhile, or logged in to otherwise. `expires`: epoch seconds, of what is over then."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._key(about.tenant).encrypt(nonce, text.encode(), about.authenticated)
        item = {"schema": SCHEMA, "version": about.version, "kind": about.kind}
        copy = put_action(about.key, item | {"sealed": nonce + sealed, "expires": expires})
        with suppress(ConditionFailed):
            self._table.transact([copy, is_current])

    def _key(self, tenant: TenantId) -> Any:
        with self._lock:
            cached = self._keys.get(tenant)
            if cached and self._clock() < cached[0]:
                return cached[1]
            key = _cipher(self._stored(tenant) or self._made(tenant))
            self._keys[tenant] = self._clock() + KEPT_SECONDS, key
            return key

    def _stored(self, tenant: TenantId) -> bytes | None:
        """None where there is none, or KMS no longer opens it."""
        item = self._table.get(keys.data_key(tenant), consistent=True)
        if item is None:
            return None
        try:
            answer = self._client.decrypt(
                CiphertextBlob=item["sealed"], EncryptionContext=_context(tenant)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidCiphertextException":
                self._table.delete(keys.data_key(tenant))
                return None
            raise
        return bytes(answer["Plaintext"])

    def _made(self, tenant: TenantId) -> bytes:
        """The first one of a tenant; of two that make one at once, the first."""
        key = os.urandom(_KEY_BYTES)
        answer = self._client.encrypt(
            KeyId=self._key_id, Plaintext=key, EncryptionContext=_context(tenant)
        )
        item = {"schema": SCHEMA, "sealed": answer["CiphertextBlob"]}
        try:
            self._table.put(keys.data_key(tenant), item, condition="attribute_not_exists(pk)")
        except ConditionFailed:
            return self._stored(tenant) or self._made(tenant)
        return key


def _cipher(key: bytes) -> Any:
    """The API seals with KMS alone: it need not load what only sync opens with."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)


def _context(tenant: TenantId) -> dict[str, str]:
    """No account has this id or kind."""
    return {"tenant": tenant, "account": "@", "kind": "data_key"}
