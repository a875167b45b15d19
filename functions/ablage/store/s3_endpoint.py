"""One bucket as a botocore client would reach it, for requests that go past botocore: its URL,
signatures with the function's own credentials, and botocore's events `before-send` and
`response-received`. What mocks or counts botocore's calls sees these requests too."""

import functools
import threading
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from ablage.store.aws import credentials
from ablage.store.sigv4 import signed_put

_resolving = threading.Lock()


class S3Endpoint:
    """`client` is a botocore S3 client, which may be made when it is first called."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @functools.cached_property
    def _emit(self) -> Any:
        return self._client.meta.events.emit

    @functools.cached_property
    def _region(self) -> str:
        return str(self._client.meta.region_name)

    @functools.cached_property
    def base(self) -> SplitResult:
        return urlsplit(_resolved(self._client, self._bucket))

    def signed(self, path: str, headers: dict[str, str]) -> dict[str, str]:
        """`headers` as they are sent with a PUT now."""
        frozen = credentials().get_frozen_credentials()
        headers["host"] = self.base.netloc
        return signed_put(path, headers, frozen, self._region, time.time())

    def before_send(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes] | None:
        """The answer of what stands in for S3; None where nothing does."""
        url = f"{self.base.scheme}://{self.base.netloc}{path}"
        request = AWSPreparedRequest("PUT", url, headers, body, False)
        for _, answer in self._emit("before-send.s3.PutObject", request=request):
            if answer is not None:
                return answer.status_code, answer.content
        return None

    def received(self, status: int) -> None:
        self._emit("response-received.s3.PutObject", response_dict={"status_code": status})


def _resolved(client: Any, bucket: str) -> str:
    """The bucket's URL as this client resolves it: region, addressing style, endpoint of its own.
    Taken from a call that is answered here, before it is sent."""
    urls: list[str] = []

    def take(params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        urls.append(params["url"])
        return AWSResponse(params["url"], 200, {}, None), {}

    with _resolving:
        client.meta.events.register_first("before-call.s3.HeadBucket", take)
        try:
            client.head_bucket(Bucket=bucket)
        finally:
            client.meta.events.unregister("before-call.s3.HeadBucket", take)
    return urls[0].rstrip("/")
