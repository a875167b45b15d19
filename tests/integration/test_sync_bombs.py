"""Hostile mailboxes among good ones: each its own state, and the others are read as ever [T07,
R14]."""

import time
from collections.abc import Iterator

import pytest
from infra.local.certificates import Certificates
from infra.local.imap_server import EmbeddedImap
from tests.support.bombs import BOMBS
from tests.support.hostile_imap import HostileImap
from tests.support.mailboxes import TENANT, a_mail, connect_mailbox, state_of, tools_for
from tests.support.polling import keys_of

from ablage.faults import TABLE
from ablage.mailbox.connection import Bounds
from ablage.mailbox.network import Network
from ablage.store.storage import Storage
from sync.poll import poll
from sync.tools import Tools
from sync.walk import Slice

SECONDS = 6.0
THREADS = 8


class Quick(Tools):
    def bounds(self) -> Bounds:
        return Bounds(seconds=SECONDS, silence=1.5, received=16 * 1024 * 1024)

    def share(self, seconds: float) -> Slice:
        return Slice(seconds, self.slice_bytes, self.clock)

    def seconds_left(self) -> float:
        """No second connection."""
        return 30.0


@pytest.fixture
def bombs(certificates: Certificates) -> Iterator[dict[str, HostileImap]]:
    running = {
        name: HostileImap(certificates, bomb.script, "own" if bomb.is_tls else None)
        for name, bomb in BOMBS.items()
    }
    yield running
    for server in running.values():
        server.stop()


def test_three_good_mailboxes_behind_twenty_bombs_are_read(
    aws: Storage, imap: EmbeddedImap, user: str, bombs: dict[str, HostileImap]
) -> None:
    hostile = [
        connect_mailbox(aws, server, "u@example.com", account_id=f"bomb{number}")
        for number, server in enumerate(bombs.values())
    ]
    imap.append(user, "INBOX", a_mail())
    good = [connect_mailbox(aws, imap, user, account_id=f"good{number}") for number in range(3)]
    hosts = frozenset(f"{server.host}:{server.port}" for server in (*bombs.values(), imap))
    known = tools_for(aws, imap)
    tools = Quick(known.storage, known.access, Network(str(imap.ca_file), hosts))
    began = time.monotonic()

    poll(tools, [(TENANT, each.account_id) for each in (*hostile, *good)], threads=THREADS)

    took = time.monotonic() - began
    rounds = -(-(len(hostile) + len(good)) // THREADS)
    assert took < rounds * (SECONDS + 1) + 20
    assert {key.account_id for key in keys_of(aws)} >= {each.account_id for each in good}
    assert {state_of(aws, each).status for each in good} == {"ok"}
    codes = [state_of(aws, each).code for each in hostile]
    assert set(codes) <= {row.code for row in TABLE}
    assert all(state_of(aws, each).status in ("degraded", "throttled") for each in hostile)
