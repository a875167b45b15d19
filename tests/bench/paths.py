"""What the paths cost in calls and units, on the whole local system: an idle poll, a mail filed at
a contact and a customer, a page of an archive."""

import email.utils
import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.stack import LocalStack
from tests.bench.filing import READ_LIMIT, WRITE_LIMIT
from tests.bench.meter import Meter

from ablage.store.aws import client

BATCH = 10
PAGE = 25
KEYS_PER_CALL = 100
MAIL = """From: Max Kunde <max{n}@kunde.example>
To: Anna Own <anna@own.example>
Subject: Angebot {n}: Lieferung der zweiten Charge im Dezember
Message-ID: <{n}.4711.angebot@mail.kunde.example>
Date: {date}
Received: from mail.kunde.example by mx.own.example; {date}
Content-Type: text/plain; charset=utf-8

Guten Tag Frau Own,

anbei das Angebot wie besprochen. Die Lieferung kann in der zweiten Dezemberwoche erfolgen,
wenn wir Ihre Zusage bis Freitag haben.

Mit freundlichen Grüßen
Max Kunde
"""


def paths() -> dict[str, Any]:
    with LocalStack() as stack:
        bench = Bench(stack)
        accounts = [bench.connect(number) for number in range(20)]
        for number in range(PAGE + 5):
            bench.contact(number)
        stack.drain()
        report = {
            "idle_poll_one_account": bench.idle_poll(accounts[:1]),
            "idle_poll_of_twenty": bench.idle_poll(accounts),
            "mail_filed_at_contact_and_customer": bench.matched_mails(accounts[0], BATCH),
        }
        for number in range(BATCH, PAGE + 5):
            stack.imap.append("anna0@own.example", "INBOX", sample(number))
        bench.poll(accounts[:1])
        stack.drain()
        return report | {"archive_page_of_25": bench.archive_page()}


def sample(number: int) -> bytes:
    date = datetime.now(UTC) - timedelta(minutes=number)
    text = MAIL.format(n=number, date=email.utils.format_datetime(date))
    return text.replace("\n", "\r\n").encode()


class Bench:
    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._token = stack.token("acme")
        self.meter = Meter(*(client(service) for service in ("dynamodb", "s3", "sqs", "kms")))

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self._stack.base_url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def connect(self, number: int) -> str:
        address = f"anna{number}@own.example"
        self._stack.imap.add_user(address, "secret")
        account = {
            "address": address,
            "host": self._stack.imap.host,
            "port": self._stack.imap.port,
            "username": address,
            "password": "secret",
            "automatic_filing": {"enabled": True, "since": "2026-01-01T00:00:00Z"},
        }
        return str(self.call("POST", "/v1/accounts", account)["id"])

    def contact(self, number: int) -> None:
        self.call("PUT", "/v1/customers/k1", {"name": "Kunde"})
        body = {"name": "Max", "addresses": [f"max{number}@kunde.example"], "customers": ["k1"]}
        self.call("PUT", f"/v1/contacts/c{number}", body)

    def poll(self, accounts: list[str]) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
        body = {"kind": "poll", "minute": now, "interval": 5, "tenant": "acme"}
        self._stack.invoke("SyncFunction", _sqs_event([body | {"accounts": accounts}]))

    def idle_poll(self, accounts: list[str]) -> dict[str, Any]:
        self.poll(accounts)  # the folder list is stored, the secret opened and cached
        with self.meter.measured() as meter:
            self.poll(accounts)
            return meter.report(per=len(accounts)) | {"accounts_in_the_message": len(accounts)}

    def matched_mails(self, account: str, count: int) -> dict[str, Any]:
        for number in range(count):
            self._stack.imap.append("anna0@own.example", "INBOX", sample(number))
        keys = self._raw_keys(lambda: self.poll([account]))
        event = _sqs_event([{"match": {"key": key}} for key in keys])
        with self.meter.measured() as meter:
            self._stack.invoke("MatchFunction", event)
            report = meter.report(per=count) | {
                "mails_in_the_batch": count,
                "batch_get_calls": meter.calls["dynamodb:BatchGetItem"],
                "batch_get_keys": meter.batch_keys,
                "batch_get_calls_limit": -(-meter.batch_keys // KEYS_PER_CALL),
            }
        return report | {
            "read_units_limit": READ_LIMIT,
            "write_units_limit": WRITE_LIMIT,
            "read_units_to_limit": report["read_units"] / READ_LIMIT,
            "write_units_to_limit": report["write_units"] / WRITE_LIMIT,
        }

    def _raw_keys(self, work: Callable[[], None]) -> list[str]:
        bucket = self._stack.resources.environment["RAW_BUCKET"]
        before = self._keys(bucket)
        work()
        return sorted(self._keys(bucket) - before)

    def _keys(self, bucket: str) -> set[str]:
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {found["Key"] for page in pages for found in page.get("Contents", [])}

    def archive_page(self) -> dict[str, Any]:
        with self.meter.measured() as meter:
            page = self.call("GET", f"/v1/archives/customer/k1?limit={PAGE}")
            return meter.report() | {"items": len(page["items"])}


def _sqs_event(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """Events as SQS hands them to a function."""
    return {
        "Records": [
            {
                "messageId": f"00000000-0000-4000-8000-{number:012d}",
                "receiptHandle": "-",
                "body": json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:queue",
                "awsRegion": "eu-central-1",
            }
            for number, body in enumerate(bodies)
        ]
    }
