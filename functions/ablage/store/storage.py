"""Everything a function keeps things in, made once per process."""

import functools
from dataclasses import dataclass

from ablage.settings import settings
from ablage.store.archive import ArchiveBucket
from ablage.store.aws import client
from ablage.store.queues import Queues
from ablage.store.raw_mail import RawMail
from ablage.store.table import Table


@dataclass(frozen=True)
class Storage:
    table: Table
    raw: RawMail
    archive: ArchiveBucket
    queues: Queues


@functools.cache
def storage() -> Storage:
    known = settings()
    return Storage(
        table=Table(client("dynamodb"), known.table_name),
        raw=RawMail(client("s3"), known.raw_bucket),
        archive=ArchiveBucket(client("s3"), known.archive_bucket),
        queues=Queues(client("sqs"), known),
    )
