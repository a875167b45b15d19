"""Headless Chromium, asked over its debugging pipe: what a page really does."""

import itertools
import json
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    " --disable-background-networking --disable-component-update --disable-dev-shm-usage"
    " --disable-extensions --mute-audio --remote-debugging-pipe"
)
FLAGS = _FLAGS.split()
PATH = shutil.which("chromium")


class Page:
    """One tab. `events` are all that came, `{method, params}`."""

    def __init__(self, ask: int, answers: int) -> None:
        self._ask, self._answers = ask, answers
        self._ids = itertools.count(1)
        self._read = b""
        self._session = ""
        self.events: deque[dict[str, Any]] = deque()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")
        self._frame = self.call("Page.getFrameTree")["frameTree"]["frame"]["id"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        asked: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._ask, json.dumps(asked).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]  # type: ignore[no-any-return]
            self._note(told)

    def show(self, html: str) -> None:
        """Lay out `html` as the document, and let what it starts begin."""
        self.call("Page.setDocumentContent", frameId=self._frame, html=html)
        self.pause()

    def pause(self) -> None:
        self.call(
            "Runtime.evaluate", expression="new Promise(r => setTimeout(r, 60))", awaitPromise=True
        )

    def told(self, method: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event["method"] == method]

    def _note(self, told: dict[str, Any]) -> None:
        if "method" not in told:
            return  # the answer to closing a dialog
        self.events.append(told)
        if told["method"] == "Page.javascriptDialogOpening":  # else everything waits for a person
            closing = {
                "id": next(self._ids),
                "method": "Page.handleJavaScriptDialog",
                "params": {"accept": True},
                "sessionId": self._session,
            }
            os.write(self._ask, json.dumps(closing).encode() + b"\0")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            data = os.read(self._answers, 1 << 16)
            assert data, "Chromium ended"
            self._read += data
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)  # type: ignore[no-any-return]


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A tab of a browser of its own, which ends with it."""
    asked, ask = os.pipe()
    answers, answer = os.pipe()
    command = f'exec "$0" "$@" 3<&{asked} 4>&{answer}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", command, str(PATH), *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(asked, answer),
        stderr=subprocess.DEVNULL,
    )
    for ours_no_more in (asked, answer):
        os.close(ours_no_more)
    try:
        yield Page(ask, answers)
    finally:
        process.terminate()
        process.wait(timeout=20)
        for end in (ask, answers):
            os.close(end)
