"""One log line per invocation: counts and codes, never an address, a subject, a secret or a
server's text. Metrics lie in the same line (CloudWatch's embedded metric format)
and cost no call."""

import time
from collections import Counter, defaultdict
from threading import Lock
from typing import Any

from aws_lambda_powertools import Logger

from ablage.settings import settings

POLL_LAG = "PollLag"  # seconds by which polls came late
FILED_DELAY = "FiledDelay"  # seconds from a mail's receipt to its filing
METRIC_VALUES = 100  # AWS: of one metric in one line


def service_logger(service: str) -> Logger:
    """Log events of the whole service carry its name; uncaught errors keep their trace without
    values of variables."""
    return Logger(service=service, level="INFO")


class Summary:
    """What an invocation did, counted from many threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._seconds: defaultdict[str, list[int]] = defaultdict(list)
        self._lock = Lock()

    def count(self, name: str, number: int = 1) -> None:
        if number:
            with self._lock:
                self._counts[name] += number

    def measure(self, metric: str, seconds: int) -> None:
        with self._lock:
            self._seconds[metric].append(seconds)

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(sorted(self._counts.items()))

    def metrics(self) -> dict[str, Any]:
        """Root fields of the line; of more than METRIC_VALUES the highest."""
        with self._lock:
            values = {name: sorted(found)[-METRIC_VALUES:] for name, found in self._seconds.items()}
        if not values:
            return {}
        described = {
            "Namespace": "Ablage",
            "Dimensions": [["Stack"]],
            "Metrics": [{"Name": name, "Unit": "Seconds"} for name in values],
        }
        stamp = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [described]}
        return {"_aws": stamp, "Stack": settings().stack_name, **values}

    def log(self, logger: Logger, message: str = "summary") -> None:
        logger.info(message, extra={"counts": self.counts(), **self.metrics()})
