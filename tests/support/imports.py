"""An import through the API, its upload put into the bucket as S3 would take it."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.http_events import Answer, Client

from ablage.store.aws import client

BUCKET = "archive-bucket"


def lines(items: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def begun(caller: Client, content: bytes, **asked: Any) -> dict[str, Any]:
    body = {"type": "contacts", "size": len(content)} | asked
    answer = caller("POST", "/v1/imports", body)
    assert answer.status == 202, answer.text
    return answer.json  # type: ignore[no-any-return]


def upload(job: dict[str, Any], content: bytes) -> None:
    key = unquote(urlsplit(job["upload"]["url"]).path).removeprefix("/")
    client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)


def signed_headers(url: str) -> list[str]:
    return parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"][0].split(";")


def started(caller: Client, items: Iterable[Any], **asked: Any) -> dict[str, Any]:
    """The job, uploaded and started; `items` may be the bytes of a file."""
    content = items if isinstance(items, bytes) else lines(items)
    job = begun(caller, content, **asked)
    upload(job, content)
    answer: Answer = caller("POST", f"/v1/imports/{job['id']}/start")
    assert answer.status == 202, answer.text
    return answer.json  # type: ignore[no-any-return]


def results(url: str) -> list[dict[str, Any]]:
    key = unquote(urlsplit(url).path).removeprefix("/")
    body = client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return [json.loads(line) for line in body.splitlines()]
