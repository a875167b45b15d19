"""Our own cfn-lint rules: silent on the template, loud on each fault they are for."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import pytest
from cfnlint.rules import CloudFormationLintRule
from cfnlint.template import Template
from infra.local.translate import translate
from infra.rules.functions import FunctionsOwnTheirRoleAndLog
from infra.rules.queues import QueuesRedriveAndWait
from infra.rules.roles import RolesNameTheirActions
from infra.rules.stateful import StatefulResourcesAreRetained

RULES = (
    FunctionsOwnTheirRoleAndLog,
    QueuesRedriveAndWait,
    RolesNameTheirActions,
    StatefulResourcesAreRetained,
)
Resources = dict[str, Any]


@functools.cache
def translated() -> dict[str, Any]:
    return translate()


def findings(rule: type[CloudFormationLintRule], template: dict[str, Any]) -> list[str]:
    return [
        match.message for match in rule().match(Template("template", template, ["eu-central-1"]))
    ]


def share_a_role(resources: Resources) -> None:
    resources["MatchFunction"]["Properties"]["Role"] = {"Fn::GetAtt": ["SyncRole", "Arn"]}


def forget_the_log_group(resources: Resources) -> None:
    del resources["ApiFunction"]["Properties"]["LoggingConfig"]


def keep_logs_for_ever(resources: Resources) -> None:
    del resources["ApiLog"]["Properties"]["RetentionInDays"]


def change_the_architecture(resources: Resources) -> None:
    resources["SyncFunction"]["Properties"]["Architectures"] = ["x86_64"]


def let_the_table_go(resources: Resources) -> None:
    del resources["Table"]["DeletionPolicy"]


def let_a_bucket_be_replaced(resources: Resources) -> None:
    resources["ArchiveBucket"]["UpdateReplacePolicy"] = "Delete"


def forget_the_redrive(resources: Resources) -> None:
    del resources["SyncQueue"]["Properties"]["RedrivePolicy"]


def hurry_visibility(resources: Resources) -> None:
    resources["MatchQueue"]["Properties"]["VisibilityTimeout"] = 300


def fail_whole_batches(resources: Resources) -> None:
    del resources["MatchFunctionMail"]["Properties"]["FunctionResponseTypes"]


def uncap_concurrency(resources: Resources) -> None:
    del resources["SyncFunctionLive"]["Properties"]["ScalingConfig"]


def _first_statement(resources: Resources) -> Resources:
    return resources["ApiRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]


def allow_all_of_a_service(resources: Resources) -> None:
    _first_statement(resources)["Action"] = ["logs:*"]


def allow_scans(resources: Resources) -> None:
    _first_statement(resources)["Action"] = "dynamodb:Scan"


def allow_every_resource(resources: Resources) -> None:
    _first_statement(resources)["Resource"] = "*"


def take_a_managed_policy(resources: Resources) -> None:
    resources["ApiRole"]["Properties"]["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/Any"]


@pytest.mark.parametrize("rule", RULES)
def test_the_template_keeps_the_rule(rule: type[CloudFormationLintRule]) -> None:
    assert findings(rule, translated()) == []


@pytest.mark.parametrize(
    ("rule", "break_it", "named"),
    [
        (FunctionsOwnTheirRoleAndLog, share_a_role, "MatchFunction: has no role"),
        (FunctionsOwnTheirRoleAndLog, forget_the_log_group, "ApiFunction: has no log group"),
        (FunctionsOwnTheirRoleAndLog, keep_logs_for_ever, "ApiFunction: has no log group"),
        (FunctionsOwnTheirRoleAndLog, change_the_architecture, "SyncFunction: does not run"),
        (StatefulResourcesAreRetained, let_the_table_go, "Table: DeletionPolicy"),
        (StatefulResourcesAreRetained, let_a_bucket_be_replaced, "ArchiveBucket: UpdateReplace"),
        (QueuesRedriveAndWait, forget_the_redrive, "SyncQueue: neither redrives"),
        (QueuesRedriveAndWait, hurry_visibility, "MatchFunctionMail: the queue's visibility"),
        (QueuesRedriveAndWait, fail_whole_batches, "MatchFunctionMail: does not report"),
        (QueuesRedriveAndWait, uncap_concurrency, "SyncFunctionLive: has no Maximum"),
        (RolesNameTheirActions, allow_all_of_a_service, "ApiRole: allows logs:*"),
        (RolesNameTheirActions, allow_scans, "ApiRole: allows dynamodb:Scan"),
        (RolesNameTheirActions, allow_every_resource, "ApiRole: allows everything"),
        (RolesNameTheirActions, take_a_managed_policy, "ApiRole: takes a managed policy"),
    ],
)
def test_the_rule_names_the_fault(
    rule: type[CloudFormationLintRule], break_it: Callable[[Resources], None], named: str
) -> None:
    template = copy.deepcopy(translated())
    break_it(template["Resources"])

    found = findings(rule, template)

    assert [message for message in found if message.startswith(named)], found
