"""Events that nobody of ours sent: whatever they name, match and sync write nothing."""

import json
from urllib.parse import quote

import pytest
from tests.support.api_world import OWNER, STRANGER, api_world, empty_queues, everything, queued
from tests.support.events import S3_TEST_EVENT, context, s3_created, sqs_event

BUCKET = "raw-bucket"
PLACE = f"{'0' * 16}/1"
REAL = f"raw/30d/{OWNER}/anna-a/{PLACE}/1.eml"  # read and filed long ago


def notified(key, *, bucket=BUCKET, event="ObjectCreated:Put"):
    """With the key as it stands in the notification."""
    made = s3_created(bucket, REAL)
    made["Records"][0]["eventName"] = event
    made["Records"][0]["s3"]["object"]["key"] = key
    return made


KEYS = {
    "of the archive": f"archive/{OWNER}/anna-a/{PLACE}/1.eml",
    "of an export": f"exports/{OWNER}/x.zip",
    "below a prefix": f"x/{REAL}",
    "with a slash before": f"/{REAL}",
    "of another retention": REAL.replace("30d", "31d"),
    "of no retention": REAL.replace("30d", "forever"),
    "of another ending": REAL.replace(".eml", ".EML"),
    "with more behind": f"{REAL}/x",
    "with a line end": f"{REAL}\n",
    "with a zero byte": f"{REAL}\0",
    "up a folder": f"raw/30d/{STRANGER}/../{OWNER}/anna-a/{PLACE}/1.eml",
    "up by codes": f"raw/30d/{STRANGER}/%2e%2e/{OWNER}/anna-a/{PLACE}/1.eml",
    "up by codes of codes": f"raw/30d/{STRANGER}/%252e%252e/{OWNER}/anna-a/{PLACE}/1.eml",
    "a folder by a code": f"raw/30d/{STRANGER}%2F{OWNER}/anna-a/{PLACE}/1.eml",
    "encoded twice": quote(quote(REAL, safe=""), safe=""),
    "with a plus": REAL.replace("anna-a", "anna+a"),
    "with a coded plus": REAL.replace("anna-a", "anna%2Ba"),
    "with a blank tenant": f"raw/30d/ /anna-a/{PLACE}/1.eml",
    "of no tenant": f"raw/30d//anna-a/{PLACE}/1.eml",
    "of a tenant in capitals": REAL.replace(OWNER, OWNER.upper()),
    "of a tenant with a hash": REAL.replace(OWNER, f"{OWNER}#x"),
    "of an account with a hash": REAL.replace("anna-a", "anna-a#SECRET"),
    "of a folder in capitals": REAL.replace("0" * 16, "A" * 16),
    "of other digits": REAL.replace("/1/1.", "/1/\u0661."),
    "of a negative uid": REAL.replace("/1/1.", "/1/-1."),
    "of a long uid": REAL.replace("/1/1.", f"/1/{'9' * 11}."),
    "of nothing": "",
    "of a long nothing": "raw/" + "a" * 1020,
    "of the stranger's mailbox": f"raw/30d/{STRANGER}/anna-a/{PLACE}/1.eml",
    "of the stranger's id": f"raw/30d/{OWNER}/bert/{PLACE}/1.eml",
    "of a mail that is not there": f"raw/30d/{OWNER}/anna-a/{PLACE}/999.eml",
    "of a mail read before": REAL,
    "of no account's mail": f"raw/30d/{OWNER}/nobody/{PLACE}/1.eml",  # an object is there
}
TO_MATCH = {
    **{f"a key {name}": notified(key) for name, key in KEYS.items()},
    "another bucket": notified(REAL, bucket="somebody-elses"),
    "the archive bucket": notified(REAL, bucket="archive-bucket"),
    "a removal": notified(REAL, event="ObjectRemoved:Delete"),
    "an expiry": notified(REAL, event="LifecycleExpiration:Delete"),
    "tags": notified(REAL, event="ObjectTagging:Put"),
    "a restoration": notified(REAL, event="ObjectRestore:Completed"),
    "a created in its name": notified(REAL, event="s3:ObjectCreatedX:Put"),
    "no name": notified(REAL, event=""),
    "no records": {},
    "empty records": {"Records": []},
    "records of null": {"Records": None},
    "records of text": {"Records": "x"},
    "records without an object": {"Records": [{"eventName": "ObjectCreated:Put"}]},
    "junk": "{not json",
    "nothing": "",
    "null": "null",
    "a number": "7",
    "a list": "[]",
    "bytes": "\ufffd\x00",
    "deep": "[" * 5000,
    "match of nothing": {"match": {}},
    "match of text": {"match": "x"},
    "match of a number": {"match": {"key": 5}},
    "match of a foreign key": {"match": {"key": "../../etc/passwd"}},
    "match of another's job": {"match": {"key": KEYS["of the stranger's mailbox"], "job": "JOB"}},
    "repair of another's message": {"repair": {"tenant": STRANGER, "message": "MESSAGE"}},
    "repair of a tenant's part": {"repair": {"tenant": f"{OWNER}#MESSAGE", "message": "MESSAGE"}},
    "repair of no tenant": {"repair": {"message": "MESSAGE"}},
    "repair of a path": {"repair": {"tenant": f"../{OWNER}", "message": "MESSAGE"}},
    "repair of another's rows": {"repair": {"tenant": STRANGER, "contact": "c-a"}},
    "repair of rows without a name": {"repair": {"tenant": STRANGER}},
    "batch of another's job": {"batch": {"tenant": STRANGER, "job": "JOB"}},
    "batch of no tenant": {"batch": {"job": "JOB"}},
    "batch of a tenant's part": {"batch": {"tenant": f"{OWNER}#JOB", "job": "JOB"}},
    "batch of no job": {"batch": {"tenant": OWNER, "job": "job-0"}},
}
POLL = {"kind": "poll", "minute": "2026-11-20T10:00:00Z", "second": 0, "interval": 5}
TO_SYNC = {
    "another's account": POLL | {"tenant": STRANGER, "accounts": ["anna-a"]},
    "a tenant's part": POLL | {"tenant": f"{OWNER}#ACCOUNT", "accounts": ["anna-a"]},
    "a path": POLL | {"tenant": f"../{OWNER}", "accounts": ["anna-a"]},
    "accounts with a hash": POLL | {"tenant": STRANGER, "accounts": [f"x#T#{OWNER}#ACCOUNT"]},
    "more of another's": {"kind": "more", "tenant": STRANGER, "account": "anna-a", "sent": 9**12},
    "another's job": {"kind": "job", "tenant": STRANGER, "job": "JOB", "sent": 9**12},
    "a job that is none": {"kind": "job", "tenant": OWNER, "job": "job-0", "sent": 9**12},
    "another kind": {"kind": "purge", "tenant": OWNER},
    "no kind": {"tenant": OWNER, "accounts": ["anna-a"]},
    "an S3 event": notified(REAL),
    "a test event": S3_TEST_EVENT,
    "wrong types": {"kind": "poll", "tenant": 1, "accounts": "anna-a"},
    "junk": "{not json",
    "null": "null",
    "a list": "[]",
    "nothing": "",
}


