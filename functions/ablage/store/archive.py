"""Archive copies: the bytes of a filed message, one object per distinct content, kept until purged.

`archive/{tenant}/{message}/{sha256}.eml`: content-addressed, so writing twice changes nothing.
"""

from typing import Any

from botocore.exceptions import ClientError

from ablage.errors import Gone
from ablage.store.raw_mail import RawMail
from ablage.tenancy import TenantId

LINK_SECONDS = 60


def archive_key(tenant: TenantId, message_id: str, sha256: str) -> str:
    return f"archive/{tenant}/{message_id}/{sha256}.eml"


class ArchiveBucket:
    """`client` is a botocore S3 client."""

    def __init__(self, client: Any, bucket: str) -> None:
        self.client = client
        self.bucket = bucket

    def keep(self, raw: RawMail, raw_key: str, tenant: TenantId, message_id: str, sha: str) -> None:
        """Copies a raw mail into the archive, inside S3. Raises Gone `raw_expired`."""
        try:
            self.client.copy_object(
                Bucket=self.bucket,
                Key=archive_key(tenant, message_id, sha),
                CopySource={"Bucket": raw.bucket, "Key": raw_key},
                MetadataDirective="REPLACE",
                ContentType="message/rfc822",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404", "NotFound"):
                raise
            raise Gone(
                "raw_expired", "The mail is no longer kept. Sync its folder again, then file it."
            ) from error

    def read(self, tenant: TenantId, message_id: str, sha256: str) -> bytes:
        """Raises Gone `raw_expired`."""
        try:
            answer = self.client.get_object(
                Bucket=self.bucket, Key=archive_key(tenant, message_id, sha256)
            )
        except self.client.exceptions.NoSuchKey as error:
            raise Gone("raw_expired", "The mail is no longer kept.") from error
        body: bytes = answer["Body"].read()
        return body

    def link(self, tenant: TenantId, message_id: str, sha256: str) -> str:
        """A link to the bytes, valid for LINK_SECONDS."""
        url: str = self.client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket, "Key": archive_key(tenant, message_id, sha256)},
            ExpiresIn=LINK_SECONDS,
        )
        return url
