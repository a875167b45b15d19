"""What holds every test's AWS calls to the template's roles: whose a call is, what IAM says."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.asks import asks
from tests.support.role_guard import OF_BOTH, guard
from tests.support.roles import Ask, Role, UnknownOperatorError, functions

from ablage.store.aws import client
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import Storage, acting_for
from ablage.tenancy import TenantId

ROOT = Path(__file__).parents[2]
ACME = TenantId("acme")
SECRET = ("T#acme#SECRET#anna", "SECRET")


def made_by(module: str, work: Callable[[], object]) -> list[tuple[str, str, str, str]]:
    """Function, role, action and resource of what is refused when code of `module` does `work`."""
    exec(compile("work()", module, "exec"), {"__name__": module, "work": work})
    return [
        (call.function, call.role, ask.action, ask.resource)
        for call in guard.refused()
        for ask in call.refused
    ]


def test_every_room_of_a_function_is_known() -> None:
    rooms = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}

    assert {module.partition(".")[0] for module in functions()} == rooms
    assert set(functions()) == {f"{room}.handler" for room in rooms} | {"sync.dispatch"}


def test_what_a_role_does_not_allow_is_its_function_s(aws: Storage) -> None:
    assert made_by("match.late", lambda: aws.queues.match({})) == [
        ("MatchFunction", "MatchRole", "sqs:SendMessage", "MatchQueue")
    ]
    assert made_by("match.late", lambda: aws.table.get(SECRET)) == [
        ("MatchFunction", "MatchRole", "dynamodb:GetItem", "Table")
    ]
    assert made_by("sync.walk", lambda: aws.table.get(SECRET)) == []
    aws.queues.match({})
    assert guard.refused() == []


def test_an_operation_nobody_wrote_down_is_refused(aws: Storage) -> None:
    refused = made_by("sync.walk", lambda: client("dynamodb").list_tables())

    assert refused == [("SyncFunction", "SyncRole", "dynamodb:ListTables", "?")]


def test_dispatch_is_a_function_of_its_own_in_the_room_of_sync(aws: Storage) -> None:
    def send() -> None:
        aws.queues.webhooks([])
        aws.queues.backfill(ACME, {})

    source = (ROOT / "functions" / "sync" / "dispatch.py").read_text()

    assert set(re.findall(r"(?:from|import) (sync\.\w+)", source)) == set(OF_BOTH)
    assert made_by("sync.dispatch", send) == []
    assert made_by("sync.poll", send) == [
        ("SyncFunction", "SyncRole", "sqs:SendMessage", "BackfillQueue")
    ]


def test_a_pool_s_threads_call_for_whoever_hands_them_work(aws: Storage) -> None:
    with ThreadPoolExecutor(1) as pool:

        def hand_over() -> None:
            pool.submit(aws.queues.match, {}).result()

        refused = made_by("match.imports", hand_over)
        hand_over()

    assert refused == [("MatchFunction", "MatchRole", "sqs:SendMessage", "MatchQueue")]
    assert guard.refused() == []


def test_what_a_test_does_meanwhile_is_its_own(aws: Storage) -> None:
    def overtake(**_: Any) -> None:
        aws.queues.match({})

    client("dynamodb").meta.events.register_first("before-call.dynamodb.GetItem", overtake)

    assert made_by("match.late", lambda: aws.table.get(("T#acme#TENANT", "POLICY"))) == []


def test_a_mail_that_is_put_past_botocore_is_seen(aws: Storage) -> None:
    key = RawKey("30d", ACME, "anna", "0" * 16, 1, 1)
    metadata = RawMetadata("2026-11-20T10:00:00Z")

    assert made_by("sync.walk", lambda: aws.raw.put(key, b"mail", metadata)) == []
    assert made_by("match.late", lambda: aws.raw.put(key, b"mail", metadata)) == [
        ("MatchFunction", "MatchRole", "s3:PutObject", f"RawBucket/{key.text}")
    ]


def test_data_of_the_api_is_its_session_s_tenant_s_also_behind_links(aws: Storage) -> None:
    def look(tenant: str) -> None:
        aws.table.get((f"T#{tenant}#TENANT", "POLICY"))
        aws.archive.link(TenantId(tenant), "m", "s")

    with acting_for(ACME):
        assert made_by("api.handler", lambda: look("acme")) == []
        assert made_by("api.handler", lambda: look("acme2")) == [
            ("ApiFunction", "DataRole", "dynamodb:GetItem", "Table"),
            ("ApiFunction", "DataRole", "s3:GetObject", "ArchiveBucket/archive/acme2/m/s.eml"),
        ]
    assert {role for _, role, *_ in made_by("api.handler", lambda: look("acme"))} == {"ApiRole"}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, (ROOT / "functions", ROOT, folder)))
    return subprocess.run(
        [sys.executable, "-m", *arguments], check=False, cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip


REFUSED = "MatchFunction: MatchRole may not sqs:SendMessage on MatchQueue"


def test_a_test_whose_call_is_refused_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_refused.py").write_text(
        "def test_it(aws):\n"
        "    exec('aws.queues.match({})', {'__name__': 'match.late', 'aws': aws})\n"
    )

    ran = run(tmp_path, "pytest", "-p", "no:cacheprovider", "-c", "pyproject.toml", str(tmp_path))

    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "1 failed" in ran.stdout
    assert REFUSED in ran.stdout


def test_a_process_of_its_own_whose_call_is_refused_says_so(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        "from tests.support.aws import fresh_aws\n"
        "from ablage.store.storage import storage\n"
        "with fresh_aws():\n"
        "    exec('storage().queues.match({})', {'__name__': 'match.late', 'storage': storage})\n"
    )

    ran = run(tmp_path, "tests.support.under_roles", "job")

    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert REFUSED in ran.stderr


# ---- IAM -----------------------------------------------------------------------------------------


def allows(condition: dict[str, Any], *values: str, tenant: str = "") -> bool:
    statement = {"Effect": "Allow", "Action": "s:Get", "Resource": "R/*", "Condition": condition}
    context = (("key", values),) if values else ()
    return Role([statement]).allows(Ask("s:Get", "R/1", context), tenant)


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ({"StringEquals": {"key": "a"}}, ["a"], True),
        ({"StringEquals": {"key": ["b", "a"]}}, ["a"], True),
        ({"StringEquals": {"key": "a"}}, [], False),
        ({"StringNotEquals": {"key": "a"}}, ["b"], True),
        ({"StringNotEquals": {"key": "a"}}, ["a"], False),
        ({"StringNotEquals": {"key": "a"}}, [], True),
        ({"StringLike": {"key": "a*"}}, ["ab"], True),
        ({"StringLike": {"key": "a*"}}, ["ba"], False),
        ({"Null": {"key": "false"}}, ["a"], True),
        ({"Null": {"key": "false"}}, [], False),
        ({"Null": {"key": "true"}}, [], True),
        ({"ForAllValues:StringLike": {"key": ["a*", "b"]}}, ["ab", "b"], True),
        ({"ForAllValues:StringLike": {"key": ["a*", "b"]}}, ["ab", "c"], False),
        ({"ForAllValues:StringLike": {"key": ["a*"]}}, [], True),
        ({"ForAnyValue:StringLike": {"key": "a*"}}, ["c", "ab"], True),
        ({"ForAnyValue:StringLike": {"key": "a*"}}, [], False),
        ({"StringEquals": {"key": "a"}, "Null": {"other": "false"}}, ["a"], False),
    ],
)
def test_conditions_are_iam_s(condition: Any, values: list[str], expected: bool) -> None:
    assert allows(condition, *values) is expected


def test_a_condition_nobody_wrote_down_is_an_error() -> None:
    with pytest.raises(UnknownOperatorError):
        allows({"IpAddress": {"key": "10.0.0.0/8"}}, "10.0.0.1")


def test_a_tag_stands_for_the_session_s_tenant_alone() -> None:
    condition = {"StringLike": {"key": "T#${aws:PrincipalTag/tenant}#*"}}

    assert allows(condition, "T#acme#X", tenant="acme")
    assert not allows(condition, "T#acme2#X", tenant="acme")
    assert not allows(condition, "T##X")


def test_nothing_is_allowed_by_itself_and_a_deny_outweighs() -> None:
    allow = {"Effect": "Allow", "Action": ["s:Get"], "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "s:Get", "Resource": "R/secret"}

    assert not Role([deny]).allows(Ask("s:Get", "R/1"))
    assert Role([deny, allow]).allows(Ask("s:Get", "R/1"))
    assert not Role([deny, allow]).allows(Ask("s:Get", "R/secret"))
    assert not Role([allow]).allows(Ask("s:Put", "R/1"))


def test_calls_ask_for_more_than_their_name_says(aws: Storage) -> None:
    bucket, place = aws.raw.bucket, {"Bucket": aws.raw.bucket, "Key": "raw/1"}

    def asked(operation: str, **parameters: Any) -> list[str]:
        return [f"{a.action} {a.resource}" for a in asks(f"s3:{operation}", place | parameters)]

    assert asked("HeadObject") == ["s3:GetObject RawBucket/raw/1", "s3:ListBucket RawBucket"]
    assert asked("UploadPart") == ["s3:PutObject RawBucket/raw/1"]
    assert asked("PutObject", IfNoneMatch="*") == ["s3:PutObject RawBucket/raw/1"]
    assert asked("PutObject", IfMatch="e") == [
        "s3:PutObject RawBucket/raw/1",
        "s3:GetObject RawBucket/raw/1",
    ]
    assert asked("CopyObject", CopySource=f"{bucket}/raw/2") == [
        "s3:GetObject RawBucket/raw/2",
        "s3:ListBucket RawBucket",
        "s3:PutObject RawBucket/raw/1",
    ]