@pytest.fixture(scope="module")
def world():
    with api_world() as made:
        made.where.raw._client.put_object(
            Bucket=BUCKET, Key=KEYS["of no account's mail"], Body=b"From: max@kunde.de\r\n\r\n"
        )
        yield made


def delivered(handler, world, body):
    """To the handler; the failed records, all changes and what was sent."""
    text = body if isinstance(body, str) else json.dumps(body)
    for placeholder, name in (("MESSAGE", "message"), ("JOB", "job")):
        text = text.replace(f'"{placeholder}"', f'"{world.things[name][0][0]}"')
    empty_queues()
    before = everything()
    answer = handler(sqs_event(text), context())
    assert everything() == before
    assert queued() == ""
    return answer["batchItemFailures"]


@pytest.mark.parametrize("name", TO_MATCH)
def test_match_writes_nothing_for_a_forged_event(name, world):
    from match.handler import lambda_handler  # noqa: PLC0415  reads the environment

    failed = delivered(lambda_handler, world, TO_MATCH[name])

    if name.startswith("a key") or "Records" in TO_MATCH[name]:
        assert failed == [] or "of no account" in name or name.startswith("records")


@pytest.mark.parametrize("name", TO_SYNC)
def test_sync_writes_nothing_for_a_forged_message(name, world):
    from sync.handler import lambda_handler  # noqa: PLC0415  reads the environment

    delivered(lambda_handler, world, TO_SYNC[name])


def test_the_test_event_of_s3_is_acknowledged(world):
    from match.handler import lambda_handler  # noqa: PLC0415  reads the environment

    assert delivered(lambda_handler, world, S3_TEST_EVENT) == []


def test_there_are_sixty_of_them():
    assert len(TO_MATCH) + len(TO_SYNC) >= 60
