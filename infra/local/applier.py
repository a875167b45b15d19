"""The stack on this machine, from the same template: made in moto, run by us, or refused by name.

moto's own CloudFormation drops notifications, lifecycles, time to live and queue policies without
a word.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local import wiring
from infra.local.aws import ACCOUNT
from infra.local.intrinsics import STACK, Resolver, TemplateError, references
from infra.local.resources import MAKERS, Made, Properties
from infra.local.translate import TEMPLATE, translate

CHECKED_BY_LINTERS = frozenset(
    {
        "AWS::ApiGatewayV2::Stage",  # throttling, access logs
        "AWS::CloudWatch::Alarm",
        "AWS::IAM::Role",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::S3::BucketPolicy",  # moto reads no conditions: "only over TLS" would be "never"
    }
)
WIRED = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Scheduler::Schedule",
    }
)


class UnknownResourceError(TemplateError):
    """A type this machine neither makes nor runs, and that is not listed as lint-only."""


@dataclass
class Stack:
    """What was made and what is to be run. `linted`: what stands in the template for AWS alone."""

    resolver: Resolver
    functions: dict[str, wiring.Function] = field(default_factory=dict)
    sources: list[wiring.EventSource | wiring.StreamSource] = field(default_factory=list)
    schedules: list[wiring.Schedule] = field(default_factory=list)
    api: wiring.Api | None = None
    linted: list[str] = field(default_factory=list)

    def ref(self, logical_id: str) -> str:
        return self.resolver.made[logical_id]

    @property
    def environment(self) -> dict[str, str]:
        """Of all functions, which share this process; raises ValueError where two disagree."""
        merged: dict[str, str] = {}
        for function in self.functions.values():
            for name, value in function.environment.items():
                if merged.setdefault(name, value) != value:
                    raise ValueError(f"{name} differs between functions")
        return merged


def apply(path: Path = TEMPLATE, parameters: Mapping[str, str] | None = None) -> Stack:
    """Make everything of the template; raises TemplateError where something is not carried."""
    template = translate(path)
    resolver = Resolver(template, parameters or {})
    stack = Stack(resolver)
    resources = _wanted(template["Resources"], resolver)
    for logical_id in _in_order(resources):
        resource = resources[logical_id]
        given = resource.get("Properties", {})
        if resource["Type"] in MAKERS:
            _make(logical_id, resource["Type"], given, resolver)
        elif resource["Type"] in WIRED:
            resolver.made[logical_id] = logical_id
            resolver.attributes[logical_id, "Arn"] = f"arn:aws:lambda:local:{logical_id}"
            _wire(stack, logical_id, resource["Type"], given)
        else:
            stack.linted.append(logical_id)
            if resource["Type"] == "AWS::IAM::Role":  # moto lets anybody assume any
                arn = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{logical_id}"
                resolver.attributes[logical_id, "Arn"] = arn
    return stack


def _wanted(resources: Mapping[str, Any], resolver: Resolver) -> dict[str, Any]:
    known = MAKERS.keys() | WIRED | CHECKED_BY_LINTERS
    for logical_id, resource in resources.items():
        if resource["Type"] not in known:
            raise UnknownResourceError(f"{logical_id}: {resource['Type']}")
    return {
        logical_id: resource
        for logical_id, resource in resources.items()
        if resolver.conditions.get(resource.get("Condition", ""), True)
    }


def _in_order(resources: Mapping[str, Any]) -> Iterable[str]:
    """Each resource after what it refers to; lint-only ones need nothing and nobody needs them."""
    waiting = {
        logical_id: _needs(resource, resources)
        for logical_id, resource in resources.items()
        if resource["Type"] not in CHECKED_BY_LINTERS
    }
    yield from resources.keys() - waiting.keys()
    while waiting:
        ready = [logical_id for logical_id, needs in waiting.items() if not needs & waiting.keys()]
        if not ready:
            raise ValueError(f"these refer to each other: {', '.join(sorted(waiting))}")
        for logical_id in ready:
            del waiting[logical_id]
            yield logical_id


def _needs(resource: Mapping[str, Any], resources: Mapping[str, Any]) -> set[str]:
    depends = resource.get("DependsOn", [])
    depends = [depends] if isinstance(depends, str) else depends
    return {*references(resource.get("Properties", {})), *depends} & resources.keys()


def _make(logical_id: str, kind: str, given: Mapping[str, Any], resolver: Resolver) -> None:
    name = f"{STACK}-{logical_id}" if kind != "AWS::S3::Bucket" else f"{STACK}-{logical_id.lower()}"
    made: Made = MAKERS[kind](name, Properties(logical_id, resolver.value(given)))
    resolver.made[logical_id] = made.ref
    for attribute, value in made.attributes.items():
        resolver.attributes[logical_id, attribute] = value


def _wire(stack: Stack, logical_id: str, kind: str, given: Mapping[str, Any]) -> None:
    properties = Properties(logical_id, given)
    if kind == "AWS::Lambda::Function":
        stack.functions[logical_id] = wiring.function(logical_id, properties, stack.resolver)
    elif kind == "AWS::Lambda::EventSourceMapping":
        stack.sources.append(wiring.event_source(properties, stack.resolver))
    elif kind == "AWS::Scheduler::Schedule":
        stack.schedules.append(wiring.schedule(properties))
    else:
        stack.api = wiring.api(properties, stack.resolver)
