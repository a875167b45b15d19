"""Writers interleaved and killed at their AWS calls: one thread each, only one runs at a time."""

import threading
from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The process died here. Not an Exception: nothing may catch and outlive it."""


def closed() -> threading.Lock:
    """A gate: `release` opens it for one `acquire`, at half of what a semaphore costs."""
    gate = threading.Lock()
    gate.acquire()
    return gate


class Writer:
    """Runs `work` in a thread of its own that stops before and after each AWS call."""

    def __init__(self, work: Callable[[], object], scheduler: "Scheduler") -> None:
        self._go = closed()
        self._scheduler = scheduler
        self._kill = False
        self.ended = False
        self.killed = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], object]) -> None:
        self._scheduler.local.writer = self
        try:
            self._wait()
            work()
        except Killed:
            self.killed = True
        except BaseException as error:
            self.error = error
        self.ended = True
        self._scheduler.stopped.release()

    def _wait(self) -> None:
        self._go.acquire()
        if self._kill:
            raise Killed

    def at_call(self) -> None:
        """Called in the writer's thread: hands the baton back, and may die when it returns."""
        self._scheduler.stopped.release()
        self._wait()

    def step(self, *, kill: bool = False) -> None:
        """Called by the scheduler: on to the next AWS call, or to death."""
        self._kill = kill
        self._go.release()
        self._scheduler.stopped.acquire()
        if self.ended:
            self._thread.join()
            if self.error:
                raise self.error


class Scheduler:
    """Hooks into boto3 clients once; steps of Writer threads are then in the test's hands."""

    def __init__(self, *clients: Any) -> None:
        self.local = threading.local()
        self.stopped = closed()
        self.calls = 0
        for client in clients:
            client.meta.events.register("before-call", self._at_call)
            client.meta.events.register("after-call", self._at_call)

    def _at_call(self, **_: Any) -> None:
        writer = getattr(self.local, "writer", None)
        if writer:
            self.calls += 1
            writer.at_call()

    def start(self, work: Callable[[], object]) -> Writer:
        return Writer(work, self)
