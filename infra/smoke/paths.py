"""What happens when somebody calls, and when a mail arrives."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from botocore.config import Config
from botocore.exceptions import ClientError
from infra.smoke.live import Live, NotShown, check, expect

MAIL = (
    b"From: smoke@smoke.invalid\r\nTo: us@smoke.invalid\r\n"
    b"Message-ID: <%s@smoke.invalid>\r\n\r\nHi\r\n"
)


def call(
    live: Live, path: str, token: str = "", method: str = "GET", body: Any = None
) -> tuple[int, dict[str, Any]]:
    """Status, and what a good answer holds."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    headers |= {} if data is None else {"Content-Type": "application/json"}
    where = live.outputs["ApiUrl"] + path
    asked = Request(where, data, headers, method=method)  # noqa: S310  https
    try:
        with urlopen(asked, timeout=30) as answer:  # noqa: S310  same
            return answer.status, json.loads(answer.read() or b"{}")
    except HTTPError as error:
        return error.code, {}


def unsigned(**claims: Any) -> str:
    """A token of alg none."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    text = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts]
    return ".".join([*text, ""])


@check("the API refuses calls without a token, with garbage, unsigned or tampered ones")
def refused(live: Live) -> None:
    head, _, signature = live.token.rpartition(".")
    tampered = f"{head[:-2]}xx.{signature}" if live.token else "e30.e30.x"
    for token in ("", "garbage", unsigned(tenant="smoke", scope="read"), tampered):
        expect(call(live, "/v1/me", token)[0] == 401, "a bad token was not answered 401")


@check("the API accepts a good token")
def accepted(live: Live) -> None:
    if not live.token:
        raise NotShown("set SMOKE_TOKEN to a token with the scope read")
    status, me = call(live, "/v1/me", live.token)
    expect(status == 200 and me.get("tenant"), f"answered {status}")


@check("a route nobody knows is 404")
def unknown(live: Live) -> None:
    expect(call(live, "/v1/smoke")[0] == 404, "answered something else")


@check("a raw mail put into the bucket is matched: S3, queue, function, table")
def arrival(live: Live) -> None:
    texts = {"address": "us@smoke.invalid", "own": "us@smoke.invalid", "host": "imap.invalid"}
    account: dict[str, Any] = {name: {"S": text} for name, text in texts.items()}
    numbers = {"schema": "2", "port": "993", "version": "1"}
    account |= {name: {"N": number} for name, number in numbers.items()}
    account |= {"username": {"S": "us"}, "sync": {"BOOL": False}}
    received = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ours, box = f"T#{live.tenant}#ACCOUNTS", f"T#{live.tenant}#ACCOUNT#smoke"
    live.partitions |= {ours, box, f"T#{live.tenant}#UNMATCHED#smoke@smoke.invalid"}
    dynamodb = live.client("dynamodb")
    place = {"pk": {"S": ours}, "sk": {"S": "ACCOUNT#smoke"}}
    dynamodb.put_item(TableName=live.table, Item=account | place)
    live.client("s3").put_object(
        Bucket=live.resources["RawBucket"],
        Key=f"raw/30d/{live.tenant}/smoke/{'0' * 16}/1/1.eml",
        Body=MAIL % live.tenant.encode(),
        Metadata={"received": received, "flags": "", "role": "inbox"},
    )
    asked = {"KeyConditionExpression": "pk = :pk AND begins_with(sk, :mail)",
             "ExpressionAttributeValues": {":pk": {"S": box}, ":mail": {"S": "MAIL#"}}}  # fmt: skip
    rows = live.until(
        lambda: dynamodb.query(TableName=live.table, **asked)["Items"],
        "nothing arrived in a minute",
    )
    live.partitions.add(f"T#{live.tenant}#MESSAGE#{rows[0]['m']['S']}")


@check("S3 puts nothing over what is there (If-None-Match)")
def written_once(live: Live) -> None:
    place = {"Bucket": live.resources["ArchiveBucket"], "Key": f"parts/{live.tenant}/m/once"}
    s3 = live.client("s3")
    s3.put_object(**place, Body=b"1", IfNoneMatch="*")
    try:
        s3.put_object(**place, Body=b"2", IfNoneMatch="*")
    except ClientError as error:
        expect(error.response["Error"]["Code"] == "PreconditionFailed", "another refusal")
    else:
        expect(False, "it was overwritten")


@check("DynamoDB refuses a conditional write that does not hold")
def conditional(live: Live) -> None:
    item = {"pk": {"S": f"T#{live.tenant}#SMOKE"}, "sk": {"S": "ONCE"}}
    live.partitions.add(item["pk"]["S"])
    request = {
        "TableName": live.table,
        "Item": item,
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    dynamodb = live.client("dynamodb")
    dynamodb.put_item(**request)
    try:
        dynamodb.put_item(**request)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        expect(code == "ConditionalCheckFailedException", "another refusal")
    else:
        expect(False, "it was overwritten")


@check("the buckets refuse calls without TLS")
def tls(live: Live) -> None:
    plain = live.client("s3", use_ssl=False, config=Config(retries={"max_attempts": 1}))
    for bucket in ("RawBucket", "ArchiveBucket"):
        try:
            plain.list_objects_v2(Bucket=live.resources[bucket], MaxKeys=1)
        except ClientError as error:
            expect(error.response["Error"]["Code"] == "AccessDenied", "another refusal")
        else:
            expect(False, f"{bucket} answered")
