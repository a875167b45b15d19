"""Mail put into the raw bucket and matched, and batches worked off: one tenant's small world."""

import json
import os

from tests.support.aws import received_bodies
from tests.support.events import context, s3_created, sqs_event

from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import Storage
from ablage.tenancy import TenantId
from match.handler import lambda_handler as match


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
    """A mail that is stored in an account's inbox or Sent folder, and matched. The same `number` is
    the same mail; another `uid` another copy of it."""
    raw = (
        f"From: {sender}\r\nTo: {to}\r\nSubject: Mail {number}\r\nMessage-ID: <m{number}@x>\r\n"
        f"Date: Fri, 20 Nov 2026 10:00:{number:02d} +0000\r\n\r\nHi\r\n"
    ).encode()
    folder = "1" * 16 if sent else "0" * 16
    key = RawKey("30d", TenantId(tenant), account, folder, 1, uid or number)
    where.raw.put(key, raw, RawMetadata("2026-11-20T10:00:00Z", role="sent" if sent else "inbox"))
    match(sqs_event(s3_created(where.raw.bucket, key.text)), context())


def work_off() -> int:
    """What is queued for match, delivered. How many batches there were."""
    bodies = received_bodies(os.environ["MATCH_QUEUE_URL"])
    answer = match(sqs_event(*bodies), context()) if bodies else {"batchItemFailures": []}
    assert answer == {"batchItemFailures": []}
    return sum("batch" in json.loads(body) for body in bodies)
