"""The data role: credentials that reach one tenant's items and objects, and nobody else's.

What IAM checks (`DataRole` in the template: `dynamodb:LeadingKeys`, S3 prefixes by session tag)
holds whatever our code gets wrong. Clients for the table and the buckets sign with the credentials
of the tenant that is `acting_for`; outside of it, and in threads begun within it, with the
function's own, which may not touch data: it fails closed.

    AssumeRole(tag tenant) -> one hour; used until RESERVE_SECONDS before its end, then asked anew
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from botocore.credentials import Credentials, ReadOnlyCredentials

from ablage.tenancy import TenantId

SESSION_SECONDS = 3600  # the most a role gets that was assumed by another [AWS: role chaining]
RESERVE_SECONDS = 17 * 60  # left of every session in use: a link for an upload, and an invocation
TENANTS_KEPT = 512

_acting: ContextVar[ReadOnlyCredentials | None] = ContextVar("acting", default=None)


class ActingCredentials(Credentials):  # type: ignore[misc]  # botocore has no types
    """Of the tenant that is acted for; `own` outside of that."""

    def __init__(self, own: Credentials) -> None:
        super().__init__(own.access_key, own.secret_key, own.token, own.method)
        self._own = own

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return _acting.get() or self._own.get_frozen_credentials()


@dataclass(frozen=True)
class _Session:
    """`ends`: epoch seconds."""

    credentials: ReadOnlyCredentials
    ends: float


class TenantRole:
    """`sts` is a botocore STS client with the function's own credentials."""

    def __init__(self, sts: Any, role_arn: str, now: Callable[[], float] = time.time) -> None:
        self._sts = sts
        self._role_arn = role_arn
        self._now = now
        self._sessions: OrderedDict[TenantId, _Session] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def acting_for(self, tenant: TenantId) -> Iterator[None]:
        """Everything in it reads and writes this tenant's data alone. Raises ClientError."""
        before = _acting.set(self._session(tenant).credentials)
        try:
            yield
        finally:
            _acting.reset(before)

    def _session(self, tenant: TenantId) -> _Session:
        with self._lock:
            known = self._sessions.get(tenant)
            if known is None or known.ends - self._now() < RESERVE_SECONDS:
                known = self._sessions[tenant] = self._assumed(tenant)
            self._sessions.move_to_end(tenant)
            while len(self._sessions) > TENANTS_KEPT:
                self._sessions.popitem(last=False)
            return known

    def _assumed(self, tenant: TenantId) -> _Session:
        answer = self._sts.assume_role(
            RoleArn=self._role_arn,
            RoleSessionName=f"tenant-{tenant}"[:64],
            DurationSeconds=SESSION_SECONDS,
            Tags=[{"Key": "tenant", "Value": tenant}],
        )["Credentials"]
        keys = (answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
        return _Session(ReadOnlyCredentials(*keys), answer["Expiration"].timestamp())
