"""A mail too large for one PUT: its parts go up as they come, and it is there when the last one
is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from ablage.store.table import ConditionFailed

Part = dict[str, Any]


class Multipart:
    """Parts may be put side by side. `client` is a botocore S3 client."""

    def __init__(self, client: Any, upload: dict[str, str]) -> None:
        self._client = client
        self._upload = upload

    def put(self, number: int, data: bytes) -> Part:
        """`number` from 1; each part but the last has at least 5 MiB (S3's limit)."""
        answer = self._client.upload_part(
            **self._upload, PartNumber=number, Body=data, ChecksumAlgorithm="CRC32"
        )
        checksum = {"ChecksumCRC32": answer["ChecksumCRC32"]} if "ChecksumCRC32" in answer else {}
        return {"PartNumber": number, "ETag": answer["ETag"]} | checksum

    def complete(self, parts: list[Part], *, over: bool = False) -> bool:
        """False when the key is taken; with `over` it takes the place of whatever lies there.
        Raises ConditionFailed while another writer is at it."""
        condition = {} if over else {"IfNoneMatch": "*"}
        try:
            self._client.complete_multipart_upload(
                **self._upload, MultipartUpload={"Parts": parts}, **condition
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalRequestConflict":
                raise ConditionFailed from error
            if code not in {"PreconditionFailed", "412"}:
                raise
            self.abort()
            return False
        return True

    def abort(self) -> None:
        self._client.abort_multipart_upload(**self._upload)


@contextmanager
def multipart(
    client: Any, bucket: str, key: str, metadata: dict[str, str], content_type: str
) -> Iterator[Multipart]:
    """Aborted when anything fails before its completion."""
    started = client.create_multipart_upload(
        Bucket=bucket,
        Key=key,
        ContentType=content_type,
        ChecksumAlgorithm="CRC32",
        ChecksumType="FULL_OBJECT",
        Metadata=metadata,
    )
    upload = Multipart(client, {"Bucket": bucket, "Key": key, "UploadId": started["UploadId"]})
    try:
        yield upload
    except BaseException:
        upload.abort()
        raise
