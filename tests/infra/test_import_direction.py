"""Who may import whom: functions `ablage`, never each other; adapters know the domain."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
ROOMS = ("sync", "match", "api", "deliver", "webhook")
ADAPTERS = ("ablage.store", "ablage.mailbox", "ablage.change")
AWS = ("boto3", "botocore")
IMAP = ("imaplib", "imap_tools")
POWERTOOLS = ("aws_lambda_powertools",)
# Lines of the log are Powertools' by design.
NOT_DOMAIN = (*ADAPTERS, "ablage.observability", "ablage.queue_records")


def modules(*packages: str) -> list[str]:
    """Dotted names of every module of these packages."""
    found = []
    for package in packages:
        for path in sorted((FUNCTIONS / package).rglob("*.py")):
            parts = path.relative_to(FUNCTIONS).with_suffix("").parts
            found.append(".".join(parts).removesuffix(".__init__"))
    return found


def source(module: str) -> str:
    path = FUNCTIONS / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text()


def test_the_api_s_threads_know_the_tenant_they_act_for() -> None:
    """A pool of one's own would be denied all data on AWS, and works on this machine."""
    begun = {
        module
        for module in modules("api")
        for name in imports(source(module))
        if name.startswith(("concurrent.futures", "threading", "multiprocessing", "asyncio"))
    }

    assert begun == {"api.threads"}


def imports(text: str) -> Iterator[str]:
    """Every imported name in full, wherever in the module it stands."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def offending(names: list[str], *forbidden: str) -> list[str]:
    return [
        f"{module} imports {name}"
        for module in names
        for name in imports(source(module))
        if within(name, *forbidden)
    ]


def domain() -> list[str]:
    return [module for module in modules("ablage") if not within(module, *NOT_DOMAIN)]


def test_the_rooms_are_all_there() -> None:
    assert {module.split(".")[0] for module in modules(*ROOMS, "ablage")} == {*ROOMS, "ablage"}
    assert "ablage.matching" in domain()
    assert "ablage.store.table" not in domain()


@pytest.mark.parametrize(
    "text",
    [
        "import boto3.session",
        "from boto3 import client",
        "def late():\n    import boto3",
        "if True:\n    from boto3.dynamodb.types import Binary",
    ],
)
def test_an_import_is_found_wherever_it_hides(text: str) -> None:
    assert [name for name in imports(text) if within(name, "boto3")]


def test_a_name_that_only_begins_alike_is_another() -> None:
    assert not within("boto3_stubs", "boto3")


def test_nobody_imports_relatively() -> None:
    relative = [m for m in modules(*ROOMS, "ablage") for n in imports(source(m)) if n[0] == "."]

    assert relative == []


def test_ablage_imports_no_function() -> None:
    assert offending(modules("ablage"), *ROOMS) == []


@pytest.mark.parametrize("room", ROOMS)
def test_functions_do_not_import_each_other(room: str) -> None:
    others = [other for other in ROOMS if other != room]

    assert offending(modules(room), *others) == []


def test_the_domain_knows_no_adapter() -> None:
    assert offending(domain(), *ADAPTERS) == []


def test_the_domain_knows_no_service() -> None:
    assert offending(domain(), *AWS, *IMAP, *POWERTOOLS) == []


def test_only_the_store_knows_aws() -> None:
    others = [m for m in modules(*ROOMS, "ablage") if not within(m, "ablage.store")]

    assert offending(others, *AWS) == []


def test_only_the_mailbox_knows_imap() -> None:
    others = [m for m in modules(*ROOMS, "ablage") if not within(m, "ablage.mailbox")]

    assert offending(others, *IMAP) == []


def test_only_sync_talks_to_providers_and_to_dns_and_one_module_to_receivers() -> None:
    http = ("http.client", "urllib.request", "urllib3", "requests", "httpx")
    # the store talks to AWS
    talking = ("sync.identity", "sync.discovery", "webhook.post", "ablage.store")
    rest = [m for m in modules(*ROOMS, "ablage") if not within(m, *talking)]

    assert offending(rest, *http, "dns") == []
    assert offending(["sync.identity"], *http) != []


def test_store_and_mailbox_do_not_know_each_other() -> None:
    assert offending(modules("ablage/store"), "ablage.mailbox", "ablage.change") == []
    assert offending(modules("ablage/mailbox"), "ablage.store", "ablage.change") == []


def test_the_domain_reads_no_clock_and_makes_no_ids() -> None:
    asked = ("time", "uuid", "secrets", "random")
    clocks = ("datetime.now(", "datetime.utcnow(", "date.today(")

    assert offending(domain(), *asked) == []
    assert [m for m in domain() for clock in clocks if clock in source(m)] == []


def test_only_keys_spells_partition_keys() -> None:
    others = [m for m in modules(*ROOMS, "ablage") if m != "ablage.store.keys"]

    assert [module for module in others if '"T#' in source(module)] == []
