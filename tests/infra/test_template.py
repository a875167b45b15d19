"""What the template promises, read from what CloudFormation will see."""

import functools
import re
from dataclasses import fields
from fnmatch import fnmatchcase as fnmatch
from typing import Any

import pytest
from infra.local.intrinsics import references
from infra.local.translate import translate

from ablage.limits import SINGLE_PUT_BYTES
from ablage.observability import FILED_DELAY, POLL_LAG
from ablage.settings import Settings
from ablage.store import keys
from ablage.store.webhooks import LEASE_SECONDS, SECRET_KIND
from ablage.tenancy import TenantId
from sync.dispatch import BACKFILL_CONCURRENCY
from sync.poll import THREADS
from webhook.post import EXCHANGE_SECONDS
from webhook.tell import SLICE_SECONDS

LOCAL_ONLY = {"mail_ca_file", "mail_local_hosts", "oauth_local_url", "oauth_local_mail"}
FUNCTIONS = (
    "DispatchFunction",
    "SyncFunction",
    "MatchFunction",
    "ApiFunction",
    "DeliverFunction",
    "WebhookFunction",
)
ROUTES = """
read   GET    /v1/me
manage GET    /v1/usage
read   GET    /v1/policy
manage PUT    /v1/policy
read   GET    /v1/accounts
manage POST   /v1/accounts
manage POST   /v1/accounts/discover
read   GET    /v1/accounts/{account}
manage PATCH  /v1/accounts/{account}
manage DELETE /v1/accounts/{account}
manage POST   /v1/accounts/{account}/check
file   POST   /v1/accounts/{account}/sync
read   GET    /v1/accounts/{account}/folders
read   GET    /v1/accounts/{account}/messages
read   GET    /v1/accounts/{account}/runs
read   GET    /v1/accounts/{account}/completeness
read   GET    /v1/oauth/clients/{provider}
manage PUT    /v1/oauth/clients/{provider}
manage DELETE /v1/oauth/clients/{provider}
manage POST   /v1/oauth/authorizations
manage POST   /v1/oauth/callbacks
read   GET    /v1/jobs/{job}
read   GET    /v1/messages
file   POST   /v1/messages
read   GET    /v1/messages/{message}
read   GET    /v1/messages/{message}/attachments/{number}
read   POST   /v1/explain
read   GET    /v1/trace
read   GET    /v1/messages/{message}/html
read   GET    /v1/messages/{message}/raw
read   GET    /v1/messages/{message}/filings
file   PUT    /v1/messages/{message}/filings
file   PUT    /v1/messages/{message}/filings/{entity_type}/{entity_id}
file   DELETE /v1/messages/{message}/filings/{entity_type}/{entity_id}
file   PUT    /v1/messages/{message}/private
file   DELETE /v1/messages/{message}/private
file   POST   /v1/filings/batch
read   GET    /v1/review
file   PUT    /v1/review/{message}
read   GET    /v1/contacts
manage PUT    /v1/contacts/{contact}
read   GET    /v1/contacts/{contact}
manage DELETE /v1/contacts/{contact}
read   GET    /v1/customers
manage PUT    /v1/customers/{customer}
read   GET    /v1/customers/{customer}
manage DELETE /v1/customers/{customer}
manage POST   /v1/contacts/batch
manage POST   /v1/customers/batch
manage POST   /v1/records/batch
manage POST   /v1/imports
manage POST   /v1/imports/{job}/start
read   GET    /v1/customers/{customer}/contacts
read   GET    /v1/records/{entity_type}
manage PUT    /v1/records/{entity_type}/{entity_id}
read   GET    /v1/records/{entity_type}/{entity_id}
manage DELETE /v1/records/{entity_type}/{entity_id}
manage POST   /v1/contacts/{contact}/merge
read   POST   /v1/exports
read   POST   /v1/previews
manage POST   /v1/batches
manage POST   /v1/batches/{job}/undo
read   GET    /v1/changes
manage GET    /v1/webhooks
manage POST   /v1/webhooks
manage GET    /v1/webhooks/{webhook}
manage PATCH  /v1/webhooks/{webhook}
manage DELETE /v1/webhooks/{webhook}
manage POST   /v1/webhooks/{webhook}/secret
manage POST   /v1/webhooks/{webhook}/test
manage GET    /v1/webhooks/{webhook}/deliveries
manage POST   /v1/webhooks/{webhook}/replay
read   GET    /v1/blocklist
manage POST   /v1/blocklist
manage DELETE /v1/blocklist/{entry_id}
read   GET    /v1/archives/{entity_type}/{entity_id}
read   GET    /v1/archives/{entity_type}/{entity_id}/count
read   POST   /v1/archives/counts
"""

