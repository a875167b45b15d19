"""What the demos print: calm lines, safe on any terminal, and a sign of life in long steps."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

QUIET_SECONDS = 1.0  # a step may take that long without a word
PAUSE_SECONDS = 3.0  # then it tells how far it is, and again


class Console:
    """Lines on `stream`; what mails bring along cannot move a cursor or colour a screen."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._started = time.monotonic()

    def line(self, text: str = "") -> None:
        encoding = self._stream.encoding or "utf-8"
        shown = printable(text).encode(encoding, "replace").decode(encoding)
        print(shown, file=self._stream, flush=True)

    def title(self, text: str) -> None:
        self.line()
        self.line(text)
        self.line("-" * len(text))

    @property
    def seconds(self) -> float:
        """Since the console was opened."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, name: str, state: Callable[[], str] = str) -> Iterator[None]:
        """`name ... done`; a longer step tells `state()` now and then."""
        done = threading.Event()
        began = time.monotonic()
        teller = threading.Thread(target=self._tell, args=(name, state, done), daemon=True)
        teller.start()
        try:
            yield
        finally:
            done.set()
            teller.join()
        self.line(f"{name}: {time.monotonic() - began:.1f} s")

    def _tell(self, name: str, state: Callable[[], str], done: threading.Event) -> None:
        began = time.monotonic()
        pause = QUIET_SECONDS
        while not done.wait(pause):
            pause = PAUSE_SECONDS
            self.line(f"  {name} ... {time.monotonic() - began:.0f} s {state()}".rstrip())


def printable(text: str) -> str:
    """Control characters (C0, C1, direction marks, line ends) become a visible dot."""
    return "".join(char if char.isprintable() else "·" for char in text)


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
