"""One tenant's real objects, a stranger and a colleague who must not see them, and what tells
whether they touched or saw any.

A route with a new path parameter needs a pair in `_made`: the id of a real thing, made there, and
one of nothing.
"""

import base64
import copy
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from infra.local.aws import environment
from moto.dynamodb.models import dynamodb_backends
from moto.sqs.models import sqs_backends
from tests.support.aws import ACCOUNT, QUEUES, fresh_aws, received_bodies
from tests.support.events import context, s3_created, sqs_event
from tests.support.fitting import fitting_body
from tests.support.http_events import Answer, Client
from tests.support.imports import begun, upload
from tests.support.webhooks import AT, stored_delivery, stored_webhook

from ablage.runs import Run
from ablage.store import runs
from ablage.store.aws import client
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import Storage, storage
from ablage.tenancy import TenantId
from api.operations import Operation

CANARY = "canary"  # in texts of the owner's, not in what is asked with
UNSEEN = "canary-unseen"  # in mail that colleagues may not see
OWNER, STRANGER = "acme", "other"
INBOX = "0" * 16
FORGED = "dmarc=fail header.from=anna-a.de"
COUNTERS = ("#RATE#", "#USAGE")
UNLIMITED = {f"RATE_{kind}": "100000000" for kind in ("READ", "WRITE", "HEAVY")}

anna = Client(OWNER)
stranger = Client(STRANGER, subject="mallory")
colleague = Client(OWNER, "read file manage", subject="eve")  # neither owner nor viewer


@dataclass(frozen=True)
class Case:
    """A path's parameters (and the same names in bodies and queries), and their like of things
    that do not exist."""

    real: Mapping[str, str]
    ghost: Mapping[str, str]


def parameters(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def asked(who: Client, known: Operation, ids: Mapping[str, str]) -> Answer:
    """The route with these ids in path, query and body, in fields of their names."""
    path = re.sub(r"{(\w+)}", lambda found: ids[found[1]], known.path)
    query = {name: ids[name] for name in sorted(known.queries) if name in ids}
    return who(known.method, path, fitting_body(known.method, known.path, ids), query=query)


@dataclass(frozen=True)
class World:
    """`things`: parameter -> (id, id of nothing), one pair for each kind of object it may name."""

    where: Storage
    things: Mapping[str, tuple[tuple[str, str], ...]]
    private: frozenset[str]  # ids of messages that colleagues may not see

    def cases(self, path: str) -> list[Case]:
        """Every thing of every kind at least once; those of one row belong together."""
        most = max((len(self.things[name]) for name in parameters(path)), default=1)
        rows = [
            {name: pairs[row % len(pairs)] for name, pairs in self.things.items()}
            for row in range(most)
        ]
        return [
            Case({n: real for n, (real, _) in row.items()}, {n: no for n, (_, no) in row.items()})
            for row in rows
        ]

    def owners_state(self) -> dict[str, Any]:
        """Everything of the owner's in table and buckets."""
        return everything(f"T#{OWNER}#")


def everything(prefix: str = "") -> dict[str, Any]:
    """What is in the table, of one tenant or whole, and in the buckets; without the counters of
    requests."""
    return {
        "items": {
            (pk.value, sk.value): item.attrs
            for pk, items in _tables()["table"].items.items()
            if pk.value.startswith(prefix) and not any(name in pk.value for name in COUNTERS)
            for sk, item in items.items()
        },
        "objects": _objects(),
    }


@contextmanager
def unchanged_afterwards() -> Iterator[None]:
    """The table is put back as it was."""
    table = _tables()["table"]
    before = copy.deepcopy(table.items)
    yield
    table.items = before


@contextmanager
def api_world() -> Iterator[World]:
    """Made once in a process, then put back: making it takes seconds."""
    with environment(UNLIMITED), fresh_aws():
        if not _KEPT:
            _keep(_made(storage()))
        else:
            _put_back()
        yield replace(_KEPT[0].world, where=storage())


@dataclass(frozen=True)
class Kept:
    world: World
    items: Any
    objects: list[tuple[str, str, bytes, dict[str, str]]]


_KEPT: list[Kept] = []


def _keep(world: World) -> None:
    s3, objects = client("s3"), []
    for bucket, key, _ in _objects():
        found = s3.get_object(Bucket=bucket, Key=key)
        objects.append((bucket, key, found["Body"].read(), found["Metadata"]))
    _KEPT.append(Kept(world, copy.deepcopy(_tables()["table"].items), objects))


def _put_back() -> None:
    (kept,) = _KEPT
    _tables()["table"].items = copy.deepcopy(kept.items)
    for bucket, key, body, metadata in kept.objects:
        client("s3").put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)


def queued() -> str:
    """All that was sent to the queues since."""
    return "\n".join(body for name in QUEUES for body in received_bodies(os.environ[name]))


def empty_queues() -> None:
    """Also of what was sent with a delay, as repairs are. PurgeQueue may be asked for but once a
    minute."""
    for queue in sqs_backends[ACCOUNT]["eu-central-1"].queues.values():
        queue._messages = []


# ---- what the owner has --------------------------------------------------------------------------