Properties = dict[str, Any]


@functools.cache
def template() -> dict[str, Any]:
    return translate()


def of_type(kind: str) -> dict[str, Properties]:
    return {
        name: resource["Properties"]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == kind
    }


def properties(name: str) -> Properties:
    return template()["Resources"][name]["Properties"]


def statements(role: str) -> list[Properties]:
    (policy,) = properties(role)["Policies"]
    return policy["PolicyDocument"]["Statement"]


def allowed(role: str) -> dict[str, set[str]]:
    """Action -> logical ids it is allowed on."""
    found: dict[str, set[str]] = {}
    for statement in statements(role):
        if statement["Effect"] == "Allow":
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                found.setdefault(action, set()).update(references(statement["Resource"]))
    return found


def roles_with(action: str) -> set[str]:
    return {role for role in of_type("AWS::IAM::Role") if action in allowed(role)}


def test_only_sync_opens_secrets_and_those_of_webhooks_who_tells_them() -> None:
    assert roles_with("kms:Decrypt") == {"SyncRole", "WebhookRole"}
    assert roles_with("kms:Encrypt") == {"ApiRole", "SyncRole"}


def test_only_sync_reads_the_stack_s_own_secrets_and_no_variable_holds_one() -> None:
    assert roles_with("ssm:GetParameter") == {"SyncRole"}
    variables = properties("SyncFunction")["Environment"]["Variables"]
    assert not [name for name in variables if "SECRET" in name and name != "SECRETS_KEY_ID"
                and name != "OAUTH_SECRETS_PATH"]  # fmt: skip


def test_secrets_are_used_only_with_their_whole_context() -> None:
    kinds: dict[str, dict[str, Any]] = {
        "ApiRole": {},
        "SyncRole": {"StringNotEquals": {"kms:EncryptionContext:kind": SECRET_KIND}},
        "WebhookRole": {"StringEquals": {"kms:EncryptionContext:kind": SECRET_KIND}},
    }
    for role, kind in kinds.items():
        (statement,) = [s for s in statements(role) if "kms:" in str(s["Action"])]
        named = ("tenant", "account") if "StringEquals" in kind else ("tenant", "account", "kind")

        assert statement["Condition"] == kind | {
            "Null": {f"kms:EncryptionContext:{name}": "false" for name in named}
        }


@pytest.mark.parametrize("role", ["MatchRole", "DataRole"])
def test_who_opens_no_secrets_does_not_read_their_items(role: str) -> None:
    (denied,) = [s for s in statements(role) if s["Effect"] == "Deny"]

    assert set(denied["Action"]) == {
        action for action in allowed(role) if re.match(r"dynamodb:(Get|BatchGet|Query)", action)
    }
    assert denied["Condition"]["ForAnyValue:StringLike"] == {"dynamodb:LeadingKeys": "T#*#SECRET#*"}


ITEMS = {"GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"}


