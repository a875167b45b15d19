"""Who may touch what: asked of IAM, DynamoDB, S3 and KMS with the stack's own policies."""

from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from botocore.exceptions import ClientError
from infra.smoke.live import Live, check, denied, expect

OTHER = "smoke-other"
KIND = "password"


def key(tenant: str, *parts: str) -> dict[str, Any]:
    return {"pk": {"S": "#".join(("T", tenant, *parts))}, "sk": {"S": "SMOKE"}}


def own_item(live: Live) -> Any:
    """A client that certainly may: else a denial would show nothing."""
    dynamodb = live.as_tenant("dynamodb")
    live.partitions.add(f"T#{live.tenant}#SMOKE")

    def may() -> bool:
        try:
            dynamodb.get_item(TableName=live.table, Key=key(live.tenant, "SMOKE"))
        except ClientError:
            return False
        return True

    live.until(may, "its own item is denied to the data role")
    return dynamodb


@check("the data role writes and reads its tenant's items")
def own(live: Live) -> None:
    dynamodb, place = own_item(live), key(live.tenant, "SMOKE")
    dynamodb.put_item(TableName=live.table, Item=place | {"n": {"N": "1"}})
    found = dynamodb.get_item(TableName=live.table, Key=place, ConsistentRead=True)
    expect(found.get("Item"), "what was written is not there")


@check("the data role is denied another tenant's item")
def get(live: Live) -> None:
    denied(own_item(live).get_item, TableName=live.table, Key=key(OTHER, "SMOKE"))


@check("the data role is denied a tenant whose id begins with its own")
def longer(live: Live) -> None:
    denied(own_item(live).get_item, TableName=live.table, Key=key(f"{live.tenant}2", "SMOKE"))


@check("the data role is denied a batch that holds another tenant's key")
def batch(live: Live) -> None:
    keys = [key(live.tenant, "SMOKE"), key(OTHER, "SMOKE")]
    denied(own_item(live).batch_get_item, RequestItems={live.table: {"Keys": keys}})


@check("the data role is denied a query of another tenant's partition")
def query(live: Live) -> None:
    values = {":pk": key(OTHER, "ACCOUNTS")["pk"]}
    asked = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": values}
    denied(own_item(live).query, TableName=live.table, **asked)


@check("the data role is denied a write to another tenant")
def put(live: Live) -> None:
    denied(own_item(live).put_item, TableName=live.table, Item=key(OTHER, "SMOKE"))


@check("the data role is denied a transaction that reaches another tenant")
def transaction(live: Live) -> None:
    puts = [{"Put": {"TableName": live.table, "Item": key(t, "SMOKE")}}
            for t in (live.tenant, OTHER)]  # fmt: skip
    denied(own_item(live).transact_write_items, TransactItems=puts)


@check("the data role is denied its tenant's secrets")
def secrets(live: Live) -> None:
    denied(own_item(live).get_item, TableName=live.table, Key=key(live.tenant, "SECRET", "a"))


@check("the data role is denied a scan, and the index of due work")
def scan(live: Live) -> None:
    dynamodb = own_item(live)
    denied(dynamodb.scan, TableName=live.table, Limit=1)
    asked = {
        "KeyConditionExpression": "due = :due",
        "ExpressionAttributeValues": {":due": {"S": "DUE#MORE"}},
    }
    denied(dynamodb.query, TableName=live.table, IndexName="due", **asked)


@check("the data role without a tenant's tag is denied everything")
def untagged(live: Live) -> None:
    own_item(live)
    dynamodb = live.as_nobody("dynamodb")
    for tenant in (live.tenant, ""):
        denied(dynamodb.get_item, TableName=live.table, Key=key(tenant, "SMOKE"))