def _made(where: Storage) -> World:
    for account in ("anna-a", "anna-b"):
        _ok(anna("POST", "/v1/accounts", {
            "id": account, "address": f"{CANARY}@{account}.de", "host": "imap.own.de",
            "password": f"{CANARY}-secret", "owner": "anna",
            "automatic_filing": {"enabled": True, "since": "2026-01-01T00:00:00Z"},
        }))  # fmt: skip
    for customer in ("k-a", "k-b"):
        _ok(anna("PUT", f"/v1/customers/{customer}", {"name": f"{CANARY} customer"}))
    contact = {"name": CANARY, "addresses": ["max@kunde.de"], "customers": ["k-a"]}
    _ok(anna("PUT", "/v1/contacts/c-a", contact))
    into = {"name": CANARY, "addresses": ["moritz@kunde.de"]}
    _ok(anna("PUT", "/v1/contacts/c-b", into))
    for record in ("q-a", "q-b"):
        _ok(anna("PUT", f"/v1/records/quote/{record}", {"label": CANARY}))
    _ok(anna("PUT", "/v1/oauth/clients/google", {
        "client_id": CANARY, "client_secret": CANARY, "redirect_uris": ["https://canary.de/back"],
    }))  # fmt: skip
    entry, _ = (
        _ok(anna("POST", "/v1/blocklist", {"entry": f"{name}@kunde.de", "note": CANARY}))
        for name in ("blocked", "too")
    )
    filed, unfiled, private = (
        _arrived(where, number, sender)
        for number, sender in enumerate(("max@kunde.de", "nobody@kunde.de", "x@kunde.de"), 1)
    )
    held, _ = (
        _arrived(
            where, number, f"{CANARY}@anna-a.de", "max@kunde.de", "dmarc=fail header.from=anna-a.de"
        )
        for number in (4, 5)
    )
    _ok(anna("PUT", f"/v1/messages/{private}/private"))
    _arrived(where, 6, "max@kunde.de")
    for message in (filed, unfiled, private):
        _ok(anna("PUT", f"/v1/messages/{message}/filings/quote/q-a"))
    _ok(anna("DELETE", f"/v1/messages/{unfiled}/filings/quote/q-a"))
    for minute in (1, 2):
        run = Run(INBOX, f"2026-11-20T10:0{minute}:00Z", "poll", listed=1)
        runs.write(where.table, TenantId(OWNER), "anna-a", run, int(time.time()))
    synced = _ok(anna("POST", "/v1/accounts/anna-a/sync", {}))
    batch = _ok(anna("POST", "/v1/batches", {"kind": "backfill_account", "account": "anna-a"}))
    exported = _ok(anna("POST", "/v1/exports", {"entity_type": "quote", "entity_id": "q-a"}))
    stored_webhook(TenantId(OWNER), "wh-a", description=CANARY)
    sent = stored_delivery(TenantId(OWNER), "wh-a")
    imported = begun(anna, b"{}\n")
    upload(imported, b"{}\n")
    nobody = base64.urlsafe_b64encode(b"ADDRESS#nobody@x.de").rstrip(b"=").decode()
    things = {
        "account": (("anna-a", "anna-x"),),
        "contact": (("c-a", "c-x"),),
        "customer": (("k-a", "k-x"),),
        "entity_type": (("quote", "quote"), ("contact", "contact")),
        "entity_id": (("q-a", "q-x"), ("c-a", "c-x")),
        "entry_id": ((entry["id"], nobody),),
        "job": tuple((each["id"], "0" * 16) for each in (synced, batch, imported, exported)),
        "message": tuple((each, "a" * 26) for each in (filed, unfiled, private, held)),
        "number": (("1", "1"),),
        "provider": (("google", "microsoft"),),
        "webhook": (("wh-a", "wh-x"),),
        # of bodies and queries alone
        "address": (("max@kunde.de", "max@ghost.de"),),
        "deliveries": ((sent, f"{AT}.{'0' * 32}"),),
        "entry": (("blocked@kunde.de", "nobody@x.de"),),
        "into": (("c-b", "c-y"),),
        "message_id": (("m1@kunde.de", "m1@ghost.de"),),
        "reauthorize": (("anna-a", "anna-x"),),
    }
    queued()
    return World(where, things, frozenset((unfiled, private, held)))


def _arrived(
    where: Storage, number: int, sender: str, to: str = f"{CANARY}@anna-a.de", verdict: str = ""
) -> str:
    """The id of a mail that match has read and decided."""
    from match.handler import lambda_handler as match  # noqa: PLC0415  reads the environment

    mark = CANARY if number in (1, 6) else UNSEEN
    trace = f"Authentication-Results: mx.own.de; {verdict}\r\n" if verdict else ""
    raw = (
        f"{trace}From: {sender}\r\nTo: {to}\r\nSubject: {mark} {number}\r\n"
        f"Message-ID: <m{number}@kunde.de>\r\nDate: Fri, 20 Nov 2026 10:00:0{number} +0000\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/html\r\n\r\n<p>{mark}</p>\r\n"
        f"--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename={mark}\r\n"
        "\r\nx\r\n--b--\r\n"
    ).encode()
    key = RawKey("30d", TenantId(OWNER), "anna-a", INBOX, 1, number)
    where.raw.put(key, raw, RawMetadata("2026-11-20T10:00:00Z", role="inbox"))
    before = _overview()
    match(sqs_event(s3_created(where.raw.bucket, key.text)), context())
    (message,) = _overview() - before
    return message


def _overview() -> set[str]:
    items = _ok(anna("GET", "/v1/accounts/anna-a/messages"))["items"]
    return {row["message"] for row in items}


def _ok(answer: Answer) -> Any:
    assert answer.status < 300, answer.text
    return answer.json if answer.text else None


def _tables() -> Any:
    return dynamodb_backends[ACCOUNT]["eu-central-1"].tables


def _objects() -> list[tuple[str, str, str]]:
    s3 = client("s3")
    return [
        (os.environ[variable], found["Key"], found["ETag"])
        for variable in ("RAW_BUCKET", "ARCHIVE_BUCKET")
        for found in s3.list_objects_v2(Bucket=os.environ[variable]).get("Contents", [])
    ]
