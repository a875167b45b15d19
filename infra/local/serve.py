"""The whole system, staying up on this machine: `make serve [PORT=n]`. All data is in memory."""

import argparse
import contextlib
import json
import os
import re
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from infra.local import docs_page
from infra.local.demo_console import Console
from infra.local.demo_samples import SampleDemo
from infra.local.demo_stack import quiet_stack
from infra.local.http import HOST
from infra.local.samples import TENANTS
from infra.local.serve_mailbox import EMPTY_TENANT, fill_mailbox
from infra.local.stack import LocalStack
from infra.local.tokens import SCOPES
from infra.local.webhook_receiver import WebhookReceiver

FOLDER = Path(".local")
SCOPE_SETS = (("read",), ("read", "file"), ("read", "file", "manage"), SCOPES)
TOKEN_SECONDS = 30 * 24 * 3600  # longer than anybody leaves it running
_HOST_AND_PORT = re.compile(r"[^\s:,]+:[1-9]\d{0,4}")


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.port and _is_taken(given.port):
        parser.error(f"port {given.port} is in use")
    stop = _stop_signals()
    console = Console()
    receiver = WebhookReceiver(console.line)
    local_hosts = [receiver.authority, *given.allow_private]
    options: dict[str, Any] = {"port": given.port, "local_hosts": local_hosts}
    with contextlib.ExitStack() as ending:
        ending.callback(receiver.stop)
        stack = ending.enter_context(quiet_stack(console, pages=docs_page.pages(), **options))
        receiver.start(stack.certificates.server_context())
        wrong = [] if given.empty else SampleDemo(stack, console).bring_in()
        user = fill_mailbox(stack)
        stack.run()
        with _told(stack, user):
            _greet(console, stack, receiver)
            stop.wait()
            console.line("stopping")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make serve", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the HTTP API (default: a free one)")
    parser.add_argument("--empty", action="store_true", help="leave out the two sample companies")
    parser.add_argument(
        "--allow-private",
        action="append",
        default=[],
        type=_host_and_port,
        metavar="HOST:PORT",
        help="a mail server, or a webhook's, that may have a private address and another port",
    )
    return parser


def _host_and_port(text: str) -> str:
    if not _HOST_AND_PORT.fullmatch(text):
        raise argparse.ArgumentTypeError("takes HOST:PORT")
    return text


def _is_taken(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex((HOST, port)) == 0


def _stop_signals() -> threading.Event:
    """Set by Ctrl-C and SIGTERM: everything then ends in order."""
    stop = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop


def _greet(console: Console, stack: LocalStack, receiver: WebhookReceiver) -> None:
    console.title("Ablage is up")
    console.line(f"HTTP API    {stack.base_url}   described at {stack.base_url}/docs")
    console.line(f"IMAP        {stack.imap.host}:{stack.imap.port}, TLS, embedded")
    console.line(f"webhooks    {receiver.url} takes what a webhook is sent, and tells it here")
    console.line(f"tenants     {', '.join((EMPTY_TENANT, *TENANTS))}")
    console.line(f"tokens, mailboxes and passwords are in {FOLDER / 'serve.json'}")
    console.line("All data is in memory and gone when this ends. Ctrl-C ends it.")


# ---- serve.json ----------------------------------------------------------------------------------


@contextlib.contextmanager
def _told(stack: LocalStack, user: str) -> Iterator[None]:
    """While we are up, `.local/serve.json` says where; `serve.env` the same for a shell."""
    FOLDER.mkdir(exist_ok=True)
    told = description(stack)
    texts = {
        FOLDER / "serve.env": shell_variables(stack, told, user),
        FOLDER / "serve.json": json.dumps(told, indent=2) + "\n",
    }
    try:
        for file, text in texts.items():
            _write(file, text)
        yield
    finally:
        for file, text in texts.items():
            with contextlib.suppress(FileNotFoundError):
                if file.read_text(encoding="utf-8") == text:  # else another one serves by now
                    file.unlink()


def description(stack: LocalStack) -> dict[str, Any]:
    """What a client needs: where, and with which token or password."""
    return {
        "base_url": stack.base_url,
        "docs_url": f"{stack.base_url}/docs",
        "openapi_url": f"{stack.base_url}/openapi.json",
        "tenants": {
            tenant: {
                "tokens": {_name(scopes): stack.token(tenant, scopes) for scopes in SCOPE_SETS}
            }
            for tenant in (EMPTY_TENANT, *TENANTS)
        },
        "imap": {
            "host": stack.imap.host,
            "port": stack.imap.port,
            "ca_file": str(stack.imap.ca_file),
            "users": dict(stack.imap.passwords),
        },
    }


def _token(stack: LocalStack, tenant: str, scopes: Sequence[str]) -> str:
    return stack.tokens.mint(tenant, scopes, lifetime=TOKEN_SECONDS)


def _name(scopes: Sequence[str]) -> str:
    return "+".join(scopes)


def shell_variables(stack: LocalStack, told: dict[str, Any], user: str) -> str:
    """For `. .local/serve.env`: the empty tenant with all scopes, and its mailbox."""
    values = {
        "URL": told["base_url"],
        "TOKEN": told["tenants"][EMPTY_TENANT]["tokens"][_name(SCOPE_SETS[-1])],
        "IMAP_HOST": stack.imap.host,
        "IMAP_PORT": stack.imap.port,
        "IMAP_CA": stack.imap.ca_file,
        "IMAP_USER": user,
        "IMAP_PASSWORD": stack.imap.passwords[user],
    }
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def _write(file: Path, text: str) -> None:
    """At once and for this user alone: it holds passwords."""
    new = file.with_suffix(f".{os.getpid()}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    new.replace(file)


if __name__ == "__main__":
    sys.exit(main())
