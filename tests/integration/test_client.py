"""docs/openapi.json makes a typed Python client; the README's example is written with it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from infra.local import serve
from infra.local.serve_mailbox import fill_mailbox
from infra.local.stack import LocalStack

ROOT = Path(__file__).parents[2]
MARK = "<!-- run by tests/integration/test_client.py -->\n"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated package and the README's example."""
    folder = tmp_path_factory.mktemp("build")
    (folder / "client.yml").write_text("package_name_override: ablage_client\npost_hooks: []\n")
    generate = ["generate", "--path", str(ROOT / "docs" / "openapi.json"), "--fail-on-warning"]
    options = ["--meta", "none", "--config", "client.yml", "--output-path", "ablage_client"]
    run(folder, "-m", "openapi_python_client", *generate, *options)
    (folder / "example.py").write_text(example())
    return folder


def example() -> str:
    found = re.search(MARK + r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert found, "the README's example is gone"
    return found[1]


def run(folder: Path, *arguments: str, **environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)} | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def checked(build: Path, file: str) -> str:
    options = ["--config-file=", "--strict", "--follow-imports=silent"]
    return run(build, "-m", "mypy", *options, file, MYPYPATH=str(build))


def test_the_example_fits_the_clients_types(build: Path) -> None:
    assert "no issues" in checked(build, "example.py")


def test_a_wrong_field_does_not_fit_them(build: Path) -> None:
    """Else the case above would show nothing."""
    (build / "wrong.py").write_text(example().replace('host=os.environ["IMAP_HOST"]', "host=1"))

    with pytest.raises(AssertionError, match="arg-type"):
        checked(build, "wrong.py")


EVENTS = """
from ablage_client.models import DeliveryView, EmailFiled, OtherEvent

KNOWN = {"id": "x", "status": "pending", "attempts": 0, "tried_at": None, "http_status": None,
         "code": None, "detail": None, "ms": 0}
TOLD = {"id": "0" * 32, "at": "2026-11-26T10:15:02.123Z"}

def where(delivery: DeliveryView) -> str:
    return delivery.event.entity_id if isinstance(delivery.event, EmailFiled) else ""

filed = {"type": "EmailFiled", "message": "m", "entity_type": "quote", "entity_id": "Q-17"}
print(where(DeliveryView.from_dict({**KNOWN, "event": {**TOLD, **filed}})))
tomorrow = DeliveryView.from_dict({**KNOWN, "event": {**TOLD, "type": "OfTomorrow", "more": 1}})
print(isinstance(tomorrow.event, OtherEvent))
"""


def test_a_deliverys_event_has_a_type_of_its_own_also_one_to_come(build: Path) -> None:
    (build / "events.py").write_text(EVENTS)

    assert "no issues" in checked(build, "events.py")
    assert run(build, "events.py").split() == ["Q-17", "True"]


def test_the_example_leads_from_a_mailbox_to_its_archive(build: Path) -> None:
    with LocalStack() as stack:
        user = fill_mailbox(stack)
        stack.run()
        variables = serve.shell_variables(stack, serve.description(stack), user)
        told = dict(re.findall(r"(\w+)='?([^'\n]*)", variables))

        shown = run(build, "example.py", **told)

    assert "Besuch am Donnerstag" in shown
    assert "AccountDetail" in shown
