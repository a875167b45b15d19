"""Mail put into the raw bucket and matched, and batches worked off: one tenant's small world."""

import json
import os
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.support.aws import received_bodies
from tests.support.events import context, s3_created, sqs_event

from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from match.handler import lambda_handler as match

FIRST = datetime.now(UTC).replace(microsecond=0) - timedelta(days=4)  # within every default window
SINCE, UNTIL = ((FIRST + timedelta(days=d)).strftime("%Y-%m-%dT%H:%M:%SZ") for d in (-1, 1))


def arrive(
    where: Storage,
    number: int,
    sender: str,
    to: str,
    *,
    tenant: str = "acme",
    account: str = "anna",
    sent: bool = False,
    uid: int = 0,
) -> None:
    """As `stored`, and matched."""
    key = stored(where, number, sender, to, tenant=tenant, account=account, sent=sent, uid=uid)
    match(sqs_event(s3_created(where.raw.bucket, key.text)), context())


def stored(
    where: Storage,
    number: int,
    sender: str,
    to: str,
    *,
    tenant: str = "acme",
    account: str = "anna",
    sent: bool = False,
    uid: int = 0,
) -> RawKey:
    """A mail that is stored in an account's inbox or Sent folder. The same `number` is the same
    mail; another `uid` another copy of it."""
    date = format_datetime(FIRST + timedelta(seconds=number))
    raw = (
        f"From: {sender}\r\nTo: {to}\r\nSubject: Mail {number}\r\nMessage-ID: <m{number}@x>\r\n"
        f"Date: {date}\r\n\r\nHi\r\n"
    ).encode()
    folder = "1" * 16 if sent else "0" * 16
    key = RawKey("30d", TenantId(tenant), account, folder, 1, uid or number)
    where.raw.put(key, raw, RawMetadata(FIRST.isoformat(), role="sent" if sent else "inbox"))
    return key


def work_off() -> int:
    """What is queued for match, delivered. How many batches there were."""
    bodies = received_bodies(os.environ["MATCH_QUEUE_URL"])
    answer = match(sqs_event(*bodies), context()) if bodies else {"batchItemFailures": []}
    assert answer == {"batchItemFailures": []}
    return sum("batch" in json.loads(body) for body in bodies)