def test_the_api_reaches_data_through_a_role_that_is_one_tenant_s() -> None:
    by_sid = {s["Sid"]: s for s in statements("DataRole")}
    items = by_sid["UseItemsOfTenant"]
    tag = "${!aws:PrincipalTag/tenant}"

    assert set(items["Action"]) == {f"dynamodb:{a}" for a in ITEMS}
    assert items["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}  # of no index
    assert items["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["T#${aws:PrincipalTag/tenant}#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    objects = {
        place["Fn::Sub"]
        for statement in by_sid.values()
        if "s3:GetObject" in statement["Action"]
        for place in listed(statement["Resource"])
    }
    assert objects == {
        *(f"${{RawBucket.Arn}}/raw/{days}/{tag}/*" for days in ("30d", "90d", "365d")),
        f"${{ArchiveBucket.Arn}}/archive/{tag}/*",
        f"${{ArchiveBucket.Arn}}/parts/{tag}/*",
        f"${{ArchiveBucket.Arn}}/imports/{tag}/*",
        f"${{ArchiveBucket.Arn}}/exports/{tag}/*",
    }
    assert not any("*/" in place for place in objects)  # it would span other tenants' prefixes


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_data_role_is_assumed_by_the_api_alone_and_for_a_tenant() -> None:
    (trust,) = properties("DataRole")["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"AWS": {"Fn::GetAtt": ["ApiRole", "Arn"]}}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert trust["Condition"] == {
        "StringLike": {"aws:RequestTag/tenant": "?*"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["tenant"]},
    }
    assert roles_with("sts:AssumeRole") == {"ApiRole"}
    variables = {
        name: function["Environment"]["Variables"].get("DATA_ROLE_ARN")
        for name, function in of_type("AWS::Lambda::Function").items()
    }
    assert {name for name, arn in variables.items() if arn} == {"ApiFunction"}


def test_the_api_s_own_role_reads_of_all_data_only_which_tenant_a_client_is_for() -> None:
    data = [s for s in statements("ApiRole") if re.search(r"dynamodb:|s3:", str(s["Action"]))]

    assert [(s["Sid"], s["Action"]) for s in data] == [("KnowClients", "dynamodb:GetItem")]
    assert data[0]["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["CLIENT#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def partitions(role: str) -> dict[str, tuple[list[str], set[str]]]:
    """Of a role bound to some: the patterns of its partitions, and what it may do there."""
    found = {}
    for statement in statements(role):
        if statement["Resource"] != {"Fn::GetAtt": ["Table", "Arn"]}:
            continue
        condition = statement["Condition"]
        assert condition["Null"] == {"dynamodb:LeadingKeys": "false"}
        keys = condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        found[statement["Sid"]] = (keys, set(listed(statement["Action"])))
    return found


def test_who_tells_webhooks_reaches_of_all_data_only_these_the_feed_and_their_secrets() -> None:
    writes = {f"dynamodb:{a}" for a in ("BatchGetItem", "PutItem", "UpdateItem", "DeleteItem")}

    assert partitions("WebhookRole") == {
        "KeepWebhooks": (["T#*#WEBHOOKS", "T#*#WEBHOOK#*"], writes | {"dynamodb:Query"}),
        "ReadFeed": (["T#*#FEED#*"], {"dynamodb:Query"}),
        "ReadSecrets": (["T#*#SECRET#@webhook-*"], {"dynamodb:GetItem"}),
    }
    assert partitions("DeliverRole") == {"KnowWebhooks": (["T#*#WEBHOOKS"], {"dynamodb:Query"})}
    assert fnmatch(keys.webhook_secret(TenantId("a"), "h")[0], "T#*#SECRET#@webhook-*")
    assert not fnmatch(keys.secret(TenantId("a"), "webhook-h")[0], "T#*#SECRET#@webhook-*")


def test_dispatch_reads_the_due_index_and_writes_its_checkpoint_alone() -> None:
    on_table = {a: on for a, on in allowed("DispatchRole").items() if a.startswith("dynamodb:")}
    (checkpoint,) = [s for s in statements("DispatchRole") if s["Sid"] == "KeepCheckpoint"]
    (due,) = [s for s in statements("DispatchRole") if s["Sid"] == "FindDue"]

    assert set(on_table) == {
        "dynamodb:Query",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
    }
    assert due["Resource"] == {"Fn::Sub": "${Table.Arn}/index/due"}
    assert checkpoint["Condition"]["ForAllValues:StringEquals"] == {
        "dynamodb:LeadingKeys": ["DISPATCH"]
    }


def test_no_function_writes_to_what_triggers_it() -> None:
    triggers: dict[str, set[str]] = {}
    for source in of_type("AWS::Lambda::EventSourceMapping").values():
        (function,) = references(source["FunctionName"])
        triggers.setdefault(function, set()).update(references(source["EventSourceArn"]))

    for function, queues in triggers.items():
        sends = allowed(function.replace("Function", "Role")).get("sqs:SendMessage", set())
        assert not sends & queues, function
    assert set(allowed("DeliverRole")) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "dynamodb:Query",
        "events:PutEvents",
        "sqs:SendMessage",
    }
    assert roles_with("events:PutEvents") == {"DeliverRole"}
    assert triggers == {
        "SyncFunction": {"SyncQueue", "BackfillQueue"},
        "MatchFunction": {"MatchQueue"},
        "DeliverFunction": {"Table"},
        "WebhookFunction": {"WebhookQueue"},
    }


def test_only_sync_puts_raw_mail_and_the_api_s_links_what_lies_in_no_mailbox() -> None:
    puts = {role: allowed(role).get("s3:PutObject", set()) for role in of_type("AWS::IAM::Role")}
    (lent,) = [s for s in statements("DataRole") if s["Sid"] == "LendUploads"]

    assert {role for role, on in puts.items() if "RawBucket" in on} == {"SyncRole", "DataRole"}
    place = "${RawBucket.Arn}/raw/30d/${!aws:PrincipalTag/tenant}/@api/*"
    assert lent["Resource"] == {"Fn::Sub": place}
    assert {role for role, on in puts.items() if "ArchiveBucket" in on} == {"MatchRole", "DataRole"}


def test_work_goes_only_where_the_plan_sends_it() -> None:
    sends = {role: allowed(role)["sqs:SendMessage"] for role in roles_with("sqs:SendMessage")}

    assert sends == {
        "DispatchRole": {"SyncQueue", "BackfillQueue", "MatchQueue", "WebhookQueue"},
        "DeliverRole": {"WebhookQueue"},
        "SyncRole": {"MatchQueue"},
        "ApiRole": {"SyncQueue", "MatchQueue", "WebhookQueue"},
    }


def test_functions_get_every_setting_and_none_of_this_machine() -> None:
    wanted = {each.name.upper() for each in fields(Settings) if each.name not in LOCAL_ONLY}

    for function in FUNCTIONS:
        only_api = set() if function == "ApiFunction" else {"DATA_ROLE_ARN"}
        assert properties(function)["Environment"]["Variables"].keys() == wanted - only_api
    assert not [name for name in LOCAL_ONLY if name.upper() in str(template())]


@pytest.mark.parametrize(
    ("queue", "visibility", "receives"),
    [("Sync", 720, 2), ("Backfill", 720, 2), ("Match", 360, 5), ("Webhook", 360, 3)],
)
def test_queues_have_the_planned_numbers(queue: str, visibility: int, receives: int) -> None:
    given = properties(f"{queue}Queue")

    assert given["VisibilityTimeout"] == visibility
    assert given["RedrivePolicy"]["maxReceiveCount"] == receives
    assert given["RedrivePolicy"]["deadLetterTargetArn"] == {
        "Fn::GetAtt": [f"{queue}DeadLetterQueue", "Arn"]
    }
    assert (
        properties(f"{queue}DeadLetterQueue")["MessageRetentionPeriod"]
        > given["MessageRetentionPeriod"]
    )


def test_functions_have_the_planned_timeouts() -> None:
    timeouts = {name: properties(name)["Timeout"] for name in FUNCTIONS}

    assert timeouts == {
        "DispatchFunction": 55,
        "SyncFunction": 120,
        "MatchFunction": 60,
        "ApiFunction": 29,
        "DeliverFunction": 60,
        "WebhookFunction": 60,
    }


def test_a_webhook_s_last_try_ends_before_its_function_and_that_before_its_lease() -> None:
    timeout = properties("WebhookFunction")["Timeout"]
    look_up = 20  # a resolver that hangs: 5 s, twice, of two servers

    assert SLICE_SECONDS + look_up + EXCHANGE_SECONDS <= timeout < LEASE_SECONDS


def test_sync_holds_the_mails_of_its_threads() -> None:
    """A mail in hand is in the read buffer and cut out of it; larger ones go on in parts."""
    given = properties("SyncFunction")
    in_hand = THREADS * 2 * SINGLE_PUT_BYTES

    assert given["MemorySize"] * 2**20 >= in_hand + 256 * 2**20
    assert "EphemeralStorage" not in given  # nothing lies in /tmp


def test_unfiled_mail_expires_by_its_class_and_unfinished_uploads_after_a_day() -> None:
    rules = properties("RawBucket")["LifecycleConfiguration"]["Rules"]

    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}
    assert expiring == {"raw/30d/": 30, "raw/90d/": 90, "raw/365d/": 365}
    for bucket in ("RawBucket", "ArchiveBucket"):
        assert {"DaysAfterInitiation": 1} in [
            rule.get("AbortIncompleteMultipartUpload")
            for rule in properties(bucket)["LifecycleConfiguration"]["Rules"]
        ]


