"""What was deployed is what the template says, asked of AWS itself."""

import json
from typing import Any

from infra.smoke.live import Live, check, expect

FUNCTIONS = (
    "DispatchFunction",
    "SyncFunction",
    "MatchFunction",
    "ApiFunction",
    "DeliverFunction",
    "WebhookFunction",
)
BUCKETS = ("RawBucket", "ArchiveBucket")
QUEUES = ("SyncQueue", "BackfillQueue", "MatchQueue", "WebhookQueue")


def attributes(live: Live, queue: str) -> dict[str, str]:
    asked = {"QueueUrl": live.resources[queue], "AttributeNames": ["All"]}
    return dict(live.client("sqs").get_queue_attributes(**asked)["Attributes"])


@check("recursion is detected and ended for every function")
def loops(live: Live) -> None:
    for function in FUNCTIONS:
        name = live.resources[function]
        found = live.client("lambda").get_function_recursion_config(FunctionName=name)
        expect(found["RecursiveLoop"] == "Terminate", f"{function}: {found['RecursiveLoop']}")


@check("functions run on arm64 with python3.13, each with its own role and log")
def functions(live: Live) -> None:
    found = {name: live.client("lambda").get_function_configuration(
        FunctionName=live.resources[name]) for name in FUNCTIONS}  # fmt: skip
    for name, config in found.items():
        runs = (config["Runtime"], config["Architectures"])
        expect(runs == ("python3.13", ["arm64"]), f"{name}: {runs}")
    expect(len({config["Role"] for config in found.values()}) == len(FUNCTIONS), "a shared role")
    logs = {config["LoggingConfig"]["LogGroup"] for config in found.values()}
    expect(len(logs) == len(FUNCTIONS), "a shared log")


@check("no function but the API has the data role")
def data_role(live: Live) -> None:
    for name in FUNCTIONS:
        config = live.client("lambda").get_function_configuration(FunctionName=live.resources[name])
        has = "DATA_ROLE_ARN" in config.get("Environment", {}).get("Variables", {})
        expect(has == (name == "ApiFunction"), name)


@check("no setting of a test machine is deployed")
def no_local_settings(live: Live) -> None:
    for name in FUNCTIONS:
        config = live.client("lambda").get_function_configuration(FunctionName=live.resources[name])
        variables = config.get("Environment", {}).get("Variables", {})
        local = {"MAIL_CA_FILE", "MAIL_LOCAL_HOSTS", "OAUTH_LOCAL_URL", "OAUTH_LOCAL_MAIL"}
        expect(not local & variables.keys(), name)


@check("only API Gateway may invoke the API's function")
def invocation(live: Live) -> None:
    name = live.resources["ApiFunction"]
    policy = json.loads(live.client("lambda").get_policy(FunctionName=name)["Policy"])
    services = [statement["Principal"] for statement in policy["Statement"]]
    expect(services == [{"Service": "apigateway.amazonaws.com"}], f"{services}")


@check("queues feed their functions, failures are reported one by one")
def sources(live: Live) -> None:
    fed = {"SyncFunction": 2, "MatchFunction": 1, "WebhookFunction": 1}
    for function, count in fed.items():
        asked = {"FunctionName": live.resources[function]}
        found = live.client("lambda").list_event_source_mappings(**asked)["EventSourceMappings"]
        expect(len(found) == count, f"{function}: {len(found)} sources")
        for source in found:
            expect(source["State"] == "Enabled", f"{function}: {source['State']}")
            reports = source.get("FunctionResponseTypes", [])
            expect("ReportBatchItemFailures" in reports, f"{function}: whole batches fail")


@check("the schedule ticks")
def schedule(live: Live) -> None:
    name = f"{live.stack}-every-minute"
    found = live.client("scheduler").get_schedule(Name=name)
    expect((found["State"], found["ScheduleExpression"]) == ("ENABLED", "rate(1 minute)"), "off")


@check("queues give up into their dead-letter queues, which are empty")
def dead_letters(live: Live) -> None:
    for queue in QUEUES:
        dead = attributes(live, queue.replace("Queue", "DeadLetterQueue"))
        redrive = json.loads(attributes(live, queue).get("RedrivePolicy", "{}"))
        expect(redrive.get("deadLetterTargetArn") == dead["QueueArn"], f"{queue}: goes elsewhere")
        expect(dead["ApproximateNumberOfMessages"] == "0", f"{queue} has dead letters")


