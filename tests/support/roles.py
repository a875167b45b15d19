"""What the template lets each function do: IAM's rules, as far as its roles use them."""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from typing import Any, NamedTuple

from infra.local.intrinsics import Resolver
from infra.local.translate import read

DATA_ROLE = "DataRole"  # the API's, for the tenant its session is tagged with
_TENANT = re.compile(r"\$\{!?aws:PrincipalTag/tenant\}")  # with ! as it stands in a Sub
_OPERATOR = re.compile(r"(ForAllValues:|ForAnyValue:|)(StringEquals|StringNotEquals|StringLike)")

Values = tuple[str, ...]


class Ask(NamedTuple):
    """What a call needs. `resource`: a logical id and what stands behind it (`Table/index/due`,
    `RawBucket/raw/...`), or an ARN where the template has one; `context`: condition keys and their
    values."""

    action: str
    resource: str
    context: tuple[tuple[str, Values], ...] = ()


class UnknownOperatorError(Exception):
    """The template has a condition that is not judged here."""


class Role:
    """`statements` as IAM has them, all functions of CloudFormation worked out. Raises
    UnknownOperatorError."""

    def __init__(self, statements: Iterable[Mapping[str, Any]]) -> None:
        self._statements: dict[str, list[_Statement]] = {}
        for given in statements:
            for action in _listed(given["Action"]):
                self._statements.setdefault(action, []).append(_statement(given))
        self.allows = functools.lru_cache(maxsize=10_000)(self._allows)  # it is asked at each call

    def _allows(self, ask: Ask, tenant: str = "") -> bool:
        """`tenant`: the tag of the session. One Deny outweighs every Allow."""
        about = self._statements.get(ask.action, ())
        return {each.effect for each in about if each.meets(ask, tenant)} == {"Allow"}


@dataclass(frozen=True)
class _Condition:
    """[IAM: condition operators, single- and multivalued context keys] `among` is empty for the one
    value of a key."""

    among: str
    operator: str
    key: str
    wanted: Values

    def holds(self, values: Values, tenant: str) -> bool:
        if self.operator == "Null":
            return self.wanted == ("false" if values else "true",)
        known = _any_of(self.wanted, tenant, self.operator == "StringLike")
        is_negated = self.operator == "StringNotEquals"
        met = [(known.match(value) is None) is is_negated for value in values]
        if self.among == "ForAnyValue:":
            return any(met)
        return all(met) and (bool(met) or is_negated or self.among == "ForAllValues:")


@dataclass(frozen=True)
class _Statement:
    effect: str
    resources: Values
    conditions: tuple[_Condition, ...]

    def meets(self, ask: Ask, tenant: str) -> bool:
        if not _any_of(self.resources, tenant, True).match(ask.resource):
            return False
        context = dict(ask.context)
        return all(each.holds(context.get(each.key, ()), tenant) for each in self.conditions)


def _statement(given: Mapping[str, Any]) -> _Statement:
    conditions = [
        _condition(operator, key, tuple(_listed(wanted)))
        for operator, keys in given.get("Condition", {}).items()
        for key, wanted in keys.items()
    ]
    return _Statement(given["Effect"], tuple(_listed(given["Resource"])), tuple(conditions))


def _condition(operator: str, key: str, wanted: Values) -> _Condition:
    if operator == "Null":
        return _Condition("", operator, key, wanted)
    known = _OPERATOR.fullmatch(operator)
    if not known:
        raise UnknownOperatorError(operator)
    return _Condition(known[1], known[2], key, wanted)


@functools.cache
def _any_of(patterns: Values, tenant: str, is_like: bool) -> re.Pattern[str]:
    """A session without a tag has a variable that is nothing IAM could match."""
    filled = [_TENANT.sub(lambda _: tenant or "\0", each) for each in patterns]
    return re.compile(
        "|".join(translate(each) if is_like else f"{re.escape(each)}\\Z" for each in filled)
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# ---- the template's ------------------------------------------------------------------------------


class _Names(dict[Any, str]):
    """Physical names are the logical ids: `Table`, `Table/StreamArn`."""

    def __missing__(self, key: Any) -> str:
        if isinstance(key, str):
            return key
        logical_id, attribute = key
        return str(logical_id) if attribute == "Arn" else f"{logical_id}/{attribute}"


@functools.cache
def _template() -> tuple[Mapping[str, Any], Resolver]:
    template = read()
    resolver = Resolver(template, {})
    resolver.made, resolver.attributes = _Names(), _Names()
    return template["Resources"], resolver


@functools.cache
def functions() -> dict[str, str]:
    """Module of the handler -> logical id of the function."""
    return {
        each["Properties"]["Handler"].rpartition(".")[0]: logical_id
        for logical_id, each in _template()[0].items()
        if each["Type"] == "AWS::Serverless::Function"
    }


@functools.cache
def role_of(function: str) -> str:
    """Its logical id."""
    resources, resolver = _template()
    return str(resolver.value(resources[function]["Properties"]["Role"]))


@functools.cache
def role(logical_id: str) -> Role:
    resources, resolver = _template()
    policies = resources[logical_id]["Properties"]["Policies"]
    documents = [resolver.value(policy["PolicyDocument"]) for policy in policies]
    return Role(statement for document in documents for statement in document["Statement"])


def arn(text: str) -> str:
    """As the template's ARNs come out here: with the local stack's account, region and name."""
    return str(_template()[1].value({"Fn::Sub": text}))
