"""What the sync figures are measured with: Dovecot over TLS with Maildirs in memory, proxies with a
delay, clients in processes of their own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local import dovecot
from infra.local.certificates import HOST, Certificates
from tests.bench.mails import fill_maildir, usual

PASSWORD = "correct horse"
USER = "bench"
ROUNDS = 3
WINDOW_KIB = 4096  # of a proxy: 100 MB/s at 40 ms
_MEMORY = Path("/dev/shm")  # a disk would be what is measured
NO_DOVECOT = {"skipped": "Dovecot is not installed (Debian: dovecot-imapd)"}


@dataclass(frozen=True)
class Reached:
    """The mail server as a client reaches it: itself, or through a proxy."""

    port: int
    ca_file: Path
    host: str = HOST

    @property
    def environment(self) -> dict[str, str]:
        hosts = f"{self.host}:{self.port}"
        return {"MAIL_CA_FILE": str(self.ca_file), "MAIL_LOCAL_HOSTS": hosts}


class Process:
    """A helper that prints its port first and then lines."""

    def __init__(self, module: str, *args: object) -> None:
        run = [sys.executable, "-m", module, *map(str, args)]
        self._process = subprocess.Popen(run, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self._lines = self._process.stdout
        self.port = int(self._lines.readline())

    def told(self, count: int = 1) -> list[dict[str, Any]]:
        """The next `count` lines."""
        return [json.loads(self._lines.readline()) for _ in range(count)]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._lines.close()


@dataclass
class Lab:
    folder: Path
    server: dovecot.Dovecot
    mailboxes: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def direct(self) -> Reached:
        return Reached(self.server.port, self.server.ca_file)

    @contextmanager
    def proxy(self, round_trip_ms: float) -> Iterator[tuple[Process, Reached]]:
        process = Process("tests.bench.proxy", round_trip_ms / 2, WINDOW_KIB, self.server.port)
        try:
            yield process, Reached(process.port, self.server.ca_file)
        finally:
            process.stop()

    def fill(self, user: str, mails: Iterator[bytes]) -> None:
        self.server.add_user(user, PASSWORD)
        self.mailboxes[user] = fill_maildir(self.server.mail_folder(user), mails)
        self.server.give(user)

    @contextmanager
    def out(self) -> Iterator[Path]:
        """An empty folder in memory, for what a client pulls."""
        folder = self.folder / "out"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


@contextmanager
def lab(mailbox: Iterator[bytes] | None = None) -> Iterator[Lab]:
    """With the mailbox of `USER`."""
    with ExitStack() as stack:
        parent = str(_MEMORY) if _MEMORY.is_dir() else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory("-bench", dir=parent)))
        folder.chmod(0o755)
        server = dovecot.Dovecot(Certificates(folder / "ca"), store="maildir", parent=folder)
        stack.callback(server.stop)
        made = Lab(folder, server)
        made.fill(USER, usual() if mailbox is None else mailbox)
        yield made


def client(mode: str, job: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """Run tests.bench.client; what it measured of itself."""
    with started(mode, job, environment) as process:
        out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{mode} ended with {process.returncode}")
    told: dict[str, Any] = json.loads(out)
    return told


@contextmanager
def started(
    mode: str, job: dict[str, Any], environment: dict[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    run = [sys.executable, "-m", "tests.bench.client", mode, json.dumps(job)]
    env = os.environ | environment
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True, env=env) as process:
        yield process


def measured(run: list[str]) -> dict[str, float]:
    """Seconds and CPU seconds of another program."""
    began = time.monotonic()
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{run[0]} ended with {process.returncode}")
    return {"seconds": time.monotonic() - began, "cpu": usage.ru_utime + usage.ru_stime}


def at_least(value: float, limit: float) -> dict[str, Any]:
    return {"value": round(value, 3), "at_least": limit, "reached": value >= limit}


def at_most(value: float, limit: float) -> dict[str, Any]:
    return {"value": round(value, 4), "at_most": limit, "reached": value <= limit}
