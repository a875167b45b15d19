"""An embedded IMAP server for what goes through sync, a receiver for what is told."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from infra.local.aws import lock_moto
from infra.local.certificates import Certificates
from infra.local.imap_server import EmbeddedImap
from tests.support.hooks import Worker, network_to
from tests.support.hostile_imap import HostileImap, Script
from tests.support.mailboxes import PASSWORD
from tests.support.receiver import Receiver

from ablage.store.storage import Storage

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    lock_moto()  # sync works with threads
    return Certificates(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def imap(certificates: Certificates) -> Iterator[EmbeddedImap]:
    running = EmbeddedImap(certificates)
    yield running
    running.stop()


@pytest.fixture
def user(imap: EmbeddedImap) -> str:
    """A mailbox of its own for each test."""
    name = f"user{next(_numbers)}@example.com"
    imap.add_user(name, PASSWORD)
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


@pytest.fixture
def receiver(certificates: Certificates) -> Iterator[Receiver]:
    running = Receiver(certificates.server_context())
    yield running
    running.stop()


@pytest.fixture
def worker(aws: Storage, receiver: Receiver, certificates: Certificates) -> Worker:
    return Worker(aws, network_to(receiver, certificates.ca_file))
