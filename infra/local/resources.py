"""What the stack keeps, made in moto. A property nobody carries stops, by name."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.local.aws import REGION, client
from infra.local.intrinsics import TemplateError


class UnknownPropertyError(TemplateError):
    """The template asks for something that would be silently missing on this machine."""


class Properties:
    """The properties of one resource (or a part of one), taken one by one until nothing is left."""

    def __init__(self, logical_id: str, given: Mapping[str, Any]) -> None:
        self.logical_id = logical_id
        self._left = dict(given)

    def take(self, name: str, default: Any = None) -> Any:
        return self._left.pop(name, default)

    def has(self, name: str) -> bool:
        return name in self._left

    def part(self, name: str) -> "Properties":
        return Properties(f"{self.logical_id}.{name}", self._left.pop(name, {}))

    def parts(self, name: str) -> list["Properties"]:
        where = f"{self.logical_id}.{name}"
        return [Properties(where, given) for given in self._left.pop(name, [])]

    def ignore(self, *names: str) -> None:
        for name in names:
            self._left.pop(name, None)

    def done(self) -> None:
        """Raises UnknownPropertyError where something was not taken."""
        if self._left:
            raise UnknownPropertyError(f"{self.logical_id}: {', '.join(sorted(self._left))}")


@dataclass(frozen=True)
class Made:
    """What `Ref` and `Fn::GetAtt` answer for a resource."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


Maker = Callable[[str, Properties], Made]


def table(name: str, given: Properties) -> Made:
    dynamodb = client("dynamodb")
    request = {
        part: given.take(part)
        for part in ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    }
    if stream := given.take("StreamSpecification"):
        request["StreamSpecification"] = {"StreamEnabled": True} | stream
    encryption = given.part("SSESpecification")
    request["SSESpecification"] = {"Enabled": encryption.take("SSEEnabled", False)}
    request["DeletionProtectionEnabled"] = given.take("DeletionProtectionEnabled", False)
    expiry = given.take("TimeToLiveSpecification")
    backups = given.take("PointInTimeRecoverySpecification")
    encryption.done()
    given.done()
    made = dynamodb.create_table(TableName=name, **request)["TableDescription"]
    if expiry:
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    if backups:
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=backups)
    attributes = {"Arn": made["TableArn"]}
    if "LatestStreamArn" in made:
        attributes["StreamArn"] = made["LatestStreamArn"]
    return Made(name, attributes)


def event_bus(_name: str, given: Properties) -> Made:
    name = given.take("Name")
    given.done()
    made = client("events").create_event_bus(Name=name)
    return Made(name, {"Arn": made["EventBusArn"]})


def key(_name: str, given: Properties) -> Made:
    kms = client("kms")
    policy, about = json.dumps(given.take("KeyPolicy")), given.take("Description", "")
    rotation = given.take("EnableKeyRotation", False)
    given.done()
    made = kms.create_key(Policy=policy, Description=about)["KeyMetadata"]
    if rotation:
        kms.enable_key_rotation(KeyId=made["KeyId"])
    return Made(made["KeyId"], {"Arn": made["Arn"]})


QUEUE_ATTRIBUTES = (
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "SqsManagedSseEnabled",
    "RedrivePolicy",
    "DelaySeconds",
)


def queue(name: str, given: Properties) -> Made:
    sqs = client("sqs")
    taken = {attribute: given.take(attribute) for attribute in QUEUE_ATTRIBUTES}
    given.done()
    url = sqs.create_queue(
        QueueName=name,
        Attributes={a: _queue_text(value) for a, value in taken.items() if value is not None},
    )["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return Made(url, {"Arn": answer["Attributes"]["QueueArn"], "QueueName": name})


def _queue_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def queue_policy(name: str, given: Properties) -> Made:
    policy = json.dumps(given.take("PolicyDocument"))
    queues = given.take("Queues")
    given.done()
    for url in queues:
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return Made(name)


def bucket(name: str, given: Properties) -> Made:
    s3 = client("s3")
    name = given.take("BucketName", name)
    encryption = given.part("BucketEncryption")
    sealed = [_encryption(rule) for rule in encryption.parts("ServerSideEncryptionConfiguration")]
    encryption.done()
    lifecycle = given.part("LifecycleConfiguration")
    rules = [_lifecycle(rule) for rule in lifecycle.parts("Rules")]
    lifecycle.done()
    notification = given.part("NotificationConfiguration")
    announced = [_announce(queue) for queue in notification.parts("QueueConfigurations")]
    notification.done()
    public = given.take("PublicAccessBlockConfiguration")
    ownership = given.take("OwnershipControls")
    given.done()

    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": sealed})
    if public:
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=public)
    if ownership:
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=ownership)
    if rules:
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    if announced:
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"QueueConfigurations": announced}
        )
    return Made(name, {"Arn": f"arn:aws:s3:::{name}"})


def _encryption(rule: Properties) -> dict[str, Any]:
    default = rule.take("ServerSideEncryptionByDefault")
    rule.done()
    return {"ApplyServerSideEncryptionByDefault": default}


def _lifecycle(rule: Properties) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ID": rule.take("Id"),
        "Status": rule.take("Status"),
        "Filter": {"Prefix": rule.take("Prefix", "")},
    }
    if days := rule.take("ExpirationInDays"):
        made["Expiration"] = {"Days": days}
    if abort := rule.take("AbortIncompleteMultipartUpload"):
        made["AbortIncompleteMultipartUpload"] = abort
    rule.done()
    return made


def _announce(queue: Properties) -> dict[str, Any]:
    made: dict[str, Any] = {"QueueArn": queue.take("Queue"), "Events": [queue.take("Event")]}
    if chosen := queue.take("Filter"):
        made["Filter"] = {"Key": {"FilterRules": _lower_names(chosen["S3Key"]["Rules"])}}
    queue.done()
    return made


def _lower_names(rules: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"Name": rule["Name"].lower(), "Value": rule["Value"]} for rule in rules]


MAKERS: dict[str, Maker] = {
    "AWS::DynamoDB::Table": table,
    "AWS::Events::EventBus": event_bus,
    "AWS::KMS::Key": key,
    "AWS::SQS::Queue": queue,
    "AWS::SQS::QueuePolicy": queue_policy,
    "AWS::S3::Bucket": bucket,
}
