"""One log line per invocation: counts and codes, never an address, a subject, a secret or a
server's text."""

from collections import Counter
from threading import Lock

from aws_lambda_powertools import Logger


def service_logger(service: str) -> Logger:
    """Log events of the whole service carry its name; uncaught errors keep their trace without
    values of variables."""
    return Logger(service=service, level="INFO")


class Summary:
    """What an invocation did, counted from many threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def count(self, name: str, number: int = 1) -> None:
        if number:
            with self._lock:
                self._counts[name] += number

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(sorted(self._counts.items()))

    def log(self, logger: Logger) -> None:
        logger.info("summary", extra={"counts": self.counts()})
