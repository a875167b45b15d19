"""The applier: what behaves is made or refused by name, never left out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from infra.local.applier import Stack, apply
from infra.local.aws import client, local_aws
from infra.local.intrinsics import TemplateError
from infra.local.tokens import AUDIENCE, ISSUER

PARAMETERS = {"JwtIssuer": ISSUER, "JwtAudience": AUDIENCE}


@pytest.fixture
def moto() -> Iterator[None]:
    with local_aws():
        yield


@pytest.fixture
def stack(moto: None) -> Stack:
    return apply(parameters=PARAMETERS)


def write(tmp_path: Path, resources: dict[str, object]) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(
        yaml.safe_dump({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})
    )
    return path


def test_the_table_has_its_index_expiry_and_backups(stack: Stack) -> None:
    dynamodb, name = client("dynamodb"), stack.ref("Table")

    table = dynamodb.describe_table(TableName=name)["Table"]
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]

    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["due"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    status = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    assert status == "ENABLED"


def test_the_raw_bucket_expires_its_classes_and_is_private(stack: Stack) -> None:
    s3, name = client("s3"), stack.ref("RawBucket")

    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    public = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]

    days = {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules[:3]}
    assert days == {"raw/30d/": 30, "raw/90d/": 90, "raw/365d/": 365}
    assert set(public.values()) == {True}


def test_raw_mail_is_announced_and_nothing_else(stack: Stack) -> None:
    s3, sqs = client("s3"), client("sqs")
    queue = stack.ref("MatchQueue")
    sqs.purge_queue(QueueUrl=queue)

    s3.put_object(Bucket=stack.ref("RawBucket"), Key="raw/30d/t/a/f/1/1.eml", Body=b"x")
    s3.put_object(Bucket=stack.ref("RawBucket"), Key="other/1.eml", Body=b"x")

    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert len(messages) == 1
    assert "ObjectCreated:Put" in messages[0]["Body"]


def test_functions_are_told_the_names_of_what_was_made(stack: Stack) -> None:
    environment = stack.environment

    assert environment["TABLE_NAME"] == stack.ref("Table")
    assert environment["MATCH_QUEUE_URL"] == stack.ref("MatchQueue")
    assert environment["SECRETS_KEY_ID"] == stack.ref("SecretsKey")
    assert environment["TENANT_CLAIM"] == "tenant"


def test_what_only_linters_check_is_listed(stack: Stack) -> None:
    assert {"SyncRole", "MatchAgeAlarm", "ApiPermission", "RawBucketPolicy"} <= set(stack.linted)


@pytest.mark.parametrize(
    ("kind", "properties", "named"),
    [
        (
            "AWS::SQS::Queue",
            {"VisibilityTimeout": 30, "RedriveAllowPolicy": {"redrivePermission": "denyAll"}},
            "Thing: RedriveAllowPolicy",
        ),
        (
            "AWS::S3::Bucket",
            {"ReplicationConfiguration": {}},
            "Thing: ReplicationConfiguration",
        ),
        (
            "AWS::S3::Bucket",
            {"LifecycleConfiguration": {"Rules": [{"Id": "a", "Status": "Enabled", "Tag": {}}]}},
            "Thing.LifecycleConfiguration.Rules: Tag",
        ),
        (
            "AWS::DynamoDB::Table",
            {"KeySchema": [], "KinesisStreamSpecification": {}},
            "Thing: KinesisStreamSpecification",
        ),
        (
            "AWS::KMS::Key",
            {"KeyPolicy": {}, "MultiRegion": True},
            "Thing: MultiRegion",
        ),
        (
            "AWS::Lambda::Function",
            {"Handler": "a.b", "Environment": {}, "VpcConfig": {}},
            "Thing: VpcConfig",
        ),
        ("AWS::SNS::Topic", {}, "Thing: AWS::SNS::Topic"),
        ("AWS::SQS::Queue", {"VisibilityTimeout": {"Fn::Select": [0, [1]]}}, "Fn::Select"),
    ],
)
def test_what_is_not_carried_stops_with_its_name(
    moto: None, tmp_path: Path, kind: str, properties: dict[str, object], named: str
) -> None:
    template = write(tmp_path, {"Thing": {"Type": kind, "Properties": properties}})

    with pytest.raises(TemplateError) as stopped:
        apply(template)

    assert str(stopped.value) == named


def test_resources_are_made_after_what_they_refer_to(moto: None, tmp_path: Path) -> None:
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
    template = write(
        tmp_path,
        {
            "Alive": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": redrive}},
            "Dead": {"Type": "AWS::SQS::Queue", "Properties": {}},
        },
    )

    made = apply(template)

    told = client("sqs").get_queue_attributes(
        QueueUrl=made.ref("Alive"), AttributeNames=["RedrivePolicy"]
    )
    assert "Dead" in told["Attributes"]["RedrivePolicy"]


def test_a_circle_is_named(moto: None, tmp_path: Path) -> None:
    def queue(other: str) -> dict[str, object]:
        return {"Type": "AWS::SQS::Queue", "Properties": {}, "DependsOn": other}

    template = write(tmp_path, {"A": queue("B"), "B": queue("A")})

    with pytest.raises(ValueError, match="A, B"):
        apply(template)
