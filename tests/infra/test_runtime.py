"""Functions in one process behave as Lambda's environments: one event at a time, imported once."""

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from infra.local.runtime import Runtime
from infra.local.wiring import Function

SLOW_MODULE = """
import time
import runtime_busy
runtime_busy.begin()
time.sleep(0.05)
runtime_busy.end()
def handler(event, context):
    return runtime_busy.most
"""
BUSY_MODULE = """
now = most = 0
def begin():
    global now, most
    now += 1
    most = max(most, now)
def end():
    global now
    now -= 1
"""


@pytest.fixture
def code(tmp_path: Path) -> Iterator[Path]:
    before = list(sys.path)
    (tmp_path / "runtime_busy.py").write_text(BUSY_MODULE)
    for name in ("runtime_a", "runtime_b"):
        (tmp_path / f"{name}.py").write_text(SLOW_MODULE)
    yield tmp_path
    sys.path[:] = before
    for name in ("runtime_busy", "runtime_a", "runtime_b"):
        sys.modules.pop(name, None)


def functions(*names: str) -> dict[str, Function]:
    return {name: Function(name, f"runtime_{name}.handler", 30, 128, {}) for name in names}


def test_a_function_serves_one_event_at_a_time(tmp_path: Path) -> None:
    inside = threading.Semaphore(1)

    def handler(event: dict[str, Any], context: Any) -> bool:
        alone = inside.acquire(blocking=False)
        time.sleep(0.02)
        if alone:
            inside.release()
        return alone

    runtime = Runtime(functions("a"), tmp_path, {"a": handler})
    with ThreadPoolExecutor(4) as clients:
        alone = list(clients.map(lambda _: runtime.invoke("a", {}), range(8)))

    assert alone == [True] * 8


def test_functions_do_not_wait_for_each_other(tmp_path: Path) -> None:
    met = threading.Barrier(2)

    def handler(event: dict[str, Any], context: Any) -> int:
        return met.wait(60)

    runtime = Runtime(functions("a", "b"), tmp_path, {"a": handler, "b": handler})
    with ThreadPoolExecutor(2) as clients:
        places = list(clients.map(lambda name: runtime.invoke(name, {}), "ab"))

    assert sorted(places) == [0, 1]


def test_first_events_at_once_import_one_after_the_other(code: Path) -> None:
    runtime = Runtime(functions("a", "b"), code)

    with ThreadPoolExecutor(2) as clients:
        most_at_once = list(clients.map(lambda name: runtime.invoke(name, {}), "ab"))

    assert max(most_at_once) == 1