def test_the_archive_never_expires_but_for_imports_exports_and_parts_taken_out() -> None:
    rules = properties("ArchiveBucket")["LifecycleConfiguration"]["Rules"]

    assert [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule] == [
        "exports/",
        "imports/",
        "parts/",
    ]


def test_buckets_are_private_sealed_and_answer_over_tls_alone() -> None:
    for bucket in ("RawBucket", "ArchiveBucket"):
        (statement,) = properties(f"{bucket}Policy")["PolicyDocument"]["Statement"]

        assert set(properties(bucket)["PublicAccessBlockConfiguration"].values()) == {True}
        assert "BucketEncryption" in properties(bucket)
        assert "VersioningConfiguration" not in properties(bucket)
        assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_new_raw_mail_is_announced_to_match_by_our_bucket_alone() -> None:
    (announced,) = properties("RawBucket")["NotificationConfiguration"]["QueueConfigurations"]
    (statement,) = properties("MatchQueuePolicy")["PolicyDocument"]["Statement"]

    assert announced["Queue"] == {"Fn::GetAtt": ["MatchQueue", "Arn"]}
    assert announced["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "raw/"}]
    name = properties("RawBucket")["BucketName"]["Fn::Sub"]
    assert statement["Condition"]["ArnEquals"] == {
        "aws:SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{name}"}
    }
    assert "aws:SourceAccount" in statement["Condition"]["StringEquals"]


