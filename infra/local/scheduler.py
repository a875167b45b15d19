"""The schedules of the template, ticking in real time or by hand."""

import logging
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from infra.local.runtime import Runtime
from infra.local.wiring import Schedule

EVERY_MINUTE = "rate(1 minute)"
MINUTE = timedelta(minutes=1)

_log = logging.getLogger(__name__)


class Scheduler:
    def __init__(self, schedules: Iterable[Schedule], runtime: Runtime) -> None:
        """Raises ValueError for an expression other than `rate(1 minute)`."""
        self._schedules = list(schedules)
        self._runtime = runtime
        for schedule in self._schedules:
            if schedule.expression != EVERY_MINUTE:
                raise ValueError(f"{schedule.function}: {schedule.expression} is not ticked here")

    def tick(self, time: datetime) -> None:
        """One minute's tick; what the function raises comes out."""
        text = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for schedule in self._schedules:
            self._runtime.invoke(schedule.function, schedule.event_at(text))

    def run(self, stop: threading.Event) -> None:
        """A tick at once and at every full minute, until `stop` is set."""
        due = datetime.now(UTC).replace(second=0, microsecond=0)
        while not stop.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
            try:
                self.tick(due)
            except Exception:  # the next tick works off what this one missed
                _log.exception("a tick failed")
            due += MINUTE
