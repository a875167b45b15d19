"""Every AWS call that code of a function makes is held to the function's role, in whatever test.

A call is the function's whose code is nearest on its stack (functions do not call each other), or
the function's that handed the work to a pool of threads. What a test does within another call (a
hook that overtakes it) begins anew: without code of a function from there on it is the test's own,
and not judged."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import CodeType, FrameType
from typing import Any

from botocore import handlers
from botocore.awsrequest import AWSPreparedRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.hooks import HierarchicalEmitter
from tests.support.asks import asks, put_parameters
from tests.support.roles import DATA_ROLE, Ask, functions, role, role_of

from ablage.store import s3_endpoint, tenant_role

_EMIT = HierarchicalEmitter._emit.__code__
_PAST_BOTOCORE = s3_endpoint.S3Endpoint.before_send.__code__
_NEVER_SENT = s3_endpoint._resolved.__code__
_OURS = ("ablage.", "sync.", "match.", "api.", "deliver.", "webhook.", "tests.", "infra.")
_PYTEST = "pytest"  # calls a test: nobody's
OF_BOTH = ("sync.polls",)  # dispatch and sync: whose call it is tells a frame further out
_DATA = ("dynamodb", "s3")  # whose clients sign for the tenant at hand


@dataclass(frozen=True)
class Call:
    """`refused`: what `role` does not allow of it, for `tenant` where the role is a session's."""

    function: str
    role: str
    tenant: str
    operation: str
    parameters: Any
    refused: tuple[Ask, ...]
    place: str

    def __str__(self) -> str:
        wanted = ", ".join(
            f"{ask.action} on {ask.resource}{ask.context or ''}" for ask in self.refused
        )
        whose = f" of {self.tenant!r}" if self.role == DATA_ROLE else ""
        what = f"{self.operation}, {self.place}"
        return f"{self.function}: {self.role}{whose} may not {wanted}: {what}"


class Guard:
    """One for the process, over every client that is made once it is installed."""

    def __init__(self) -> None:
        self._refused: list[Call] = []
        self._listeners: list[list[Call]] = []
        self._tenants: dict[str, str] = {}  # by access key of a session
        self._thread = threading.local()

    def install(self) -> None:
        handlers.BUILTIN_HANDLERS += [
            ("before-parameter-build", self._asked),
            ("before-send.s3.PutObject", self._put),
            ("after-call.sts.AssumeRole", self._assumed),
        ]
        self._follow_threads()

    def refused(self) -> list[Call]:
        """Since it was asked last."""
        taken, self._refused = self._refused, []
        return taken

    @contextmanager
    def listening(self) -> Iterator[list[Call]]:
        """Every call of a function meanwhile."""
        calls: list[Call] = []
        self._listeners.append(calls)
        yield calls
        self._listeners.remove(calls)

    # ---- calls -----------------------------------------------------------------------------------

    def _asked(self, params: Any, model: Any, context: dict[str, Any], **_: Any) -> None:
        """Calls and presigned links alike."""
        service = model.service_model.service_name
        operation = f"{service}:{model.name}"
        if operation == "sts:AssumeRole":
            context["tags"] = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
        caller = sys._getframe(1)
        function = self._function(caller, calls=1)
        if function and not (operation == "s3:HeadBucket" and _is_within(_NEVER_SENT, caller)):
            acting = tenant_role._acting.get() if service in _DATA else None
            self._judge(function, acting, operation, params, caller)

    def _put(self, request: AWSPreparedRequest, **_: Any) -> None:
        """What goes past botocore is signed with the function's own credentials."""
        caller = sys._getframe(1)
        function = self._function(caller, calls=1)
        if function and _is_within(_PAST_BOTOCORE, caller):
            parameters = put_parameters(request.url, request.headers)
            self._judge(function, None, "s3:PutObject", parameters, caller)

    def _assumed(self, parsed: Any, context: dict[str, Any], **_: Any) -> None:
        if "Credentials" in parsed:
            key = parsed["Credentials"]["AccessKeyId"]
            self._tenants[key] = context["tags"].get("tenant", "")

    def _judge(
        self,
        function: str,
        acting: ReadOnlyCredentials | None,
        operation: str,
        parameters: Any,
        caller: FrameType,
    ) -> None:
        name = DATA_ROLE if acting else role_of(function)
        tenant = self._tenants.get(acting.access_key, "") if acting else ""
        allows = role(name).allows
        refused = tuple([ask for ask in asks(operation, parameters) if not allows(ask, tenant)])
        if refused or self._listeners:
            place = _place(caller)
            call = Call(function, name, tenant, operation, parameters, refused, place)
            for calls in self._listeners:
                calls.append(call)
            if refused:
                self._refused.append(call)

    # ---- callers ---------------------------------------------------------------------------------

    def _function(self, frame: FrameType | None, *, calls: int) -> str:
        """The caller's logical id; empty for a test's own call. Of AWS calls on the stack so many
        count, the innermost ones."""
        while frame:
            if frame.f_code is _EMIT:
                if not calls:
                    return ""
                calls -= 1
            if owner := _OWNERS[frame.f_globals.get("__name__", "")]:
                return "" if owner == _PYTEST else owner
            frame = frame.f_back
        return getattr(self._thread, "function", "")

    def _follow_threads(self) -> None:
        """Work handed to a pool stays the function's that handed it over."""
        submit = ThreadPoolExecutor.submit

        def followed(pool: Any, work: Any, /, *args: Any, **kwargs: Any) -> Any:
            function = self._function(sys._getframe(1), calls=0)
            lent = partial(self._lent, function, work) if function else work
            return submit(pool, lent, *args, **kwargs)

        setattr(ThreadPoolExecutor, "submit", followed)  # noqa: B010  mypy forbids the plain form

    def _lent(self, function: str, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._thread.function = function
        try:
            return work(*args, **kwargs)
        finally:
            self._thread.function = ""


class _Owners(dict[str, str]):
    """Module -> the function whose code it is; empty for all others'."""

    def __missing__(self, module: str) -> str:
        known, package = functions(), module.partition(".")[0]
        default = known.get(f"{package}.handler", _PYTEST if package == "pluggy" else "")
        self[module] = "" if module in OF_BOTH else known.get(module, default)
        return self[module]


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame:
        yield frame
        frame = frame.f_back


def _is_within(code: CodeType, caller: FrameType) -> bool:
    return any(frame.f_code is code for frame in _stack(caller))


def _place(caller: FrameType) -> str:
    """The nearest lines of our own, innermost first."""
    ours = [f for f in _stack(caller) if f.f_globals.get("__name__", "").startswith(_OURS)]
    return " < ".join(f"{frame.f_globals['__name__']}:{frame.f_lineno}" for frame in ours[:4])


_OWNERS = _Owners()
guard = Guard()
