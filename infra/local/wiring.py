"""What runs and what triggers it, read from the translated template."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.local.intrinsics import Resolver, references
from infra.local.resources import Properties, UnknownPropertyError

SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
_VERBS = ("get", "put", "post", "patch", "delete")
_INTEGRATIONS = "x-amazon-apigateway-integrations"


@dataclass(frozen=True)
class Function:
    name: str
    handler: str
    timeout: int
    memory: int
    environment: Mapping[str, str]


@dataclass(frozen=True)
class EventSource:
    """A queue that triggers a function."""

    function: str
    queue_arn: str
    batch_size: int
    partial_responses: bool

    @property
    def queue_name(self) -> str:
        return self.queue_arn.rsplit(":", 1)[1]


@dataclass(frozen=True)
class StreamSource:
    """A table's stream that triggers a function. `pattern`: Lambda's filter of its records."""

    function: str
    stream_arn: str
    batch_size: int
    pattern: Mapping[str, Any]


@dataclass(frozen=True)
class Schedule:
    function: str
    expression: str
    event: str

    def event_at(self, time: str) -> dict[str, Any]:
        """The event of one tick; `time` in RFC 3339."""
        event: dict[str, Any] = json.loads(self.event.replace(SCHEDULED_TIME, time))
        return event


@dataclass(frozen=True)
class Route:
    """`scopes`: the token must have one of them."""

    method: str
    path: str
    function: str
    scopes: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    def match(self, path: str) -> dict[str, str] | None:
        """The path's parameters, still percent-encoded; None where it is another route."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None


@dataclass(frozen=True)
class Api:
    issuer: str
    audiences: tuple[str, ...]
    routes: tuple[Route, ...]

    def route(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Fixed segments before placeholders, as API Gateway chooses."""
        for route in sorted(self.routes, key=lambda route: route.path.count("{")):
            if route.method == method and (found := route.match(path)) is not None:
                return route, found
        return None


def function(name: str, given: Properties, resolver: Resolver) -> Function:
    timeout, memory = given.take("Timeout", 3), given.take("MemorySize", 128)
    handler, environment = given.take("Handler"), given.part("Environment")
    variables = resolver.value(environment.take("Variables", {}))
    environment.done()
    given.ignore("Code", "Role", "Runtime", "Architectures", "LoggingConfig", "Description", "Tags")
    given.done()
    return Function(name, handler, timeout, memory, {n: str(v) for n, v in variables.items()})


def event_source(given: Properties, resolver: Resolver) -> EventSource | StreamSource:
    if given.has("StartingPosition"):
        return _stream_source(given, resolver)
    responses = given.take("FunctionResponseTypes", [])
    given.ignore("MaximumBatchingWindowInSeconds", "ScalingConfig")  # batches form, nothing scales
    made = EventSource(
        function=_only_reference(given.take("FunctionName")),
        queue_arn=resolver.value(given.take("EventSourceArn")),
        batch_size=given.take("BatchSize", 10),
        partial_responses="ReportBatchItemFailures" in responses,
    )
    given.done()
    return made


def _stream_source(given: Properties, resolver: Resolver) -> StreamSource:
    """From the beginning on, a failed record again and again."""
    start, (response,) = given.take("StartingPosition"), given.take("FunctionResponseTypes")
    criteria = given.part("FilterCriteria")
    (chosen,) = criteria.take("Filters")
    criteria.done()
    made = StreamSource(
        function=_only_reference(given.take("FunctionName")),
        stream_arn=resolver.value(given.take("EventSourceArn")),
        batch_size=given.take("BatchSize", 100),
        pattern=json.loads(chosen["Pattern"]),
    )
    given.done()
    if (start, response) != ("TRIM_HORIZON", "ReportBatchItemFailures"):
        raise UnknownPropertyError(f"{made.function}: {start}, {response}")
    return made


def schedule(given: Properties) -> Schedule:
    target = given.part("Target")
    made = Schedule(
        function=_only_reference(target.take("Arn")),
        expression=given.take("ScheduleExpression"),
        event=target.take("Input", "{}"),
    )
    target.ignore("RoleArn", "RetryPolicy")  # a missed tick is worked off by the next one
    given.ignore("FlexibleTimeWindow", "Name", "State")
    target.done()
    given.done()
    return made


def api(given: Properties, resolver: Resolver) -> Api:
    body = given.part("Body")
    given.ignore("Tags", "Description")
    given.done()
    body.ignore("openapi", "info", "tags")
    components = body.part("components")
    scheme = components.part("securitySchemes").take("jwt")
    authorizer = resolver.value(scheme["x-amazon-apigateway-authorizer"]["jwtConfiguration"])
    targets = {
        f"#/components/{_INTEGRATIONS}/{name}": _invoked(integration)
        for name, integration in components.take(_INTEGRATIONS).items()
    }
    components.done()
    routes = [
        _route(path, verb, operation, targets, resolver)
        for path, operations in body.take("paths").items()
        for verb, operation in operations.items()
    ]
    body.done()
    return Api(authorizer["issuer"], tuple(authorizer["audience"]), tuple(routes))


def _route(
    path: str,
    verb: str,
    given: Mapping[str, Any],
    targets: Mapping[str, str],
    resolver: Resolver,
) -> Route:
    if verb not in _VERBS:
        raise UnknownPropertyError(f"{path}: {verb}")
    operation = Properties(f"{verb} {path}", given)
    integration = operation.take("x-amazon-apigateway-integration")
    security = operation.take("security", [])
    operation.ignore("responses")
    operation.done()
    scopes = resolver.value(security[0]["jwt"])
    return Route(verb.upper(), path, targets[integration["$ref"]], tuple(scopes))


def _invoked(integration: Mapping[str, Any]) -> str:
    return next(name for name in references(integration["uri"]) if not name.startswith("AWS::"))


def _only_reference(node: Any) -> str:
    (name,) = references(node)
    return name
