"""The servers of the contract suite: the embedded one and Dovecot."""

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from infra.local import dovecot
from infra.local.certificates import Certificates
from infra.local.imap_server import EmbeddedImap
from infra.local.mail_server import Mailboxes
from tests.support.hostile_imap import HostileImap, Script
from tests.support.mailboxes import PASSWORD

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("ca"))


@pytest.fixture(
    scope="session", params=["pymap", pytest.param("dovecot", marks=pytest.mark.dovecot)]
)
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Mailboxes]:
    if request.param == "dovecot" and dovecot.executable() is None:
        missing = "Dovecot is not installed (Debian: dovecot-imapd)"
        pytest.fail(missing) if os.environ.get("REQUIRE_DOVECOT") else pytest.skip(missing)
    kind = dovecot.Dovecot if request.param == "dovecot" else EmbeddedImap
    running = kind(certificates)
    yield running
    running.stop()


@pytest.fixture
def user(server: Mailboxes) -> str:
    """A mailbox of its own for each test."""
    name = f"user{next(_numbers)}@example.com"
    server.add_user(name, PASSWORD)
    return name


@pytest.fixture
def hostile(certificates: Certificates) -> Iterator[Callable[[Script], HostileImap]]:
    started: list[HostileImap] = []

    def start(script: Script) -> HostileImap:
        started.append(HostileImap(certificates, script))
        return started[-1]

    yield start
    for each in started:
        each.stop()
