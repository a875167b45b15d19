"""A server may lie about anything: what is stored was asked for, the cursor never passes a mail
that is neither stored, a problem, nor gone by the server's own word, and all faults are typed
[T08]."""

import random
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.liar import LIES, Folder, Liar

from ablage.errors import AccountFault
from ablage.faults import TABLE
from ablage.mailbox.pace import Pace
from ablage.mailbox.pull import Fetched
from ablage.mailbox.session import Session
from ablage.mailbox.wire import Wire
from sync.folder_run import FolderRun
from sync.uploads import Settled
from sync.walk import Slice, Walk

CODES = {row.code for row in TABLE}
LOOKS = 4
SCRIPTS = 5000


@dataclass
class Archive:
    """Where mail is put, and how far the folder is read: what stays between looks."""

    stored: dict[int, bytes] = field(default_factory=dict)
    problems: set[int] = field(default_factory=set)
    high: int = 0
    codes: list[str] = field(default_factory=list)
    _under: list[Settled] = field(default_factory=list)

    @property
    def underway(self) -> int:
        return len(self._under)

    def put(self, mail: Fetched) -> None:
        body = mail.body if isinstance(mail.body, bytes) else b"".join(mail.body)
        self.stored.setdefault(mail.uid, body)
        self._under.append(Settled(mail.uid, mail.size, is_new=True))

    def settled(self, *, wait: bool = False) -> list[Settled]:
        settled, self._under = self._under, []
        return settled

    def abandon(self) -> None:
        self._under.clear()


def look(archive: Archive, folder: Folder, liar: Liar) -> None:
    """One session, as a poll of one folder has it."""
    wire = Wire(liar)
    session = Session(cast("Any", None), wire, frozenset({"IMAP4REV1"}), Pace())
    walk = Walk(session, Slice(60, 10**9), archive, FolderRun("f"), edge=archive.high)

    def commit() -> None:
        archive.high = max(archive.high, walk.edge)
        archive.problems |= {problem.uid for problem in walk.problems}
        check(archive, folder)

    try:
        walk.run(session.new_uids(archive.high), commit)
    except AccountFault as fault:
        archive.codes.append(fault.code)


def check(archive: Archive, folder: Folder) -> None:
    settled = archive.stored.keys() | archive.problems | folder.denied
    unsettled = [uid for uid in folder.named if uid not in settled]
    assert archive.high <= min(unsettled, default=2**32) - 1
    assert archive.stored.keys() <= folder.asked


def run(script: list[str], seed: int) -> Archive:
    archive, folder, draw = Archive(), Folder(), random.Random(seed)
    lies = list(script)
    for _ in range(LOOKS):
        look(archive, folder, Liar(folder, lies, draw))
    look(archive, folder, Liar(folder, [], draw))
    check(archive, folder)
    assert set(archive.codes) <= CODES
    for uid, body in archive.stored.items():
        assert body in folder.said[uid] or is_cut(body, folder.said[uid])
    assert set(folder.uids) <= archive.stored.keys() | archive.problems | folder.denied
    return archive


def is_cut(body: bytes, said: set[bytes]) -> bool:
    """A literal announced too short is what the server calls the mail."""
    return any(whole.startswith(body) for whole in said)


@pytest.mark.parametrize("part", range(10))
def test_five_thousand_scripts_of_lies(part: int) -> None:
    share = SCRIPTS // 10
    for seed in range(part * share, (part + 1) * share):
        draw = random.Random(seed)
        run([draw.choice(LIES) for _ in range(draw.randrange(1, 20))], seed)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(LIES), max_size=20), st.integers(0, 1000))
def test_a_script_that_breaks_it_would_be_shown_small(script: list[str], seed: int) -> None:
    run(script, seed)


def test_an_honest_server_is_read_whole() -> None:
    archive = run([], 1)

    assert (len(archive.stored), archive.problems, archive.codes) == (8, set(), [])


@pytest.mark.parametrize("lie", LIES)
def test_the_checks_would_see_a_cursor_that_passes_a_mail(lie: str) -> None:
    """They are no ornament: a cursor one too high is caught, whatever the lie."""
    archive, folder = run([lie], 1), Folder()
    folder.named = {7}
    folder.asked = set(archive.stored)
    archive.high = 7

    with pytest.raises(AssertionError):
        check(archive, folder)
