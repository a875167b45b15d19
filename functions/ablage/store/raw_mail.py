"""Raw mail in S3: written once, read by key. The key says whose mail it is and where it came
from."""

import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import groupby
from os.path import commonprefix
from typing import Any

from botocore.exceptions import ClientError

from ablage.accounts import RETENTION_CLASSES
from ablage.errors import NotFound
from ablage.store.multipart import Multipart, multipart
from ablage.store.quick_put import Outcome, Puts, QuickPut, Then, stored
from ablage.tenancy import TenantId

_KEY = re.compile(
    r"raw/(?P<retention>[0-9]+d)/(?P<tenant>[a-z0-9][a-z0-9_-]{0,63})/(?P<account>@?[A-Za-z0-9._:-]{1,128})"
    r"/(?P<folder>[0-9a-f]{16})/(?P<uidvalidity>[0-9]{1,10})/(?P<uid>[0-9]{1,10})\.eml"
)
_FLAG = re.compile(r"[\x21-\x7e]{1,64}")
FLAGS_BYTES = 1024  # AWS allows 2 KB of user metadata in all
CONTENT_TYPE = "message/rfc822"
NOT_STORED = "not_stored"
PAGES = 30  # of 1,000 keys: among the first hundredth of a folder's UIDs most keys are of others


@dataclass(frozen=True)
class RawKey:
    """Where a raw mail lies: whose it is, and its place at the server."""

    retention: str
    tenant: TenantId
    account_id: str
    folder_id: str
    uidvalidity: int
    uid: int

    @property
    def text(self) -> str:
        return f"raw/{self.retention}/{self.tenant}/{self.copy_id}.eml"

    @property
    def copy_id(self) -> str:
        return f"{self.account_id}/{self.folder_id}/{self.uidvalidity}/{self.uid}"


def parse_key(text: str) -> RawKey | None:
    """None for an object that is not ours."""
    match = _KEY.fullmatch(text)
    if not match or match["retention"] not in RETENTION_CLASSES:
        return None
    return RawKey(
        match["retention"],
        TenantId(match["tenant"]),
        match["account"],
        match["folder"],
        int(match["uidvalidity"]),
        int(match["uid"]),
    )


@dataclass(frozen=True)
class RawMetadata:
    """`received_at` is INTERNALDATE as RFC 3339 UTC (`Z`); `role` as in `ablage.accounts.Folder`;
    `job` asked for it; `own` is the account's own address where it is ASCII, so that match can look
    it up before it knows the account; `stored_at` (epoch seconds) is when S3 took it, known when
    read; `body` is NOT_STORED where the header alone is."""

    received_at: str
    flags: tuple[str, ...] = ()
    role: str = ""
    job: str | None = None
    stored_at: int = field(default=0, compare=False)
    own: str = ""
    body: str = ""

    def wire(self) -> dict[str, str]:
        """S3 user metadata: printable ASCII; flags that are not are left out, and those beyond
        FLAGS_BYTES."""
        flags = " ".join(flag for flag in self.flags if _FLAG.fullmatch(flag))
        if len(flags) > FLAGS_BYTES:
            flags = flags[:FLAGS_BYTES].rpartition(" ")[0]
        wire = {"received": self.received_at, "flags": flags, "role": self.role}
        own = self.own if self.own.isascii() else ""
        more = {"job": self.job or "", "own": own, "body": self.body}
        return wire | {name: value for name, value in more.items() if value}

    @classmethod
    def from_wire(cls, wire: dict[str, str], stored_at: int = 0) -> "RawMetadata":
        flags = tuple(wire.get("flags", "").split())
        role, job = wire.get("role", ""), wire.get("job")
        own, body = wire.get("own", ""), wire.get("body", "")
        return cls(wire.get("received", ""), flags, role, job, stored_at, own, body)


class RawMail:
    """`client` is a botocore S3 client."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._quick = QuickPut(client, bucket)
        self.bucket = bucket

    def puts(self) -> Puts:
        """For one thread, to put many side by side."""
        return Puts(self._quick)

    def start(
        self,
        puts: Puts,
        key: RawKey,
        body: bytes,
        metadata: RawMetadata,
        then: Then,
        *,
        over: bool = False,
    ) -> None:
        """Store it unless it is there; `then` hears False when it was, else as `Puts.start`.
        `over`: the header alone lies there, and gives way."""
        headers = {f"x-amz-meta-{name}": value for name, value in metadata.wire().items()}
        headers["content-type"] = CONTENT_TYPE
        puts.start(key.text, body, headers, then, over=over)

    def put(self, key: RawKey, body: bytes, metadata: RawMetadata, *, over: bool = False) -> bool:
        """As `start`, to its end. Raises ClientError, OSError or HTTPException."""
        outcomes: list[Outcome] = []
        puts = self.puts()
        self.start(puts, key, body, metadata, outcomes.append, over=over)
        puts.finish()
        return stored(outcomes[0])

    def multipart(self, key: RawKey, metadata: RawMetadata) -> AbstractContextManager[Multipart]:
        """For a mail over SINGLE_PUT_BYTES."""
        return multipart(self._client, self.bucket, key.text, metadata.wire(), CONTENT_TYPE)

    def stored(self, keys: Iterable[RawKey]) -> set[RawKey]:
        """Which of these are there, as far as PAGES pages of S3's listing tell of each run of keys.
        Raises ClientError."""
        by_name = {key.text: key for key in keys}
        runs = groupby(sorted(by_name, key=lambda name: (len(name), name)), key=len)
        listed = {name for _, run in runs for name in self._listed(list(run))}
        return {key for name, key in by_name.items() if name in listed}

    def _listed(self, names: Sequence[str]) -> set[str]:
        """What is there from the first name to the last, and others in between: names sort as text,
        so that 10 to 99 stand among 100 to 999."""
        last, begin = names[-1], names[0][:-1]
        prefix = commonprefix([names[0], last])  # noqa: RUF071  of names, not of folders
        found: set[str] = set()
        for _ in range(PAGES):
            page = self._client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, StartAfter=begin)
            here = [each["Key"] for each in page.get("Contents", [])]
            found.update(here)
            begin = max(here, default=begin)
            if begin >= last or not page["IsTruncated"]:
                break
        return found

    def get(self, key: RawKey) -> tuple[bytes, RawMetadata]:
        """Raises NotFound `raw_missing`: expired, or never stored."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=key.text)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                raise NotFound("raw_missing", "The raw mail is no longer stored.") from error
            raise
        stored_at = int(answer["LastModified"].timestamp())
        return answer["Body"].read(), RawMetadata.from_wire(answer["Metadata"], stored_at)
