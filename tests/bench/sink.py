"""An S3 that keeps sizes only and answers after a while: `python -m tests.bench.sink DELAY_MS` as a
process of its own. Prints its port. `If-None-Match: *` holds; multipart uploads are taken;
what is there is listed.

`GET /figures` tells `{"objects": n, "bytes": n, "again": bytes of PUTs that were refused}`.
"""

import asyncio
import json
import re
import sys
from itertools import count
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = 1000

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DECODED = re.compile(rb"\r\nx-amz-decoded-content-length: *(\d+)", re.IGNORECASE)
_NEW_ONLY = re.compile(rb"\r\nif-none-match: *\*", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)


class Bucket:
    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.parts: dict[str, int] = {}
        self.again = 0
        self._numbers = count(1)

    def answer(self, method: str, target: str, size: int, *, new_only: bool) -> bytes:
        url = urlsplit(target)
        asked = parse_qs(url.query, keep_blank_values=True)
        upload = asked.get("uploadId", [""])[0]
        if url.path == "/figures":
            figures = {
                "objects": len(self.sizes),
                "bytes": sum(self.sizes.values()),
                "again": self.again,
            }
            return _response(200, json.dumps(figures).encode())
        if "list-type" in asked:
            return _response(200, self._listed(url.path, asked))
        if method == "POST" and "uploads" in asked:
            name = str(next(self._numbers))
            self.parts[name] = 0
            return _response(200, _xml("InitiateMultipartUploadResult", "UploadId", name))
        if method == "PUT" and upload:
            self.parts[upload] += size
            return _response(200, b"", b'ETag: "part"\r\n')
        if method == "DELETE":
            self.parts.pop(upload, None)
            return _response(204, b"")
        whole = self.parts.pop(upload) if upload else size
        if new_only and url.path in self.sizes:
            self.again += whole
            return _response(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        self.sizes[url.path] = whole
        body = _xml("CompleteMultipartUploadResult", "ETag", '"whole"') if upload else b""
        return _response(200, body, b'ETag: "whole"\r\n')

    def _listed(self, bucket: str, asked: dict[str, list[str]]) -> bytes:
        prefix, after = asked["prefix"][0], asked.get("start-after", [""])[0]
        names = (unquote(path).removeprefix(f"{bucket}/") for path in self.sizes)
        found = sorted(name for name in names if name.startswith(prefix) and name > after)
        rows = "".join(
            f"<Contents><Key>{name}</Key><ETag>whole</ETag></Contents>" for name in found[:PAGE]
        )
        more = str(len(found) > PAGE).lower()
        text = f"<IsTruncated>{more}</IsTruncated>{rows}"
        return f"<ListBucketResult>{text}</ListBucketResult>".encode()


def _xml(root: str, name: str, value: str) -> bytes:
    return f"<{root}><{name}>{value}</{name}></{root}>".encode()


def _response(status: int, body: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %d -\r\nx-amz-request-id: bench\r\nContent-Length: %d\r\n" % (
        status,
        len(body),
    )
    return head + more + b"\r\n" + body


class Talk(asyncio.Protocol):
    """One keep-alive connection; bodies are counted and dropped."""

    def __init__(self, bucket: Bucket, delay: float) -> None:
        self._bucket, self._delay = bucket, delay
        self._head = bytearray()
        self._left = 0
        self._request = ("", "", 0, False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._left:
            taken = min(self._left, len(data))
            self._left -= taken
            data = data[taken:]
            if not self._left:
                self._finish()
        if data:
            self._head += data
            self._begin()

    def _begin(self) -> None:
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return
        head, rest = bytes(self._head[:end]), bytes(self._head[end + 4 :])
        self._head.clear()
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        length = _LENGTH.search(head)
        self._left = int(length[1]) if length else 0
        size = _DECODED.search(head) or length
        new_only = _NEW_ONLY.search(head) is not None
        self._request = (method, target, int(size[1]) if size else 0, new_only)
        if _EXPECTS.search(head) and not rest:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._left:
            self._finish()
        elif rest:
            self.data_received(rest)

    def _finish(self) -> None:
        method, target, size, new_only = self._request
        answer = self._bucket.answer(method, target, size, new_only=new_only)
        asyncio.get_running_loop().call_later(self._delay, self._write, answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def main(delay_ms: float) -> None:
    bucket = Bucket()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Talk(bucket, delay_ms / 1000), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
