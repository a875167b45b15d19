"""The files of an import, in the archive bucket, gone after 30 days: what the tenant uploads, what
is absent from it, a result a line.

Results are put piece by piece, each named by the first line it tells of: a slice that was killed
and begins again puts the same piece. At the end they are one file.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from ablage.store.archive import LINK_SECONDS, ArchiveBucket
from ablage.tenancy import TenantId

MEDIA_TYPE = "application/x-ndjson"
UPLOAD_SECONDS = 15 * 60


class ImportFiles:
    """Of one job."""

    def __init__(self, bucket: ArchiveBucket, tenant: TenantId, job_id: str) -> None:
        self._s3 = bucket.client
        self._bucket = bucket.bucket
        self._prefix = f"imports/{tenant}/{job_id}/"

    def upload_link(self, size: int) -> str:
        """For a PUT of exactly `size` bytes of MEDIA_TYPE: both are signed."""
        where = self._at("lines.ndjson") | {"ContentType": MEDIA_TYPE, "ContentLength": size}
        return self._link("put_object", where, UPLOAD_SECONDS)

    def uploaded(self) -> tuple[int, str] | None:
        """Size in bytes and ETag of what was uploaded; None where nothing was."""
        try:
            found = self._s3.head_object(**self._at("lines.ndjson"))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("403", "404", "NoSuchKey", "NotFound"):
                return None
            raise
        return int(found["ContentLength"]), str(found["ETag"])

    def lines(self, etag: str) -> list[bytes] | None:
        """Without empty ones and a byte order mark; None where it is gone, or another upload."""
        found = self._read("lines.ndjson")
        if found is None or found[1] != etag:
            return None
        split = found[0].removeprefix(b"\xef\xbb\xbf").split(b"\n")
        return [stripped for line in split if (stripped := line.strip())]

    def keep_absent(self, absent: Sequence[tuple[str, int]]) -> None:
        self._put("absent.json", json.dumps(absent).encode())

    def absent(self) -> list[tuple[str, int]]:
        """Records to delete, each with the version that was seen."""
        found = self._read("absent.json")
        return [(entity, version) for entity, version in json.loads(found[0])] if found else []

    def put_results(self, first: int, results: Iterable[dict[str, Any]]) -> None:
        text = "".join(json.dumps(result, separators=(",", ":")) + "\n" for result in results)
        self._put(f"results/{first:08d}.ndjson", text.encode())

    def join_results(self) -> None:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}results/"
        )
        names = [found["Key"] for page in pages for found in page.get("Contents", [])]
        parts = [self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read() for key in names]
        self._put("results.ndjson", b"".join(parts))

    def results_link(self) -> str:
        """To the joined results, to be saved as a file, for LINK_SECONDS."""
        shown = {
            "ResponseContentType": MEDIA_TYPE,
            "ResponseContentDisposition": 'attachment; filename="results.ndjson"',
        }
        return self._link("get_object", self._at("results.ndjson") | shown, LINK_SECONDS)

    def _at(self, name: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    def _link(self, operation: str, parameters: dict[str, Any], seconds: int) -> str:
        url: str = self._s3.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)
        return url

    def _put(self, name: str, body: bytes) -> None:
        self._s3.put_object(**self._at(name), Body=body, ContentType=MEDIA_TYPE)

    def _read(self, name: str) -> tuple[bytes, str] | None:
        try:
            found = self._s3.get_object(**self._at(name))
        except self._s3.exceptions.NoSuchKey:
            return None
        return found["Body"].read(), str(found["ETag"])
