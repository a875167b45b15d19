"""A session cut at each of its bytes, either way: what was handed out is whole, and the next walk
goes on behind what is stored [R15]. With AWS in it: tests/chaos/test_cut_connections.py."""

from collections import deque
from dataclasses import replace
from random import Random

import pytest
from tests.support.cut_imap import Cut, CutImap
from tests.support.scripted_imap import Clock, Mail, ScriptedFolder
from tests.support.walks import INFO

from ablage.accounts import Folder
from ablage.errors import AccountFault
from ablage.mailbox.connection import Bounds
from ablage.mailbox.opening import Search
from ablage.mailbox.pull import Fetched
from ablage.mailbox.session import open_session
from ablage.mailbox.syntax import Stream
from sync.folder_run import FolderRun
from sync.uploads import Settled
from sync.walk import Slice, Walk

INBOX = Folder("f", "INBOX", "inbox", "INBOX")
SIZES = (9, 400, 0, 90, 700, 33)  # of bodies
PARTS = 9  # every ninth byte each, by FIN and RST in turn


class Store:
    """What S3 would have: written once, whole."""

    def __init__(self) -> None:
        self.held: dict[int, bytes] = {}
        self.puts = 0
        self._under: list[Settled] = []

    @property
    def underway(self) -> int:
        return len(self._under)

    @property
    def unsent(self) -> int:
        return 0

    def put(self, mail: Fetched) -> None:
        assert not isinstance(mail.body, Stream)
        is_new = mail.uid not in self.held
        self.held.setdefault(mail.uid, mail.body)
        self.puts += 1
        self._under.append(Settled(mail.uid, mail.size, is_new))

    def settled(self, *, wait: bool = False) -> list[Settled]:
        if not wait and len(self._under) < 2:
            return []
        settled, self._under = self._under, []
        return settled

    def abandon(self) -> None:
        self._under.clear()


class Mailbox:
    """A folder of the server, its cursor, and the store."""

    def __init__(self, seed: int = 0) -> None:
        random, clock = Random(seed), Clock()
        self.folder = ScriptedFolder(b"INBOX", b"", 7)
        for number, size in enumerate(SIZES):
            raw = b"Subject: %d\r\n\r\n%b\r\n" % (number, b"{9}\r\n) " * size)[: size + 20]
            self.folder.deliver(Mail(raw, len(raw)), random.choice((0, 3)))
        self.server = CutImap([self.folder], clock, random)
        self.store, self.cursor = Store(), 0
        self.faults: list[str] = []

    def look(self) -> None:
        try:
            self._look()
        except AccountFault as fault:
            self.faults.append(fault.code)

    def _look(self) -> None:
        clock = self.server.clock
        account = replace(INFO, host="localhost")
        bounds = Bounds(clock=clock)
        with open_session(self.server.network(), account, "secret", bounds) as session:
            session.examine(INBOX, Search(self.cursor))
            uids = session.new_uids(self.cursor)
            walk = Walk(session, Slice(60.0, 10**9, clock), self.store, FolderRun("f"), self.cursor)
            walk.run(uids, lambda: self._move(walk.edge))

    def _move(self, edge: int) -> None:
        there = {uid for uid in self.folder.mails if uid <= edge}
        assert there <= self.store.held.keys()
        self.cursor = edge


def whole() -> Cut:
    mailbox = Mailbox()
    mailbox.look()
    assert not mailbox.faults
    return mailbox.server.seen[0]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_session_is_cut_at_each_byte(part: int) -> None:
    said, heard = whole().moved
    cuts = [Cut(said=at, is_reset=at % 2 > 0) for at in range(said)]
    cuts += [Cut(heard=at, is_reset=at % 2 > 0) for at in range(heard)]

    for cut in cuts[part::PARTS]:
        mailbox = Mailbox()
        mailbox.server.cuts = deque([cut])
        mailbox.look()
        assert cut.is_over
        assert mailbox.faults in ([], ["server_hung_up"])  # none where it had said good-bye
        mailbox.look()

        raws = {uid: mail.raw for uid, mail in mailbox.folder.mails.items()}
        assert mailbox.store.held == raws
        assert mailbox.store.puts == len(raws)  # what had come was not fetched again
        assert mailbox.cursor == max(raws)


def test_there_are_thousands_of_bytes_to_cut_at() -> None:
    assert sum(whole().moved) > 2500