@check("the raw bucket alone may announce mail to the match queue")
def queue_policy(live: Live) -> None:
    policy = json.loads(attributes(live, "MatchQueue")["Policy"])
    (statement,) = policy["Statement"]
    bucket = f":s3:::{live.resources['RawBucket']}"
    expect(statement["Principal"] == {"Service": "s3.amazonaws.com"}, "another principal")
    source = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    expect(str(source).endswith(bucket), f"from {source}")


@check("queues are encrypted")
def sealed_queues(live: Live) -> None:
    for queue in QUEUES:
        expect(attributes(live, queue).get("SqsManagedSseEnabled") == "true", queue)


@check("the raw bucket tells the match queue of new mail")
def notification(live: Live) -> None:
    bucket = live.resources["RawBucket"]
    found = live.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    (queue,) = found.get("QueueConfigurations", [{}])
    wanted = attributes(live, "MatchQueue")["QueueArn"]
    expect(queue.get("QueueArn") == wanted, "it tells somebody else, or nobody")


@check("unfiled mail expires by its class, lent parts after a day, the archive never")
def lifecycle(live: Live) -> None:
    raw = _expiry(live, "RawBucket")
    expect(raw == {f"raw/{days}d/": days for days in (30, 90, 365)}, f"{raw}")
    archive = _expiry(live, "ArchiveBucket")
    kept = not any("archive/".startswith(prefix) for prefix in archive)
    expect(archive.get("parts/") == 1 and kept, f"{archive}")


def _expiry(live: Live, bucket: str) -> dict[str, int]:
    asked = live.client("s3").get_bucket_lifecycle_configuration(Bucket=live.resources[bucket])
    rules: list[dict[str, Any]] = asked["Rules"]
    return {
        _prefix(rule): rule["Expiration"]["Days"]
        for rule in rules
        if "Expiration" in rule and rule["Status"] == "Enabled"
    }


def _prefix(rule: dict[str, Any]) -> str:
    return str(rule.get("Filter", {}).get("Prefix", rule.get("Prefix", "")))


@check("the buckets are closed to the public")
def public(live: Live) -> None:
    for bucket in BUCKETS:
        found = live.client("s3").get_public_access_block(Bucket=live.resources[bucket])
        settings = found["PublicAccessBlockConfiguration"]
        expect(all(settings.values()) and len(settings) == 4, bucket)


@check("the table expires items, can be restored, and is not deleted by accident")
def table(live: Live) -> None:
    dynamodb, name = live.client("dynamodb"), {"TableName": live.table}
    expiry = dynamodb.describe_time_to_live(**name)["TimeToLiveDescription"]
    on = (expiry.get("TimeToLiveStatus"), expiry.get("AttributeName"))
    expect(on == ("ENABLED", "expires"), f"time to live: {on}")
    backups = dynamodb.describe_continuous_backups(**name)["ContinuousBackupsDescription"]
    restores = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    expect(restores == "ENABLED", "no point in time to go back to")
    expect(dynamodb.describe_table(**name)["Table"]["DeletionProtectionEnabled"], "unprotected")


@check("the key of secrets is rotated")
def rotation(live: Live) -> None:
    found = live.client("kms").get_key_rotation_status(KeyId=live.resources["SecretsKey"])
    expect(found["KeyRotationEnabled"], "it is not")


@check("the API verifies tokens itself, on every route, and throttles")
def authorizer(live: Live) -> None:
    gateway, api = live.client("apigatewayv2"), live.resources["HttpApi"]
    (found,) = gateway.get_authorizers(ApiId=api)["Items"]
    expect(found["AuthorizerType"] == "JWT", found["AuthorizerType"])
    routes = gateway.get_routes(ApiId=api, MaxResults="500")["Items"]
    without = [r["RouteKey"] for r in routes if r.get("AuthorizationType") != "JWT"]
    without += [r["RouteKey"] for r in routes if not r.get("AuthorizationScopes")]
    expect(routes and not without, f"open routes: {without}")
    (stage,) = gateway.get_stages(ApiId=api)["Items"]
    expect(stage["DefaultRouteSettings"].get("ThrottlingRateLimit"), "no throttle")