def test_the_table_can_be_brought_back_and_forgets_what_expires() -> None:
    given = properties("Table")

    assert given["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert given["DeletionProtectionEnabled"] is True
    assert given["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    (index,) = given["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["Projection"]) == ("due", {"ProjectionType": "KEYS_ONLY"})


def test_routes_and_their_scopes_are_those_of_the_plan() -> None:
    found = {
        (scope["Fn::Sub"].removeprefix("${ScopePrefix}"), verb.upper(), path)
        for path, operations in properties("HttpApi")["Body"]["paths"].items()
        for verb, operation in operations.items()
        for scope in operation["security"][0]["jwt"]
    }

    assert found == {tuple(line.split()) for line in ROUTES.strip().splitlines()}


def test_every_route_stands_behind_the_token_check_and_reaches_the_api() -> None:
    body = properties("HttpApi")["Body"]
    operations = [op for path in body["paths"].values() for op in path.values()]

    assert len(operations) == len(ROUTES.strip().splitlines())
    for operation in operations:
        assert [list(scheme) for scheme in operation["security"]] == [["jwt"]]
        assert operation["x-amazon-apigateway-integration"] == {
            "$ref": "#/components/x-amazon-apigateway-integrations/api"
        }
    authorizer = body["components"]["securitySchemes"]["jwt"]["x-amazon-apigateway-authorizer"]
    assert authorizer["jwtConfiguration"] == {
        "issuer": {"Ref": "JwtIssuer"},
        "audience": {"Ref": "JwtAudience"},
    }


def test_one_permission_serves_all_routes() -> None:
    (permission,) = of_type("AWS::Lambda::Permission").values()

    assert permission["SourceArn"]["Fn::Sub"].endswith(":${HttpApi}/*/*")


def test_access_logs_hold_neither_query_nor_claims() -> None:
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
    named = set(re.findall(r"\$context\.([\w.]+)", stage["AccessLogSettings"]["Format"]))

    assert named
    assert not [name for name in named if re.search(r"path|query|claim|authorizer|identity", name)]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def test_the_schedule_ticks_every_minute_and_names_its_minute() -> None:
    (schedule,) = of_type("AWS::Scheduler::Schedule").values()

    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["Target"]["Input"] == '{"time": "<aws.scheduler.scheduled-time>"}'


def test_two_stacks_of_an_account_do_not_share_a_name() -> None:
    named = ("Name", "BucketName", "LogGroupName", "QueueName", "TableName", "RoleName")

    names = [
        given[name]
        for resource in template()["Resources"].values()
        for name in named
        if name in (given := resource.get("Properties", {}))
    ]

    assert len(names) >= 3
    assert [name for name in names if "${AWS::StackName}" not in str(name)] == []


def test_dead_letters_failing_functions_and_waiting_mail_raise_an_alarm() -> None:
    watched = {
        (alarm["MetricName"], next(references(alarm["Dimensions"][0]["Value"])))
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
    }

    assert watched == {
        *(
            ("ApproximateNumberOfMessagesVisible", f"{queue}DeadLetterQueue")
            for queue in ("Sync", "Backfill", "Match", "Webhook")
        ),
        *(("Errors", function) for function in FUNCTIONS),
        *(
            ("ApproximateAgeOfOldestMessage", queue)
            for queue in ("MatchQueue", "SyncQueue", "WebhookQueue")
        ),
        ("IteratorAge", "DeliverFunction"),
        *((metric, "AWS::StackName") for metric in (POLL_LAG, FILED_DELAY)),
    }


def test_a_stack_that_no_longer_tells_of_its_polls_raises_an_alarm() -> None:
    alarm = properties("PollLagAlarm")

    assert alarm["TreatMissingData"] == "breaching"
    assert (alarm["Namespace"], alarm["Dimensions"][0]["Name"]) == ("Ablage", "Stack")


def test_dispatch_knows_how_much_backfill_runs_at_once() -> None:
    source = properties("SyncFunctionBackfill")

    assert source["ScalingConfig"]["MaximumConcurrency"] == BACKFILL_CONCURRENCY
