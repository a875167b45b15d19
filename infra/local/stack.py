"""The whole system in this process, read from the template: `with LocalStack() as stack: ...`."""

import tempfile
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from infra.local.applier import Stack, apply
from infra.local.aws import environment, local_aws
from infra.local.certificates import Certificates
from infra.local.dovecot import Dovecot
from infra.local.http import Gateway, HttpServer, Page
from infra.local.identity_provider import IdentityProvider
from infra.local.imap_server import EmbeddedImap
from infra.local.mail_server import Mailboxes
from infra.local.pump import Drained, Pump
from infra.local.runtime import Handler, Runtime
from infra.local.scheduler import Scheduler
from infra.local.tokens import SCOPES, Tokens
from infra.local.translate import TEMPLATE, code_folder

STOP_SECONDS = 10


class LocalStack:
    """Everything is up inside the `with`, nothing of it outside.

    `certificates`: what servers on this machine show.
    `imap`: the mail server (pymap, or Dovecot with `dovecot=True`), empty.
    `identity`: the OAuth provider, with `oauth=True`; Dovecot then trusts its tokens.
    `resources`: what was made; `resources.ref("Table")` is the table's name.
    `base_url`: the HTTP API, on `port` (0: a free one). `tokens`: its issuer.
    Queues and schedule stand still until `drain` and `tick`, or `run` for real time.
    """

    certificates: Certificates
    imap: Mailboxes
    identity: IdentityProvider
    resources: Stack
    base_url: str

    def __init__(
        self,
        *,
        template: Path = TEMPLATE,
        handlers: Mapping[str, Handler] | None = None,
        pages: Mapping[str, Page] | None = None,
        port: int = 0,
        dovecot: bool = False,
        oauth: bool = False,
        local_hosts: Iterable[str] = (),
    ) -> None:
        """`handlers` replace what the template names (tests of the stack); `pages` are local
        extras such as `/docs`; `local_hosts` (`host:port`) may be private addresses."""
        self._template = template
        self._handlers = handlers
        self._pages = pages
        self._port = port
        self._dovecot = dovecot or oauth
        self._oauth = oauth
        self._local_hosts = list(local_hosts)
        self._exit = ExitStack()
        self.tokens = Tokens()

    def __enter__(self) -> "LocalStack":
        with ExitStack() as starting:  # what is up already goes down again where the rest fails
            self._start(starting)
            self._exit = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._exit.close()

    def drain(self, *, delays: bool = False) -> Drained:
        """Work off the queues until they are empty; see `Pump.drain`."""
        return self._pump.drain(delays=delays)

    def tick(self, minute: datetime | None = None) -> None:
        """One tick of the schedule (default: now, whole minute)."""
        now = minute or datetime.now(UTC)
        self._scheduler.tick(now.replace(second=0, microsecond=0))

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call a function by its logical id."""
        return self._runtime.invoke(function, event)

    def token(self, tenant: str, scopes: Iterable[str] = SCOPES) -> str:
        return self.tokens.mint(tenant, scopes)

    def run(self) -> None:
        """Let queues and schedule run by themselves until `stop`."""
        stop = threading.Event()
        for loop in (self._pump.run, self._scheduler.run):
            thread = threading.Thread(target=loop, args=(stop,), daemon=True)
            thread.start()
            self._exit.callback(thread.join, STOP_SECONDS)
        self._exit.callback(stop.set)  # callbacks run last in, first out

    def _start(self, starting: ExitStack) -> None:
        folder = Path(starting.enter_context(tempfile.TemporaryDirectory(prefix="ablage-")))
        self.certificates = Certificates(folder)
        self.imap = self._mail_server(self.certificates, starting)
        starting.enter_context(local_aws())
        parameters = {"JwtIssuer": self.tokens.issuer, "JwtAudience": self.tokens.audience}
        self.resources = apply(self._template, parameters)
        starting.enter_context(environment(self.resources.environment | self._mail_settings()))
        code = code_folder(self._template, next(iter(self.resources.functions)))
        self._runtime = Runtime(self.resources.functions, code, self._handlers)
        self._pump = Pump(self.resources.sources, self._runtime)
        self._scheduler = Scheduler(self.resources.schedules, self._runtime)
        if self.resources.api:
            served = Gateway(self.resources.api, self.tokens, self._runtime, self._pages)
            server = HttpServer(served, self._port)
            starting.callback(server.stop)
            self.base_url = server.base_url

    def _mail_server(self, certificates: Certificates, starting: ExitStack) -> Mailboxes:
        server: Mailboxes
        if self._oauth:
            self.identity = IdentityProvider(certificates)
            starting.callback(self.identity.stop)
            server = Dovecot(certificates, self.identity.introspection_url)
        else:
            server = Dovecot(certificates) if self._dovecot else EmbeddedImap(certificates)
        starting.callback(server.stop)
        return server

    def _mail_settings(self) -> dict[str, str]:
        """The settings that only this machine has."""
        here = f"{self.imap.host}:{self.imap.port}"
        known = {
            "MAIL_CA_FILE": str(self.imap.ca_file),
            "MAIL_LOCAL_HOSTS": ",".join([here, *self._local_hosts]),
        }
        if self._oauth:
            known |= {"OAUTH_LOCAL_URL": self.identity.base_url, "OAUTH_LOCAL_MAIL": here}
        return known
