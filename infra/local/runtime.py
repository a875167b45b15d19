"""Lambda on this machine: handlers by name, a context with a deadline."""

import importlib
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.aws import ACCOUNT, REGION
from infra.local.wiring import Function

Handler = Callable[[dict[str, Any], Any], Any]


@dataclass
class LambdaContext:
    """The part of Lambda's context object that Python handlers use."""

    function_name: str
    memory_limit_in_mb: int
    timeout: int
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        return f"/ablage/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        return "local"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(1000 * (self.timeout - (time.monotonic() - self.started))))


class Runtime:
    """`handlers` (by logical id) stand in for what the template names: for tests of the stack."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        code: Path,
        handlers: Mapping[str, Handler] | None = None,
    ) -> None:
        self._functions = functions
        self._code = code
        self._handlers = dict(handlers or {})
        self._imports = threading.Lock()
        self._environments = {name: threading.Lock() for name in functions}

    def invoke(self, name: str, event: dict[str, Any]) -> Any:
        """The handler's answer, through JSON as on AWS; whatever it raises comes out."""
        function = self._functions[name]
        handler = self._handler(function)
        with self._environments[name]:  # an environment of Lambda serves one event at a time
            context = LambdaContext(name, function.memory, function.timeout)
            answer = handler(json.loads(json.dumps(event)), context)
        return json.loads(json.dumps(answer))

    def _handler(self, function: Function) -> Handler:
        """Imported on first use: the environment stands by then. One at a time: Powertools imports
        in circles, which two threads at once find half done."""
        with self._imports:
            if function.name not in self._handlers:
                if str(self._code) not in sys.path:
                    sys.path.insert(0, str(self._code))
                module, name = function.handler.rsplit(".", 1)
                self._handlers[function.name] = getattr(importlib.import_module(module), name)
            return self._handlers[function.name]
