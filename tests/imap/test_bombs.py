"""Whatever a server sends or holds back, a look ends in time, with a typed fault, in little memory
[T07, R14]."""

import resource
import time

import pytest
from infra.local.certificates import Certificates
from tests.support.bombs import BOMBS, LAB, TLS
from tests.support.hostile_imap import HostileImap
from tests.support.mailboxes import network

from ablage.accounts import Account
from ablage.errors import AccountFault
from ablage.faults import TABLE
from ablage.mailbox.connection import Bounds
from ablage.mailbox.pull import pull
from ablage.mailbox.session import open_session
from ablage.tenancy import TenantId

SECONDS = 0.8
BOUNDS = Bounds(seconds=SECONDS, silence=0.3, received=64 * 1024 * 1024)
MB = 1024 * 1024


def look(server: HostileImap) -> None:
    """All that a poll asks."""
    account = Account(TenantId("t"), "a", "a@b.de", "a@b.de", server.host, server.port, "u", 1)
    with open_session(network(server), account, "secret", BOUNDS) as session:
        folders = session.folders()
        session.status(folders)
        session.examine(folders[0])
        list(pull(session.wire, session.list_sizes(session.new_uids(0)), session.pace))


def test_there_are_as_many_as_it_says() -> None:
    assert (len(LAB), len(TLS)) == (14, 6)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_in_time_and_in_little_memory(certificates: Certificates, name: str) -> None:
    bomb = BOMBS[name]
    server = HostileImap(certificates, bomb.script, "own" if bomb.is_tls else None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began = time.monotonic()

    with pytest.raises(AccountFault) as fault:
        look(server)

    took = time.monotonic() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    server.stop()
    assert took < SECONDS + 20  # a busy machine; a bomb itself has no end
    assert grown < 64 * MB
    assert fault.value.code in {row.code for row in TABLE}