@check("the data role reads and lends its tenant's objects alone")
def objects(live: Live) -> None:
    own_item(live)
    s3, bucket = live.as_tenant("s3"), live.resources["ArchiveBucket"]
    place = {"Bucket": bucket, "Key": f"parts/{live.tenant}/m/smoke"}
    s3.put_object(**place, Body=b"smoke")
    link = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    with urlopen(link, timeout=30) as answer:  # noqa: S310  made just now
        expect(answer.read() == b"smoke", "a link answers something else")
    for there in (f"parts/{OTHER}/m/x", f"archive/{OTHER}/m/x.eml"):
        denied(s3.get_object, Bucket=bucket, Key=there)
        denied(s3.put_object, Bucket=bucket, Key=there, Body=b"")
    other = f"raw/30d/{OTHER}/{live.tenant}/f/1/1.eml"  # an account called like the tenant
    denied(s3.get_object, Bucket=live.resources["RawBucket"], Key=other)


@check("a link that was tampered with is refused")
def tampered(live: Live) -> None:
    s3, bucket = live.as_tenant("s3"), live.resources["ArchiveBucket"]
    place = {"Bucket": bucket, "Key": f"parts/{live.tenant}/m/smoke"}
    link = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    try:
        with urlopen(link.replace(live.tenant, OTHER), timeout=30):  # noqa: S310  made just now
            pass
    except HTTPError as error:
        expect(error.code == 403, f"answered {error.code}")
    else:
        expect(False, "was answered")


@check("the API's own role is denied all data")
def api_role(live: Live) -> None:
    dynamodb = live.as_role("ApiRole", "dynamodb")
    client = {"pk": {"S": "CLIENT#smoke"}, "sk": {"S": "TENANT"}}
    live.until(lambda: _may(dynamodb.get_item, TableName=live.table, Key=client), "no client read")
    denied(dynamodb.get_item, TableName=live.table, Key=key(live.tenant, "SMOKE"))
    denied(dynamodb.put_item, TableName=live.table, Item=client)
    bucket = live.resources["ArchiveBucket"]
    denied(live.as_role("ApiRole", "s3").get_object, Bucket=bucket, Key="archive/x/m/x.eml")


def _may(call: Any, **request: Any) -> bool:
    try:
        call(**request)
    except ClientError as error:
        return error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException")
    return True


def context(live: Live, tenant: str = "") -> dict[str, str]:
    return {"tenant": tenant or live.tenant, "account": "smoke", "kind": KIND}


def sealed(live: Live) -> bytes:
    kms, key_id = live.as_role("ApiRole", "kms"), live.resources["SecretsKey"]
    request = {"KeyId": key_id, "Plaintext": b"smoke", "EncryptionContext": context(live)}
    live.until(lambda: _may(kms.encrypt, **request), "the API may not seal")
    return bytes(kms.encrypt(**request)["CiphertextBlob"])


@check("the API seals with the whole context only")
def seal(live: Live) -> None:
    sealed(live)
    request = {"KeyId": live.resources["SecretsKey"], "Plaintext": b"smoke"}
    denied(live.as_role("ApiRole", "kms").encrypt, **request)


@check("KMS Decrypt is denied to the API and to match")
def no_opening(live: Live) -> None:
    request = {"CiphertextBlob": sealed(live), "EncryptionContext": context(live)}
    for role in ("ApiRole", "DataRole", "MatchRole"):
        denied(live.as_role(role, "kms").decrypt, **request)


@check("sync opens a secret, and not as another tenant's")
def opening(live: Live) -> None:
    kms, blob = live.as_role("SyncRole", "kms"), sealed(live)
    request = {"CiphertextBlob": blob, "EncryptionContext": context(live)}
    live.until(lambda: _may(kms.decrypt, **request), "sync may not open")
    expect(kms.decrypt(**request)["Plaintext"] == b"smoke", "opened to something else")
    try:
        kms.decrypt(**request | {"EncryptionContext": context(live, OTHER)})
    except ClientError as error:
        expect(error.response["Error"]["Code"] == "InvalidCiphertextException", "another refusal")
    else:
        expect(False, "opened with another tenant's context")
