"""E9004: a role names what it may do, and to what."""

from collections.abc import Iterator
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template


class RolesNameTheirActions(CloudFormationLintRule):
    id = "E9004"
    shortdesc = "No role allows a wildcard action, a scan, everything, or a managed policy"
    description = "Least privilege: exact actions on named resources, written where they are used."

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name}: {fault}")
            for name, resource in cfn.get_resources("AWS::IAM::Role").items()
            for fault in _faults(resource["Properties"])
        ]


def _faults(role: dict[str, Any]) -> Iterator[str]:
    if role.get("ManagedPolicyArns"):
        yield "takes a managed policy"
    for policy in role.get("Policies", []):
        for statement in _listed(policy["PolicyDocument"]["Statement"]):
            if statement["Effect"] == "Allow":
                yield from _too_much(statement)


def _too_much(statement: dict[str, Any]) -> Iterator[str]:
    for action in _listed(statement["Action"]):
        if "*" in action or action == "dynamodb:Scan":
            yield f"allows {action}"
    if "*" in _listed(statement["Resource"]):
        yield "allows everything as a resource"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
