"""The live checks' own logic: they run, they can fail, and they say what to do.

moto enforces no IAM, so here every denial has to fail; what moto does carry is held against the
stack as it is made from the template.
"""

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from infra.local.stack import LocalStack
from infra.local.webhook_receiver import WebhookReceiver
from infra.smoke import __main__ as smoke
from infra.smoke import isolation, paths, webhooks, wiring
from infra.smoke.live import CHECKS, Failed, Live, NotShown, denied, expect

CARRIED = {  # by moto, of what the applier makes of the template
    wiring.dead_letters,
    wiring.queue_policy,
    wiring.sealed_queues,
    wiring.notification,
    wiring.lifecycle,
    wiring.public,
    wiring.table,
    wiring.rotation,
    paths.written_once,
    paths.conditional,
    paths.unknown,
    isolation.own,
}


HOOKS = (webhooks.told, webhooks.refused)


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebhookReceiver]:
    made = WebhookReceiver(lambda _line: None)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def stack(receiver: WebhookReceiver) -> Iterator[LocalStack]:
    with LocalStack(local_hosts=[receiver.authority]) as running:
        receiver.start(running.certificates.server_context())
        yield running


@pytest.fixture
def live(stack: LocalStack) -> Iterator[Live]:
    made = dict(stack.resources.resolver.made)
    iam = boto3.client("iam")
    for role in ("DataRole", "ApiRole", "MatchRole", "SyncRole"):
        made[role] = role
        try:
            iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
            document = '{"Version": "2012-10-17", "Statement": []}'
            iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document)
        except ClientError:  # there already
            pass
    session = boto3.session.Session(region_name="eu-central-1")
    outputs = {"ApiUrl": stack.base_url}
    live = Live(session, "ablage", made, outputs, stack.token("acme"), wait=lambda _: None)
    yield live
    live.close()


def told(live: Live, *checks: Any) -> tuple[int, list[str]]:
    out = io.StringIO()
    code = smoke.run(live, [(name, c) for name, c in CHECKS if c in checks], out)
    return code, out.getvalue().splitlines()


def test_there_are_some_thirty_checks_each_with_a_name_of_its_own() -> None:
    names = [name for name, _ in CHECKS]

    assert 30 <= len(names) == len(set(names)) <= 45
    assert len({check for _, check in CHECKS}) == len(names)


def test_what_moto_carries_holds_for_the_stack_of_the_template(live: Live) -> None:
    code, lines = told(live, *CARRIED)

    assert [line for line in lines[:-1] if not line.startswith("held")] == []
    assert code == 0
    assert lines[-1] == f"{len(CARRIED)} held, 0 FAILED, 0 not shown"


def test_without_iam_every_denial_fails(live: Live) -> None:
    claims = {c for _, c in CHECKS if c.__module__ == isolation.__name__} - CARRIED
    claims -= {isolation.tampered, isolation.seal, isolation.opening, isolation.objects}

    code, lines = told(live, *claims)

    assert code == 1
    assert [line for line in lines[:-1] if not line.startswith("FAILED")] == []


def test_a_webhook_is_sent_a_test_call_and_taken_away(
    live: Live, stack: LocalStack, receiver: WebhookReceiver
) -> None:
    live.hook, live.wait = receiver.url, lambda _: stack.drain() and None

    assert told(live, *HOOKS) == (0, [*(f"held       {n}" for n, c in CHECKS if c in HOOKS),
                                      "2 held, 0 FAILED, 0 not shown"])  # fmt: skip

    assert paths.call(live, "/v1/webhooks", live.token)[1]["items"] == []


def test_a_webhook_that_nobody_sends_fails_and_is_taken_away(
    live: Live, receiver: WebhookReceiver
) -> None:
    live.hook = receiver.url

    code, lines = told(live, webhooks.told)

    assert (code, lines[0][:6]) == (1, "FAILED")
    assert "nothing was sent" in lines[0]
    assert paths.call(live, "/v1/webhooks", live.token)[1]["items"] == []


@pytest.mark.parametrize("scopes", [[], ["read", "manage"]])
def test_without_a_token_for_webhooks_they_are_not_shown(
    live: Live, stack: LocalStack, scopes: list[str]
) -> None:
    live.token = stack.token("acme", scopes) if scopes else ""

    code, lines = told(live, *HOOKS)

    assert (code, lines[-1]) == (1, "0 held, 0 FAILED, 2 not shown")
    assert "mailboxes:all" in lines[0]


def test_a_webhook_goes_to_the_stack_itself_unless_told_otherwise() -> None:
    live = Live(boto3.session.Session(), "s", {}, {"ApiUrl": "https://api.example"})

    assert live.hook_url == "https://api.example/v1/smoke"


def test_tokens_are_tried_good_and_bad(live: Live) -> None:
    assert told(live, paths.refused, paths.accepted)[0] == 0

    live.token = ""
    code, lines = told(live, paths.refused, paths.accepted)

    assert code == 1
    assert lines[-1] == "1 held, 0 FAILED, 1 not shown"
    assert "SMOKE_TOKEN" in lines[1]


