"""Everything a function keeps things in, made once per process."""

import functools
import gc
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ablage.settings import settings
from ablage.store.archive import ArchiveBucket
from ablage.store.aws import LateClient, client
from ablage.store.queues import Queues
from ablage.store.raw_mail import RawMail
from ablage.store.table import Table
from ablage.store.tenant_role import TenantRole
from ablage.tenancy import TenantId


@dataclass(frozen=True)
class Storage:
    """The table, the buckets and the queues."""

    table: Table
    raw: RawMail
    archive: ArchiveBucket
    queues: Queues


@functools.cache
def data_role() -> TenantRole | None:
    """Of the API; other functions work for many tenants at once."""
    role_arn = settings().data_role_arn
    return TenantRole(client("sts"), role_arn) if role_arn else None


def acting_for(tenant: TenantId) -> AbstractContextManager[None]:
    """Within it `storage()` reaches this tenant's data alone, where the function has a data role.
    A warm function that knows the tenant calls nobody for it."""
    role = data_role()
    return role.acting_for(tenant) if role else nullcontext()


@functools.cache
def storage() -> Storage:
    known, s3 = settings(), LateClient("s3")
    made = Storage(
        table=Table(client("dynamodb"), known.table_name),
        raw=RawMail(s3, known.raw_bucket),
        archive=ArchiveBucket(s3, known.archive_bucket),
        queues=Queues(LateClient("sqs"), known),
    )
    _end_start()
    return made


def _end_start() -> None:
    """What there is by now stays for good: no later collection looks through it."""
    if not gc.isenabled():  # `ablage.starting`
        gc.freeze()
        gc.enable()
