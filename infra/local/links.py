"""Signed links into S3, made to work outside this process: moto's bucket is nowhere on the network.

An answer's links are rewritten to this machine's HTTP API, which serves exactly those it gave out,
until they expire.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote

from infra.local import gateway
from infra.local.aws import client

PREFIX = "/s3/"
_SIGNED = re.compile(
    rb"https://([a-z0-9.-]+)\.s3(?:\.[a-z0-9-]+)?\.amazonaws\.com/([^\"\s?]+)"
    rb"\?([^\"\s]*X-Amz-Signature=[^\"\s]+)"
)
# A field of the answer itself: within a text (a mail may hold anything) its quotes are escaped. The
# `url` of a record is a tenant's own words too: links of ours say when they end, or what to send.
_FIELD = re.compile(
    rb'("(?:result_)?url":\s*")('
    + _SIGNED.pattern
    + rb')(?="\s*,\s*"(?:expires_at|headers|preview)")'
)


@dataclass(frozen=True)
class _Object:
    bucket: str
    key: str
    expires: datetime
    headers: tuple[tuple[str, str], ...]
    upload: bool
    once: bool


class Links:
    def __init__(self) -> None:
        self._given: dict[str, _Object] = {}

    def rewrite(self, answered: gateway.Response, host: str) -> gateway.Response:
        """The answer with its signed links leading to `host`."""

        def local(found: re.Match[bytes]) -> bytes:
            bucket, key, query = (part.decode() for part in found.groups())
            target = f"{PREFIX}{bucket}/{key}?{query}"
            self._given[target] = _object(bucket, key, query)
            return f"http://{host}{target}".encode()

        def field(found: re.Match[bytes]) -> bytes:
            return found[1] + _SIGNED.sub(local, found[2])

        headers = tuple(
            (
                name,
                _SIGNED.sub(local, text.encode()).decode() if name.lower() == "location" else text,
            )
            for name, text in answered.headers
        )
        return replace(answered, headers=headers, body=_FIELD.sub(field, answered.body))

    def serve(self, path: str, query: str) -> gateway.Response:
        """The object behind a link; 403 for any other and after its time, as S3 answers."""
        found = self._found(path, query, upload=False)
        if found is None:
            return gateway.problem(403, "Access Denied")
        s3 = client("s3")
        try:
            body = s3.get_object(Bucket=found.bucket, Key=found.key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            return gateway.problem(404, "Not Found")
        return gateway.Response(200, found.headers, body)

    def take(self, path: str, query: str, body: bytes, media_type: str) -> gateway.Response:
        """An upload to a link made for it. S3 refuses another length or type, which are signed;
        here whoever reads it has to notice."""
        found = self._found(path, query, upload=True)
        if found is None:
            return gateway.problem(403, "Access Denied")
        s3, once = client("s3"), {"IfNoneMatch": "*"} if found.once else {}
        try:
            s3.put_object(
                Bucket=found.bucket, Key=found.key, Body=body, ContentType=media_type, **once
            )
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return gateway.problem(412, "Precondition Failed")
        return gateway.Response(200, (), b"")

    def _found(self, path: str, query: str, *, upload: bool) -> _Object | None:
        found = self._given.get(f"{path}?{query}")
        is_it = found is not None and found.upload == upload
        return found if found and is_it and found.expires >= datetime.now(UTC) else None


def _object(bucket: str, key: str, query: str) -> _Object:
    given = {name: values[0] for name, values in parse_qs(query).items()}
    signed = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    expires = signed + timedelta(seconds=int(given["X-Amz-Expires"]))
    headers = [("content-type", given.get("response-content-type", "binary/octet-stream"))]
    if "response-content-disposition" in given:
        headers.append(("content-disposition", given["response-content-disposition"]))
    signed_headers = given["X-Amz-SignedHeaders"].split(";")
    upload, once = (name in signed_headers for name in ("content-length", "if-none-match"))
    return _Object(bucket, unquote(key), expires, tuple(headers), upload, once)