@pytest.mark.parametrize(
    ("break_it", "check"),
    [
        ("lifecycle", wiring.lifecycle),
        ("notification", wiring.notification),
        ("public", wiring.public),
        ("dead", wiring.dead_letters),
    ],
)
def test_a_stack_that_differs_is_found(live: Live, break_it: str, check: Any) -> None:
    s3, raw = live.client("s3"), live.resources["RawBucket"]
    sqs = live.client("sqs")
    dead = live.resources["MatchDeadLetterQueue"]
    if break_it == "lifecycle":
        before = s3.get_bucket_lifecycle_configuration(Bucket=raw)["Rules"]
        s3.delete_bucket_lifecycle(Bucket=raw)
    elif break_it == "notification":
        before = s3.get_bucket_notification_configuration(Bucket=raw)
        s3.put_bucket_notification_configuration(Bucket=raw, NotificationConfiguration={})
    elif break_it == "public":
        before = s3.get_public_access_block(Bucket=raw)["PublicAccessBlockConfiguration"]
        s3.delete_public_access_block(Bucket=raw)
    else:
        sqs.send_message(QueueUrl=dead, MessageBody="dead")

    code, lines = told(live, check)

    if break_it == "lifecycle":
        s3.put_bucket_lifecycle_configuration(Bucket=raw, LifecycleConfiguration={"Rules": before})
    elif break_it == "notification":
        before.pop("ResponseMetadata")
        s3.put_bucket_notification_configuration(Bucket=raw, NotificationConfiguration=before)
    elif break_it == "public":
        s3.put_public_access_block(Bucket=raw, PublicAccessBlockConfiguration=before)
    else:
        sqs.purge_queue(QueueUrl=dead)
    assert (code, lines[0][:6]) == (1, "FAILED")


def test_nothing_of_a_run_stays(live: Live) -> None:
    told(live, isolation.own, paths.conditional, paths.written_once)
    live.close()

    items = live.client("dynamodb").scan(TableName=live.table)["Items"]
    left = live.client("s3").list_objects_v2(Bucket=live.resources["ArchiveBucket"])
    roles = live.client("iam").list_roles()["Roles"]
    assert not [item for item in items if live.tenant in item["pk"]["S"]]
    assert not [o for o in left.get("Contents", []) if live.tenant in o["Key"]]
    assert not [role for role in roles if "smoke" in role["RoleName"]]


# ---- before it begins ----------------------------------------------------------------------------


def begun(arguments: list[str]) -> tuple[int, str]:
    out = io.StringIO()
    return smoke.main(arguments, {}, out), out.getvalue()


@pytest.mark.parametrize("arguments", [[], [""], [" "], ["a", "b"]])
def test_without_a_stack_it_says_how_to_name_one(arguments: list[str]) -> None:
    assert begun(arguments) == (2, smoke.USAGE + "\n")


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    assert begun(["ablage"]) == (2, smoke.CREDENTIALS + "\n")


class Cloud:
    """CloudFormation as a session's only service: `stacks` by name."""

    def __init__(self, **stacks: dict[str, str]) -> None:
        self.stacks = stacks

    def client(self, _: str) -> "Cloud":
        return self

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803  boto3's name
        if StackName not in self.stacks:
            raise error("ValidationError")
        return {"Stacks": [{"Outputs": [{"OutputKey": "ApiUrl", "OutputValue": "https://x"}]}]}

    def get_paginator(self, _: str) -> "Cloud":
        return self

    def paginate(self, StackName: str) -> Iterator[Any]:  # noqa: N803  same
        for logical, physical in self.stacks[StackName].items():
            found = {"LogicalResourceId": logical, "PhysicalResourceId": physical}
            yield {"StackResourceSummaries": [found]}


def test_a_stack_that_is_not_there_is_named() -> None:
    with pytest.raises(smoke.Refused, match="The stack absent cannot be read"):
        smoke.of_stack(Cloud(), "absent", "")  # type: ignore[arg-type]  a stand-in


def test_a_stack_s_resources_are_read_from_all_pages() -> None:
    cloud = Cloud(ablage={"Table": "t-1", "RawBucket": "r-1"})

    live = smoke.of_stack(cloud, "ablage", "token")  # type: ignore[arg-type]  a stand-in

    assert live.resources == {"Table": "t-1", "RawBucket": "r-1"}
    assert (live.outputs, live.token) == ({"ApiUrl": "https://x"}, "token")


# ---- verdicts ------------------------------------------------------------------------------------


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "Get")


def test_only_a_denial_is_a_denial() -> None:
    def answers(code: str) -> None:
        raise error(code)

    denied(answers, code="AccessDeniedException")
    with pytest.raises(Failed, match="ValidationException"):
        denied(answers, code="ValidationException")
    with pytest.raises(Failed, match="allowed"):
        denied(lambda: None)


@pytest.mark.parametrize(
    ("raised", "verdict"),
    [
        (None, "held"),
        (Failed("x"), "FAILED"),
        (NotShown("x"), "not shown"),
        (error("Throttling"), "FAILED"),
        (OSError("x"), "FAILED"),
        (KeyError("x"), "FAILED"),
    ],
)
def test_each_outcome_has_its_verdict(raised: Exception | None, verdict: str) -> None:
    def check(_: Live) -> None:
        if raised:
            raise raised

    found, _ = smoke.verdict_of(None, check)  # type: ignore[arg-type]  no check looks at it

    assert found == verdict


def test_what_never_comes_fails_after_a_while() -> None:
    waited: list[float] = []
    live = Live(boto3.session.Session(), "s", {}, {}, wait=waited.append)

    with pytest.raises(Failed, match="late"):
        live.until(lambda: None, "too late")

    assert sum(waited) == 60
    expect(True, "")
