"""Cold starts: the CPU of a fresh process until its first event is answered, less that of an equal
event after it, beside a bare boto3 whose event is one GetItem.

So whatever the first event needs counts, wherever it is imported, made or connected, and what each
event costs does not. `start` is the part of it before any event: the imports and one client. Both
have their .pyc.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from infra.local import dovecot
from tests.bench.aws_front import aws_front
from tests.bench.lab import NO_DOVECOT, Lab, lab
from tests.bench.mails import usual
from tests.bench.whole import connected
from tests.support.aws import ENVIRONMENT
from tests.support.events import s3_created, sqs_event
from tests.support.http_events import Client, event
from tests.support.mailboxes import put_account
from tests.support.stored_mail import stored

from ablage.accounts import Account
from ablage.store.storage import storage
from ablage.tenancy import TenantId

ROUNDS = 7
OWN = "anna@own.example"
PARTS = ("start", "first_event")
LIMITS = {"match": 1.1, "sync": 1.1, "api": 1.6}
_FUNCTIONS = str(Path(__file__).parents[2] / "functions")
_CHILD = """
import json, sys, time
first, second = json.loads(sys.argv[2])
class Context:
    function_name, memory_limit_in_mb, aws_request_id = "f", 1024, "r"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    get_remaining_time_in_millis = lambda self: 29_000
if sys.argv[1] == "bare":
    import boto3
    dynamodb = boto3.client("dynamodb")
    handle = lambda event, context: dynamodb.get_item(**event)
else:
    import importlib
    handle = importlib.import_module(sys.argv[1] + ".handler").lambda_handler
    from ablage.store.storage import storage
    storage()
start = time.process_time()
answers = [handle(first, Context())]
cold = time.process_time()
answers.append(handle(second, Context()))
print()
print(json.dumps([start, cold, time.process_time() - cold, answers]))
"""


Pair = tuple[dict[str, Any], dict[str, Any]]
Spent = dict[str, float]  # milliseconds of CPU: `start`, `first_event`


def cold() -> dict[str, Any]:
    has_mail = dovecot.executable() is not None
    with aws_front() as url, lab(iter([])) if has_mail else nullcontext() as where:
        work = {"match": _mails(), "api": _lists()} | ({"sync": _polls(where)} if where else {})
        mailbox = where.direct.environment if where else {}
        environment = _environment(url) | mailbox
        rounds = [_round(work, environment) for _ in range(ROUNDS + 1)][1:]  # one writes .pyc
    return {"cold_start_cpu": {"sync": NO_DOVECOT} | _report(rounds)}


def _environment(url: str) -> dict[str, str]:
    queues = {name: os.environ[name] for name in os.environ if name.endswith("_QUEUE_URL")}
    more = {"SECRETS_KEY_ID": os.environ["SECRETS_KEY_ID"], "PATH": os.environ["PATH"]}
    reached = {"AWS_ENDPOINT_URL": url, "PYTHONPATH": _FUNCTIONS}
    return ENVIRONMENT | queues | more | reached


def _round(work: dict[str, Iterator[Pair]], environment: dict[str, str]) -> dict[str, Spent]:
    """Of each, the bare one among them."""
    key = {"pk": {"S": "T#acme#TENANT"}, "sk": {"S": "POLICY"}}
    bare = {"TableName": ENVIRONMENT["TABLE_NAME"], "Key": key}
    role = {"DATA_ROLE_ARN": "arn:aws:iam::123456789012:role/data"}
    found = {"bare": _started("bare", (bare, bare), environment)}
    for name, pairs in work.items():
        found[name] = _started(name, next(pairs), environment | (role if name == "api" else {}))
    return found


def _started(name: str, events: Pair, environment: dict[str, str]) -> Spent:
    run = [sys.executable, "-c", _CHILD, name, json.dumps(events)]
    ran = subprocess.run(run, env=environment, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    start, first, second, answers = json.loads(ran.stdout.splitlines()[-1])
    for answer in answers:
        assert not answer.get("batchItemFailures"), ran.stdout
        assert answer.get("statusCode", 200) == 200, answer
    return {"start": 1000 * start, "first_event": 1000 * (first - second)}


def _report(rounds: list[dict[str, Spent]]) -> dict[str, Any]:
    def told(name: str, part: str) -> dict[str, Any]:
        ratio = statistics.median(each[name][part] / each["bare"][part] for each in rounds)
        limit = LIMITS[name]
        more = {"ratio": round(ratio, 2), "ratio_limit": limit, "met": round(ratio, 2) <= limit}
        return {"ms": middle(name, part)} | more

    def middle(name: str, part: str) -> int:
        return round(statistics.median(each[name][part] for each in rounds))

    return {"bare_ms": {part: middle("bare", part) for part in PARTS}} | {
        name: {part: told(name, part) for part in PARTS} for name in rounds[0] if name != "bare"
    }


# ---- first events --------------------------------------------------------------------------------


def _mails() -> Iterator[Pair]:
    """A mail of a known contact, which is filed."""
    account = Account(TenantId("acme"), "anna", OWN, OWN, "imap.own.example", 993, OWN, version=1)
    put_account(storage(), account)
    contact = {"name": "Max", "addresses": ["max@kunde.example"]}
    assert Client("acme")("PUT", "/v1/contacts/C-1", contact).status == 201
    for number in count(1, 2):
        first, second = (_arrived(each) for each in (number, number + 1))
        yield first, second


def _arrived(number: int) -> dict[str, Any]:
    where = storage()
    key = stored(where, number, "max@kunde.example", OWN)
    return sqs_event(s3_created(where.raw.bucket, key.text))


def _polls(where: Lab) -> Iterator[Pair]:
    """Of a new account, with one mail."""
    mails = usual(2 * (ROUNDS + 1))
    for number in count():
        yield _poll(where, f"a{number}", next(mails)), _poll(where, f"b{number}", next(mails))


def _poll(where: Lab, user: str, mail: bytes) -> dict[str, Any]:
    where.fill(user, iter([mail]))
    job = connected(where.direct, user, user)
    minute = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}:00Z"
    more = {"kind": "poll", "minute": minute, "interval": 5}
    return sqs_event(more | {"tenant": job["tenant"], "accounts": [job["account"]]})


def _lists() -> Iterator[Pair]:
    """A page of an archive."""
    claims = {"tenant": "acme", "scope": "read mailboxes:all", "sub": "server"}
    while True:
        made = event("GET", "/v1/archives/contact/C-1", claims=claims)
        yield made, made
