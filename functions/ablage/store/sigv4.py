"""AWS Signature Version 4 of S3 requests without a query, with a tenth of the CPU of botocore's
signer (0.01 ms of 0.13), which the tests hold it to.

Source: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API Reference."""

import functools
import hashlib
import hmac
import time
from dataclasses import dataclass, field
from typing import Any

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class _Second:
    """What is the same for all requests within one."""

    headers: dict[str, str]
    key: bytes = field(repr=False)
    to_sign: str
    credential: str


def signed_put(
    path: str, headers: dict[str, str], credentials: Any, region: str, now: float
) -> dict[str, str]:
    """`headers` of a PUT with those that sign them. They hold `host` and `x-amz-content-sha256`;
    names are lower case, `path` is encoded as it is sent. `credentials`: frozen, as botocore gives
    them."""
    second = _second(credentials, region, int(now))
    headers = headers | second.headers
    names = sorted(headers)
    lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])
    listed = ";".join(names)
    canonical = f"PUT\n{path}\n\n{lines}\n{listed}\n{headers['x-amz-content-sha256']}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.digest(second.key, (second.to_sign + digest).encode(), "sha256").hex()
    headers["authorization"] = f"{second.credential}{listed}, Signature={signature}"
    return headers


@functools.lru_cache(maxsize=4)
def _second(credentials: Any, region: str, now: int) -> _Second:
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {"x-amz-date": at}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    return _Second(
        headers,
        _key(credentials.secret_key, at[:8], region),
        f"{_ALGORITHM}\n{at}\n{scope}\n",
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders=",
    )


@functools.lru_cache(maxsize=4)
def _key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
