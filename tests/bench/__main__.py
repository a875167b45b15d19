"""`make bench`: what the paths cost, as JSON; `make bench ONLY=pull,idle` measures these alone.

Calls and units are counted, CPU and time are ratios to a peer in the same run; each limit stands
beside its figure. What needs the mail corpus, Dovecot or mbsync says so where it is absent.
"""

import json
import logging
import signal
import sys
from collections.abc import Callable
from typing import Any

from tests.bench.api import api
from tests.bench.cold import cold
from tests.bench.faults import faults
from tests.bench.filing import corpus_filed
from tests.bench.idle import idle
from tests.bench.idle_day import idle_day
from tests.bench.interrupted import interrupted
from tests.bench.paths import paths, sample
from tests.bench.pull import pull
from tests.bench.reading import headers_to_peer, mails_to_peer, memory
from tests.bench.whole import peak_memory, whole

FAMILIES: dict[str, Callable[[], dict[str, Any]]] = {
    "paths": paths,
    "reading": lambda: {
        "reading_a_mail_cpu": mails_to_peer([sample(number) for number in range(50)]),
        "reading_headers_of_the_corpus_cpu": headers_to_peer(),
        "memory_of_reading_25_mb": memory(),
    },
    "filing": lambda: {"filing_the_corpus": corpus_filed()},
    "pull": pull,
    "whole": whole,
    "memory": peak_memory,
    "idle": idle,
    "idle_day": idle_day,
    "interrupted": interrupted,
    "faults": faults,
    "api": api,
    "cold": cold,
}


def main(only: str) -> None:
    logging.disable()  # standard output holds the report alone
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers end with their owner
    report: dict[str, Any] = {}
    for name in only.split(",") if only else FAMILIES:
        report |= FAMILIES[name]()
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
