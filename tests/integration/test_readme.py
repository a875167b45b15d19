"""The README's curl lines, as written, against `make serve`; and how serving begins and ends."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from infra.local.certificates import Certificates
from infra.local.imap_server import EmbeddedImap

ROOT = Path(__file__).parents[2]
READY_SECONDS = 180
MARK = "<!-- run by tests/integration/test_readme.py -->\n"
WHY = "<!-- run by tests/integration/test_readme.py, after the lines above -->\n"
MANY = "<!-- run by tests/integration/test_readme.py, last -->\n"
OWN = "<!-- run by tests/integration/test_readme.py, at the end -->\n"


@dataclass
class Serving:
    process: subprocess.Popen[str]
    folder: Path

    @property
    def told(self) -> dict[str, Any]:
        return json.loads((self.folder / ".local" / "serve.json").read_text())

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(120)


def serve(folder: Path, *options: str, **environment: str) -> Serving:
    under_roles = ("-m", "tests.support.under_roles")
    process = subprocess.Popen(
        [sys.executable, *under_roles, "infra.local.serve", "--empty", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + READY_SECONDS
    while not (folder / ".local" / "serve.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"serve did not start: {process.communicate()[0]}")
        time.sleep(0.1)
    return Serving(process, folder)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    yield from served(tmp_path)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One for tests that only look at it: a start costs seconds."""
    yield from served(tmp_path_factory.mktemp("untouched"))


def served(folder: Path) -> Iterator[Serving]:
    started = serve(folder)
    yield started
    code = started.stop(signal.SIGTERM)
    assert code == 0, started.process.communicate()[0]
    started.process.communicate()


