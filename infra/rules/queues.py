"""E9003: no message is lost, none is delivered while it is still worked on."""

from collections.abc import Iterator
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

TIMES = 6  # AWS: a queue's visibility timeout over its function's timeout


class QueuesRedriveAndWait(CloudFormationLintRule):
    id = "E9003"
    shortdesc = "Queues have a dead-letter queue, room for a retry, and partial batch responses"
    description = (
        "Each queue redrives or is a dead-letter queue; its visibility timeout is six times its "
        "function's timeout; its event source reports single failures and caps concurrency."
    )

    def match(self, cfn: Template) -> list[RuleMatch]:
        faults = [*_undriven(cfn), *_sources(cfn)]
        return [RuleMatch(["Resources", name], f"{name}: {fault}") for name, fault in faults]


def _undriven(cfn: Template) -> Iterator[tuple[str, str]]:
    queues = cfn.get_resources("AWS::SQS::Queue")
    redrives = {
        name: resource["Properties"].get("RedrivePolicy") for name, resource in queues.items()
    }
    dead = {_target(policy["deadLetterTargetArn"]) for policy in redrives.values() if policy}
    for name, policy in redrives.items():
        if not policy and name not in dead:
            yield name, "neither redrives nor is a dead-letter queue"


def _sources(cfn: Template) -> Iterator[tuple[str, str]]:
    queues = cfn.get_resources("AWS::SQS::Queue")
    functions = cfn.get_resources("AWS::Lambda::Function")
    for name, resource in cfn.get_resources("AWS::Lambda::EventSourceMapping").items():
        given = resource["Properties"]
        if given.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield name, "does not report single failures of a batch"
        if "StartingPosition" in given:
            continue  # a stream, which has no visibility and runs once a shard
        queue = queues[_target(given["EventSourceArn"])]["Properties"]
        function = functions[_target(given["FunctionName"])]["Properties"]
        if queue.get("VisibilityTimeout", 30) < TIMES * function.get("Timeout", 3):
            yield name, f"the queue's visibility timeout is under {TIMES} times the function's"
        if "MaximumConcurrency" not in given.get("ScalingConfig", {}):
            yield name, "has no MaximumConcurrency"


def _target(reference: Any) -> str:
    target = reference.get("Ref") or reference["Fn::GetAtt"]
    return str(target[0] if isinstance(target, list) else target.split(".")[0])
