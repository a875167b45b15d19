"""The stack under test: its resources, and its roles as somebody may borrow them."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403", "Forbidden"})
PATIENCE = 60  # seconds until a new role is known everywhere, or a mail is filed

Check = Callable[["Live"], None]
CHECKS: list[tuple[str, Check]] = []


class Failed(Exception):
    """The stack does not do what it should."""


class NotShown(Exception):
    """Something is missing that the check needs."""


def check(name: str) -> Callable[[Check], Check]:
    def register(made: Check) -> Check:
        CHECKS.append((name, made))
        return made

    return register


def expect(held: object, why: str) -> None:
    if not held:
        raise Failed(why)


def denied(call: Callable[..., Any], **request: Any) -> None:
    """Raises Failed unless IAM refused the call."""
    try:
        call(**request)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        expect(code in DENIED, f"answered {code}, not a denial")
    else:
        raise Failed("was allowed")


@dataclass
class Live:
    """`resources`: logical id -> physical id. `token`: of a tenant, for the API; may be empty.
    `hook`: where a webhook is sent to, by default the API. `partitions`: what the run wrote to,
    swept at its end."""

    session: boto3.session.Session
    stack: str
    resources: dict[str, str]
    outputs: dict[str, str]
    token: str = ""
    tenant: str = field(default_factory=lambda: f"smoke-{secrets.token_hex(6)}")
    wait: Callable[[float], None] = time.sleep
    hook: str = ""
    partitions: set[str] = field(default_factory=set)
    _borrowed: dict[str, boto3.session.Session] = field(default_factory=dict)
    _roles: list[str] = field(default_factory=list)

    def client(self, service: str, **more: Any) -> Any:
        return self.session.client(service, **more)

    @property
    def hook_url(self) -> str:
        """The API answers 404 there, which is an answer."""
        return self.hook or f"{self.outputs['ApiUrl']}/v1/smoke"

    @property
    def table(self) -> str:
        return self.resources["Table"]

    def until(self, probe: Callable[[], Any], why: str) -> Any:
        """What the probe finds within PATIENCE. Raises Failed."""
        for _ in range(PATIENCE // 2):
            if found := probe():
                return found
            self.wait(2)
        raise Failed(why)

    # ---- roles -----------------------------------------------------------------------------------

    def as_tenant(self, service: str) -> Any:
        """A client with the data role's policies, in a session of this run's tenant."""
        return self._session("DataRole", self.tenant).client(service)

    def as_nobody(self, service: str) -> Any:
        """The same without a tenant's tag."""
        return self._session("DataRole", "").client(service)

    def as_role(self, role: str, service: str) -> Any:
        return self._session(role, "").client(service)

    def _session(self, role: str, tenant: str) -> boto3.session.Session:
        """The very policies of the stack's role, which trusts the API alone, on a role that trusts
        this account for the run."""
        key = f"{role}/{tenant}"
        if key not in self._borrowed:
            arn = self._copy_of(role)
            tags = [{"Key": "tenant", "Value": tenant}] if tenant else []
            found = self.until(lambda: self._assumed(arn, tags), f"{role} cannot be borrowed")
            self._borrowed[key] = found
        return self._borrowed[key]

    def _copy_of(self, role: str) -> str:
        iam, original = self.client("iam"), self.resources[role]
        name = f"{self.stack}-smoke-{secrets.token_hex(4)}"
        account = self.client("sts").get_caller_identity()["Account"]
        partition = self.session.get_partition_for_region(self.session.region_name)
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        self._roles.append(name)
        for policy in iam.list_role_policies(RoleName=original)["PolicyNames"]:
            text = iam.get_role_policy(RoleName=original, PolicyName=policy)["PolicyDocument"]
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(text))
        return str(arn)

    def _assumed(self, arn: str, tags: list[dict[str, str]]) -> boto3.session.Session | None:
        try:
            answer = self.client("sts").assume_role(
                RoleArn=arn, RoleSessionName="smoke", DurationSeconds=900, Tags=tags
            )["Credentials"]
        except ClientError as error:
            if error.response["Error"]["Code"] in DENIED:
                return None
            raise
        return boto3.session.Session(
            aws_access_key_id=answer["AccessKeyId"],
            aws_secret_access_key=answer["SecretAccessKey"],
            aws_session_token=answer["SessionToken"],
            region_name=self.session.region_name,
        )

    def close(self) -> None:
        """Takes away what the run made: roles, items and objects of its tenant."""
        iam = self.client("iam")
        while self._roles:
            name = self._roles.pop()
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
            iam.delete_role(RoleName=name)
        self._sweep_items()
        self._sweep_objects()

    def _sweep_items(self) -> None:
        dynamodb = self.client("dynamodb")
        for partition in self.partitions:
            wanted = {"ExpressionAttributeValues": {":pk": {"S": partition}}}
            found = dynamodb.query(
                TableName=self.table, KeyConditionExpression="pk = :pk", **wanted
            )["Items"]
            for item in found:
                key = {name: item[name] for name in ("pk", "sk")}
                dynamodb.delete_item(TableName=self.table, Key=key)

    def _sweep_objects(self) -> None:
        s3 = self.client("s3")
        places = [("RawBucket", f"raw/30d/{self.tenant}/")]
        places += [("ArchiveBucket", f"{kind}/{self.tenant}/") for kind in ("archive", "parts")]
        for bucket, prefix in places:
            found = s3.list_objects_v2(Bucket=self.resources[bucket], Prefix=prefix)
            for thing in found.get("Contents", []):
                s3.delete_object(Bucket=self.resources[bucket], Key=thing["Key"])