def curl_lines(mark: str = MARK) -> str:
    found = re.search(re.escape(mark) + r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert found, "the README's curl lines are gone"
    return found[1]


def get(url: str, token: str = "", body: object = None) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = json.dumps(body).encode() if body else None
    headers |= {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_readme_curl_lines_lead_from_a_mailbox_to_an_archive(serving: Serving) -> None:
    script = (
        f"set -euo pipefail\n{curl_lines()}echo why\n{curl_lines(WHY)}echo many\n{curl_lines(MANY)}"
        f"echo own\n{curl_lines(OWN)}"
    )

    ran = subprocess.run(
        ["bash", "-c", script],
        check=False,
        cwd=serving.folder,
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    filed, _, more = ran.stdout.partition("\nwhy\n")
    why, _, last = more.partition("\nmany\n")
    many, _, own = last.partition("\nown\n")
    assert "Angebot 18" in own
    with zipfile.ZipFile(serving.folder / "Q-18.zip") as archive:
        (name,) = [name for name in archive.namelist() if name.startswith("messages/")]
        assert archive.read(name) == (serving.folder / "offer.eml").read_bytes()
    imported = json.loads(many.splitlines()[-1])
    assert (imported["total"], imported["failed"], imported["result"]) == (1, 0, {"updated": 1})
    assert imported["result_url"].startswith(serving.told["base_url"])
    archive = json.loads(filed.splitlines()[-1])
    assert [row["subject"] for row in archive["items"]] == ["Regale, Regale"]
    assert archive["items"][0]["origins"] == ["manual"]
    assert '"Re: Besuch am Donnerstag"' in ran.stdout
    assert '"ok"' in ran.stdout
    message, explained, trace = map(json.loads, why.splitlines())
    assert message["decision"]["explanation"] == "Filed by hand at quote Q-17."
    assert (explained["would_file"], explained["decision"]["reason"]) == ([], "no_match")
    assert trace["items"][0]["message"] == message["id"]
    assert traced(serving, message["message_id"]).count("Filed at quote Q-17") == 1


def traced(serving: Serving, mail_id: str) -> str:
    """What `make trace` prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "infra.local.trace", mail_id],
        check=True,
        cwd=serving.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return ran.stdout


def test_readme_shows_ten_curl_lines_and_a_real_command() -> None:
    text = (ROOT / "README.md").read_text()

    assert 8 <= len(curl_lines().splitlines()) <= 14
    assert set(re.findall(r"^make (\w[\w-]*)", text, re.M)) <= set(
        re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    )


def test_serving_tells_where_it_is_to_this_user_alone(untouched: Serving) -> None:
    told = untouched.told
    files = [untouched.folder / ".local" / name for name in ("serve.json", "serve.env")]

    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    for tokens in told["tenants"].values():
        assert [*tokens["tokens"]][:-1] == ["read", "read+file", "read+file+manage"]
        assert [*tokens["tokens"]][-1] == "read+file+manage+mailboxes:all"
    assert told["imap"]["users"]
    assert Path(told["imap"]["ca_file"]).exists()


def test_tokens_reach_as_far_as_their_scopes(untouched: Serving) -> None:
    tokens = untouched.told["tenants"]["demo"]["tokens"]
    url = untouched.told["base_url"]

    status, me = get(f"{url}/v1/me", tokens["read"])
    refused, _ = get(f"{url}/v1/me")

    assert (status, json.loads(me)["tenant"], json.loads(me)["scopes"]) == (200, "demo", ["read"])
    assert refused == 401


def test_docs_show_every_route_without_a_network(untouched: Serving) -> None:
    status, page = get(untouched.told["docs_url"])
    _, openapi = get(untouched.told["openapi_url"])

    paths = json.loads(openapi)["paths"]
    assert status == 200
    assert all(path in page.decode() for path in paths)
    loads = rb'<script|<link|@import|url\(|(?:src|href|action) *= *["\']?https?:'
    assert not re.search(loads, page)


@pytest.fixture
def private_server(tmp_path: Path) -> Iterator[EmbeddedImap]:
    """A mail server of somebody else, on an address of this machine."""
    server = EmbeddedImap(Certificates(tmp_path / "theirs"))
    server.add_user("eva@intern.example", "secret")
    yield server
    server.stop()


def status_of_private(serving: Serving, server: EmbeddedImap) -> list[str | None]:
    url, token = serving.told["base_url"], serving.told["tenants"]["demo"]["tokens"]
    login = {"username": "eva@intern.example", "password": "secret"}
    account = {"id": "eva", "address": "eva@intern.example", "host": server.host} | login
    get(f"{url}/v1/accounts", token["read+file+manage"], account | {"port": server.port})
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        seen = json.loads(get(f"{url}/v1/accounts/eva", token["read"])[1])
        if seen["status"] != "syncing":
            break
        time.sleep(0.2)
    return [seen["status"], seen["status_code"]]


def test_a_private_mail_server_is_refused(serving: Serving, private_server: EmbeddedImap) -> None:
    assert status_of_private(serving, private_server) == ["degraded", "address_refused"]


def test_a_private_mail_server_is_admitted_by_its_flag(
    tmp_path: Path, private_server: EmbeddedImap
) -> None:
    allowed = f"{private_server.host}:{private_server.port}"
    trusted = {"SSL_CERT_FILE": str(private_server.ca_file)}
    serving = serve(tmp_path, "--allow-private", allowed, **trusted)

    try:
        assert status_of_private(serving, private_server) == ["ok", None]
    finally:
        serving.stop(signal.SIGTERM)
        serving.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_ends_cleanly_when_asked(tmp_path: Path, number: int) -> None:
    serving = serve(tmp_path)

    code = serving.stop(number)

    said = serving.process.communicate()[0]
    assert code == 0, said
    assert "Traceback" not in said
    assert list((tmp_path / ".local").iterdir()) == []


@pytest.mark.parametrize("arguments", [["--allow-private", "mail.intern"], ["--port", "x"]])
def test_serving_refuses_what_it_cannot_read(arguments: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "infra.local.serve", *arguments],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ran.returncode == 2
    assert "usage: make serve" in ran.stderr
