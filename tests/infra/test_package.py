"""What `make package` and `sam build` make, built by the same recipe for this machine: each
function imports and answers with nothing but that and what Lambda has. The recipe's pip needs the
network.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.support.aws import ENVIRONMENT
from tests.support.events import S3_TEST_EVENT, sqs_event
from tests.support.http_events import event

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
LAMBDA_HAS = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")
UNZIPPED_LIMIT, HELD_TO = 250 * 2**20, 100 * 2**20  # AWS; ours, well below

ME = event("GET", "/v1/me", claims={"tenant": "acme", "scope": "read", "sub": "anna"})
LATE = {"kind": "poll", "tenant": "acme", "accounts": ["a"], "minute": "2026-11-20T10:00:00Z",
        "second": 0, "interval": 5}  # fmt: skip
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "ApiFunction": ("api.handler", ME),
    "MatchFunction": ("match.handler", sqs_event(S3_TEST_EVENT)),
    "SyncFunction": ("sync.handler", sqs_event(LATE)),
    "DispatchFunction": ("sync.dispatch", {"time": "2026-11-20T10:00:00Z"}),
    "DeliverFunction": ("deliver.handler", {"Records": []}),
    "WebhookFunction": ("webhook.handler", {"Records": []}),
}
RUN = """
import importlib, json, sys
sys.path[:0] = json.loads(sys.argv[1])
class Context:
    function_name, memory_limit_in_mb, aws_request_id = "f", 1024, "r"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    get_remaining_time_in_millis = lambda self: 20_000
handler = importlib.import_module(sys.argv[2]).lambda_handler
strangers = [m for m in ("moto", "pytest", "jwt", "yaml") if importlib.util.find_spec(m)]
answer = handler(json.loads(sys.argv[3]), Context()) if sys.argv[4] == "ask" else None
print("\\n" + json.dumps([strangers, answer]))
"""


def built(function: str, folder: Path, *options: str) -> None:
    ran = subprocess.run(
        ["make", "-C", str(FUNCTIONS), f"build-{function}", f"PYTHON={sys.executable}",
         "PYTHON313=none", f"ARTIFACTS_DIR={folder}", "WHEELS=", *options],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if ran.returncode and not os.environ.get("REQUIRE_PACKAGES"):
        pytest.skip(f"the recipe could not fetch its packages: {ran.stderr[-300:]}")
    assert ran.returncode == 0, ran.stderr


def libraries() -> Path:
    """Built once for these requirements and this Python: fetching takes half a minute."""
    pins = (FUNCTIONS / "requirements.txt").read_bytes() + sys.version.encode()
    kept = ROOT / "build" / "native" / sha256(pins).hexdigest()[:16]
    if not kept.exists():
        making = kept.with_suffix(f".{os.getpid()}")
        making.mkdir(parents=True)
        built("ApiFunction", making)
        for room in ("ablage", "api"):
            shutil.rmtree(making / room)
        making.rename(kept)
    return kept


def lambdas_own(folder: Path) -> Path:
    """boto3 and what it needs, as links, and nothing else of this environment."""
    site = Path(boto3.__file__).parents[1]
    folder.mkdir()
    for name in LAMBDA_HAS:
        (folder / name).symlink_to(site / name)
    return folder


@contextmanager
def no_table() -> Iterator[str]:
    """The URL of a DynamoDB that has no table: what needs one fails at once."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"__type": "x#ResourceNotFoundException", "message": "no table"})
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(400)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_each_function_runs_on_its_package_and_what_lambda_has(tmp_path: Path) -> None:
    kept, own = libraries(), lambdas_own(tmp_path / "lambda")
    (tmp_path / "none.txt").touch()
    answers = {}

    with no_table() as url:
        for function, (module, asked) in ASKED.items():
            folder = tmp_path / function
            shutil.copytree(kept, folder, copy_function=os.link)
            built(function, folder, f"REQUIREMENTS={tmp_path / 'none.txt'}")
            assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < HELD_TO
            how = "import" if function == "DispatchFunction" else "ask"
            ran = subprocess.run(
                [sys.executable, "-I", "-S", "-c", RUN, json.dumps([str(folder), str(own)]),
                 module, json.dumps(asked), how],
                check=False, capture_output=True, text=True, cwd=tmp_path,
                env=ENVIRONMENT | {"AWS_ENDPOINT_URL": url},
            )  # fmt: skip
            assert ran.returncode == 0, ran.stderr
            strangers, answers[function] = json.loads(ran.stdout.splitlines()[-1])
            assert strangers == []

    assert answers["ApiFunction"]["statusCode"] == 200
    assert json.loads(answers["ApiFunction"]["body"])["tenant"] == "acme"
    others = set(ASKED) - {"ApiFunction", "DispatchFunction"}
    assert all(answers[name] == {"batchItemFailures": []} for name in others)
    assert HELD_TO < UNZIPPED_LIMIT
