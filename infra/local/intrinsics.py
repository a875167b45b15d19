"""CloudFormation's functions (`Ref`, `Fn::Sub`, ...) worked out on this machine."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.local.aws import ACCOUNT, REGION

STACK = "ablage-local"
PSEUDO: dict[str, Any] = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": STACK,
}
_PLACE = re.compile(r"\$\{([^!}]+)\}")
_NOTHING = object()  # AWS::NoValue


class TemplateError(Exception):
    """The template asks for what this machine does not do; nothing is left out silently."""


class UnknownFunctionError(TemplateError):
    """The template uses a function of CloudFormation that is not worked out here."""


class Resolver:
    """`made` maps a logical id to its physical id, `attributes` (id, name) to a GetAtt value."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self.made: dict[str, str] = {}
        self.attributes: dict[tuple[str, str], str] = {}
        self.parameters = {
            name: _parameter(declared, parameters.get(name, declared.get("Default")))
            for name, declared in template.get("Parameters", {}).items()
        }
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": lambda value: value[0].join(map(str, self.value(value[1]))),
            "Fn::Equals": lambda value: self.value(value[0]) == self.value(value[1]),
            "Fn::Not": lambda value: not self.value(value[0]),
            "Fn::And": lambda value: all(self.value(value)),
            "Fn::Or": lambda value: any(self.value(value)),
            "Fn::If": self._if,
            "Condition": lambda value: self.conditions[value],
        }
        self.conditions: dict[str, bool] = {}
        for name, condition in template.get("Conditions", {}).items():
            self.conditions[name] = self.value(condition)

    def value(self, node: Any) -> Any:
        """The node with every function worked out; raises UnknownFunctionError."""
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            name, argument = next(iter(node.items()))
            if name in self._functions and (name != "Condition" or isinstance(argument, str)):
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise UnknownFunctionError(name)
        inner = ((name, self.value(value)) for name, value in node.items())
        return {name: value for name, value in inner if value is not _NOTHING}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        for known in (PSEUDO, self.parameters):
            if name in known:
                return known[name]
        return self.made[name]

    def _get_att(self, target: str | list[str]) -> str:
        logical_id, attribute = target.split(".", 1) if isinstance(target, str) else target
        return self.attributes[logical_id, attribute]

    def _sub(self, argument: str | list[Any]) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in given:
                return str(self.value(given[name]))
            return str(self._get_att(name) if "." in name else self._ref(name))

        return _PLACE.sub(fill, text)

    def _if(self, argument: list[Any]) -> Any:
        name, then, otherwise = argument
        return self.value(then if self.conditions[name] else otherwise)


def _parameter(declared: Mapping[str, Any], text: Any) -> Any:
    return text.split(",") if declared.get("Type") == "CommaDelimitedList" and text else text


def references(node: Any) -> Iterator[str]:
    """Logical ids (and pseudo parameters) a node refers to."""
    if isinstance(node, list):
        for inner in node:
            yield from references(inner)
    elif isinstance(node, dict):
        for name, inner in node.items():
            if name == "Ref" and isinstance(inner, str):
                yield inner
            elif name == "Fn::GetAtt":
                yield inner[0] if isinstance(inner, list) else inner.split(".", 1)[0]
            elif name == "Fn::Sub":
                text = inner[0] if isinstance(inner, list) else inner
                yield from (place.split(".", 1)[0] for place in _PLACE.findall(text))
                yield from references(inner[1:] if isinstance(inner, list) else [])
            else:
                yield from references(inner)
