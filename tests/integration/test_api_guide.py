"""docs/api.md: every block of it runs as it stands; its tables are those of the code."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_readme import Serving, served

from ablage.limits import REQUEST_BYTES
from ablage.settings import Settings
from api.allowances import HEAVY
from api.routes import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
MARK = "<!-- run -->\n"


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    yield from served(tmp_path)


def blocks() -> list[str]:
    return re.findall(re.escape(MARK) + r"```sh\n(.*?)```", GUIDE, re.S)


def test_every_block_is_marked_to_be_run() -> None:
    assert len(blocks()) == GUIDE.count("\n```sh\n") == GUIDE.count(MARK) >= 8


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_guide_runs_as_it_stands(serving: Serving) -> None:
    script = "set -euo pipefail\n" + "echo '# block'\n".join(blocks())

    ran = subprocess.run(
        ["bash", "-c", script],
        check=False,
        cwd=serving.folder,
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    who, contacts, mailbox, filing, errors, versions, job, feed, hook, rest = ran.stdout.split(
        "# block\n"
    )
    assert '"scopes"' in who
    assert contacts.count('"stale"') == 2
    assert re.findall(r'"status": ?(\d+)', contacts) == ["201", "404"]
    assert '"status": "ok"' in mailbox or '"status":"ok"' in mailbox or '"syncing"' in mailbox
    assert '"origins"' in filing
    assert '"manual"' in filing
    found = re.findall(r'"code": ?"(\w+)"', errors)
    assert found == ["invalid_request", "unknown_parameter", "not_found"]
    assert '"/adresses"' in errors
    assert '"name": "Max K."' in versions or '"name":"Max K."' in versions
    assert re.findall(r'"code": ?"(\w+)"|"current_version": ?(\d+)', versions)[0][0]
    assert '"done"' in job
    assert '"more"' in feed
    assert "cursor" not in feed
    assert '"lag_seconds"' in hook
    assert "whsec_" not in hook
    assert hook.rstrip().endswith("204")
    assert "204" in rest
    assert '"calls"' in rest


def test_the_limits_told_are_those_of_the_code() -> None:
    known = {(each.method, each.path) for each in OPERATIONS}
    heavy = re.search(r"^\| heavy \| 60 \| (.*) \|$", GUIDE, re.M)

    assert heavy
    assert known >= HEAVY
    assert set(heavy[1].split(", ")) == {f"`{method} {path}`" for method, path in HEAVY}
    for name in ("read", "write", "heavy"):
        most = getattr(Settings, f"rate_{name}")
        assert f"\n| {name} | {most} |" in GUIDE


def test_the_longest_bodies_told_are_those_of_the_code() -> None:
    told = re.findall(r"^\| `(\w+ /v1/\S+)` \| (\d+) KiB \|$", GUIDE, re.M)

    assert dict(told) == {
        f"{each.method} {each.path}": str(each.body_bytes // 1024)
        for each in OPERATIONS
        if each.body_bytes != REQUEST_BYTES
    }
    assert f"| all others | {REQUEST_BYTES // 1024} KiB |" in GUIDE
