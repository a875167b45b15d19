"""E9001: one role, one log group, one runtime per function."""

from collections import Counter
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

RUNTIME = "python3.13"
ARCHITECTURES = ["arm64"]


class FunctionsOwnTheirRoleAndLog(CloudFormationLintRule):
    id = "E9001"
    shortdesc = "Each function has its own role and log group, and runs where the others run"
    description = (
        "A shared role gives every function what one of them needs; a log group that Lambda makes "
        "itself keeps everything for ever; wheels are built for one runtime and architecture."
    )

    def match(self, cfn: Template) -> list[RuleMatch]:
        functions = cfn.get_resources("AWS::Lambda::Function")
        roles = Counter(
            _target(resource["Properties"].get("Role")) for resource in functions.values()
        )
        return [
            RuleMatch(["Resources", name], f"{name}: {fault}")
            for name, resource in functions.items()
            for fault in _faults(cfn, resource["Properties"], roles)
        ]


def _faults(cfn: Template, given: dict[str, Any], roles: Counter[str]) -> list[str]:
    role = _target(given.get("Role"))
    log = _target(given.get("LoggingConfig", {}).get("LogGroup"))
    log_groups = cfn.get_resources("AWS::Logs::LogGroup")
    faults = []
    if role not in cfn.get_resources("AWS::IAM::Role") or roles[role] > 1:
        faults.append("has no role of its own")
    if "RetentionInDays" not in log_groups.get(log, {}).get("Properties", {}):
        faults.append("has no log group with a retention")
    if given.get("Runtime") != RUNTIME or given.get("Architectures") != ARCHITECTURES:
        faults.append(f"does not run {RUNTIME} on {ARCHITECTURES[0]}")
    return faults


def _target(reference: Any) -> str:
    """The logical id a `Ref` or `Fn::GetAtt` names; empty for anything else."""
    if not isinstance(reference, dict):
        return ""
    target = reference.get("Ref") or reference.get("Fn::GetAtt") or ""
    return str(target[0] if isinstance(target, list) else target.split(".")[0])
