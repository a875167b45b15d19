"""The files of an export, in the archive bucket, gone after three days: the zip, and beside it what
the next slice needs to go on.

    work/<n>.entries  what slice n added: zip entries and manifest lines
    work/<n>.tail     bytes that are no part yet, after slice n
    work/<n>.state    the multipart upload as slice n left it

A slice writes files of its own number; which number counts stands in the job. A slice that was
killed is begun again and writes over what it left.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ablage.store.archive import LINK_SECONDS, ArchiveBucket
from ablage.store.parted_zip import Entry, PartedZip
from ablage.tenancy import TenantId

KEPT_DAYS = 3  # the lifecycle rule
ZIP_TYPE = "application/zip"
_ABSENT = ("403", "404", "NoSuchKey", "NotFound")

Line = dict[str, Any]


@dataclass(frozen=True)
class Added:
    """One message: its manifest line, and its zip entry if it has bytes."""

    line: Line
    entry: Entry | None


class ExportFiles:
    """Of one job."""

    def __init__(self, bucket: ArchiveBucket, tenant: TenantId, job_id: str) -> None:
        self._s3 = bucket.client
        self._bucket = bucket.bucket
        self._prefix = f"exports/{tenant}/{job_id}/"
        self._upload = ""

    def begin(self) -> PartedZip:
        started = self._s3.create_multipart_upload(**self._at("export.zip"), ContentType=ZIP_TYPE)
        self._upload = started["UploadId"]
        return PartedZip(self._put_part, [], 0, bytearray())

    def resume(self, number: int) -> PartedZip:
        """As slice `number` left it."""
        state = json.loads(self._read(f"work/{number:06d}.state"))
        self._upload = state["upload"]
        tail = bytearray(self._read(f"work/{number:06d}.tail"))
        return PartedZip(self._put_part, list(state["parts"]), int(state["offset"]), tail)

    def keep(self, number: int, zip_: PartedZip, added: Iterable[Added]) -> None:
        """After this the job may name slice `number`."""
        lines = (json.dumps([one.line, one.entry]) + "\n" for one in added)
        self._put(f"work/{number:06d}.entries", "".join(lines).encode())
        self._put(f"work/{number:06d}.tail", bytes(zip_.tail))
        state = {"upload": self._upload, "parts": zip_.parts, "offset": zip_.offset}
        self._put(f"work/{number:06d}.state", json.dumps(state).encode())

    def added(self, slices: int) -> Iterator[Added]:
        """What slices 1 to `slices` added, in order; one slice in memory at a time."""
        for number in range(1, slices + 1):
            for text in self._read(f"work/{number:06d}.entries").splitlines():
                line, entry = json.loads(text)
                yield Added(line, tuple(entry) if entry else None)

    def complete(self, zip_: PartedZip) -> None:
        parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(zip_.parts, 1)]
        self._s3.complete_multipart_upload(
            **self._at("export.zip"), UploadId=self._upload, MultipartUpload={"Parts": parts}
        )

    def is_there(self) -> bool:
        try:
            self._s3.head_object(**self._at("export.zip"))
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return False
            raise
        return True

    def link(self, name: str) -> str:
        """To the zip, to be saved under `name`, for LINK_SECONDS."""
        shown = {
            "ResponseContentType": ZIP_TYPE,
            "ResponseContentDisposition": f'attachment; filename="{name}"',
        }
        url: str = self._s3.generate_presigned_url(
            "get_object", Params=self._at("export.zip") | shown, ExpiresIn=LINK_SECONDS
        )
        return url

    def _put_part(self, number: int, data: bytes) -> str:
        answer = self._s3.upload_part(
            **self._at("export.zip"), UploadId=self._upload, PartNumber=number, Body=data
        )
        return str(answer["ETag"])

    def _at(self, name: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    def _put(self, name: str, body: bytes) -> None:
        self._s3.put_object(**self._at(name), Body=body)

    def _read(self, name: str) -> bytes:
        body: bytes = self._s3.get_object(**self._at(name))["Body"].read()
        return body
