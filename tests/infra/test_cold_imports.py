"""What a function's start may load: modules, not milliseconds."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.aws import ENVIRONMENT

FUNCTIONS = Path(__file__).parents[2] / "functions"
STARTED = """
import gc, importlib, json, sys
importlib.import_module(sys.argv[1])
if not sys.argv[1].startswith(("deliver", "webhook")):
    from ablage.store.storage import storage
    assert not gc.isenabled()
    storage()
assert gc.isenabled()
THEN
from ablage.store import aws
print(json.dumps([sorted(sys.modules), aws._client.cache_info().currsize]))
"""
ROUTES = tuple(
    f"api.routes.{path.stem}" for path in (FUNCTIONS / "api" / "routes").glob("[!_]*.py")
)
PYDANTIC = ("pydantic", "pydantic_core", "ablage.record_bodies")
MAILBOX = ("imap_tools", "imaplib", "ablage.mailbox")
RARE = ("dns", "cryptography", "nh3", "idna", "publicsuffixlist")
BATCH = ("asyncio", "aws_lambda_powertools.utilities.data_classes")
# What loads one of these pays for it at every start.
SPARED = {
    "match.handler": (
        *(*PYDANTIC, *MAILBOX, *RARE, *BATCH),
        *("match.batches", "match.exports", "match.imports", "match.plans", "match.repair"),
        *("ablage.store.record_writes", "ablage.store.connections"),
    ),
    "sync.handler": (*PYDANTIC, *RARE, *BATCH, "sync.jobs", "sync.plain_jobs"),
    "sync.dispatch": (*PYDANTIC, *MAILBOX, *RARE, *BATCH),
    "deliver.handler": (*PYDANTIC, *MAILBOX, *RARE, *BATCH),
    "webhook.handler": (*PYDANTIC, *BATCH, "imap_tools", *RARE),
    "api.handler": (
        *ROUTES,
        *MAILBOX,
        *RARE,
        "ablage.record_bodies",
        "api.account_schemas",
    ),
}


@pytest.mark.parametrize("handler", SPARED)
def test_a_start_loads_nothing_of_what_other_events_need(handler: str) -> None:
    modules, clients = started(handler)

    assert {handler, "botocore", "aws_lambda_powertools"} <= modules
    assert "boto3" not in modules
    assert modules & set(SPARED[handler]) == set()
    assert clients == (0 if handler in ("deliver.handler", "webhook.handler") else 1)


def test_a_request_loads_the_routes_of_its_path_alone() -> None:
    loaded, _ = started("api.handler", "import api.routes; api.routes.find('GET', '/v1/webhooks')")

    assert loaded & set(ROUTES) == {"api.routes.webhooks"}
    assert loaded & {"api.openapi", "api.examples", "api.event_schemas", "jsonschema"} == set()


def test_what_is_spared_is_there() -> None:
    """A name that nobody has any more is spared by everybody."""
    names = {name for each in SPARED.values() for name in each}

    assert [name for name in sorted(names) if importlib.util.find_spec(name) is None] == []


def started(handler: str, then: str = "") -> tuple[set[str], int]:
    """Modules and clients of a process that is ready for its first event. The collector rests until
    then."""
    ran = subprocess.run(
        [sys.executable, "-c", STARTED.replace("THEN", then), handler],
        check=False, capture_output=True, text=True,
        env=ENVIRONMENT | {"PYTHONPATH": str(FUNCTIONS)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    modules, clients = json.loads(ran.stdout)
    return set(modules), clients
