"""moto for other processes: an HTTP front on a free port, so that a client's CPU is its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from infra.local.aws import REGION, environment
from moto.core.models import botocore_stubber
from tests.support.aws import ENVIRONMENT, fresh_aws

_LOCK = threading.Lock()  # moto is not thread-safe
_DROPPED = {"connection", "content-length", "transfer-encoding"}


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self._pass_on()

    def do_GET(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        service = self.headers["Authorization"].split("/")[3]
        host = f"{service}.{REGION}.amazonaws.com"
        size = int(self.headers["Content-Length"] or 0)
        body = self.rfile.read(size)
        if len(body) < size:  # its sender was killed
            self.close_connection = True
            return
        headers = HeadersDict({**dict(self.headers.items()), "Host": host})
        with _LOCK:
            url = f"https://{host}{self.path}"
            asked = AWSPreparedRequest(self.command, url, headers, body, stream_output=False)
            answer = botocore_stubber("before-send", asked)
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.lower() not in _DROPPED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - same
        pass


@contextmanager
def aws_front() -> Iterator[str]:
    """The stack's resources on moto, in this process; the endpoint's URL."""
    with environment(ENVIRONMENT), fresh_aws():
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Front)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
