"""Accounts of which all folders are read: one look at them all, and none that stops the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.mailboxes import a_mail, connect_mailbox, state_of, tools_for
from tests.support.odd_inbox import answer
from tests.support.polling import INBOX, keys_of, poll_once

from ablage.mailbox.names import folder_id
from ablage.store.storage import Storage

Hostile = Callable[[Script], HostileImap]

NAMES = (b"INBOX", b"Sent", b"Kunden", b"R & D", b"Projekte (alt)", b"S\xf6hne")


@dataclass
class Folders:
    """One mail in each folder; `refused` answers NO to STATUS."""

    capabilities: bytes
    refused: bytes = b""

    def __call__(self, talk: Talk) -> None:
        talk.say(b"* OK [CAPABILITY %b] ready\r\n" % self.capabilities)
        while True:
            self._reply(talk, whole(talk, talk.hear()))

    def _reply(self, talk: Talk, command: bytes) -> None:
        if command.startswith(b"LIST"):
            talk.ok(b"".join(self._rows(has_counts=b"STATUS" in command)))
        elif command.startswith(b"STATUS"):
            self._status(talk, command[7 : command.rindex(b" (")].strip(b'"'))
        elif command.startswith(b"LOGIN"):
            talk.ok(status=b"OK [CAPABILITY " + self.capabilities + b"] in")
        else:
            answer(talk, command, poison=0, last=1)

    def _status(self, talk: Talk, name: bytes) -> None:
        if name == self.refused:
            talk.ok(status=b"NO [SERVERBUG] not this one")
        else:
            talk.ok(status_of(name))

    def _rows(self, *, has_counts: bool) -> Iterator[bytes]:
        for name in NAMES:
            yield b'* LIST () "/" "%b"\r\n' % name
            if has_counts and name != self.refused:
                yield status_of(name)


def status_of(name: bytes) -> bytes:
    return b'* STATUS "%b" (UIDNEXT 2 UIDVALIDITY 7 MESSAGES 1)\r\n' % name


def whole(talk: Talk, command: bytes) -> bytes:
    """With the literal it may announce."""
    if not command.endswith(b"}"):
        return command
    start = command.rindex(b"{")
    talk.say(b"+ go on\r\n")
    return command[:start] + talk.hear_more(int(command[start + 1 : -1]))


@pytest.mark.parametrize("capabilities", [b"IMAP4rev1", b"IMAP4rev1 LIST-STATUS"])
@pytest.mark.parametrize("refused", [b"", b"Kunden"])
def test_every_folder_is_read_but_one_that_cannot_be_looked_at(
    aws: Storage, hostile: Hostile, capabilities: bytes, refused: bytes
) -> None:
    server = hostile(Folders(capabilities, refused))
    account = connect_mailbox(aws, server, "u@example.com", sync_folders="all")

    poll_once(tools_for(aws, server), account)

    read = {key.folder_id for key in keys_of(aws)}
    assert read == {folder_id(name) for name in NAMES if name != refused}
    assert state_of(aws, account).status == "ok"


@pytest.mark.parametrize(
    ("capabilities", "looks"),
    [(b"IMAP4rev1 LIST-STATUS", [b"LIST"]), (b"IMAP4rev1", [b"STATUS"] * len(NAMES))],
)
def test_an_idle_look_at_all_folders_is_one_command_or_one_flight(
    aws: Storage, hostile: Hostile, capabilities: bytes, looks: list[bytes]
) -> None:
    server = hostile(Folders(capabilities))
    account = connect_mailbox(aws, server, "u@example.com", sync_folders="all")
    poll_once(tools_for(aws, server), account)
    server.heard.clear()

    poll_once(tools_for(aws, server), account)

    asked = [line.split()[1] for line in server.heard if line.startswith(b"W")]
    assert [name for name in asked if name in {b"LIST", b"STATUS", b"EXAMINE"}] == looks


def test_names_go_back_as_they_came(aws: Storage, hostile: Hostile) -> None:
    server = hostile(Folders(b"IMAP4rev1"))
    account = connect_mailbox(aws, server, "u@example.com", sync_folders="all")

    poll_once(tools_for(aws, server), account)

    opened = b"".join(server.heard)
    assert b'EXAMINE "R & D"' in opened
    assert b'EXAMINE "Projekte (alt)"' in opened
    assert b"EXAMINE {5}\r\nS\xf6hne\r\n" in opened


def test_all_folders_are_all_but_what_is_kept_out(
    aws: Storage, imap: EmbeddedImap, user: str
) -> None:
    for name in ("Projekte", "Spam", "Entwürfe", "Persönlich", "Archiv"):
        imap.create_folder(user, name)
        imap.append(user, name, a_mail())
    imap.append(user, "Trash", a_mail())
    account = connect_mailbox(aws, imap, user, sync_folders="all")

    poll_once(tools_for(aws, imap), account)

    read = {key.folder_id for key in keys_of(aws)}
    assert read == {folder_id(b"Projekte"), folder_id(b"Archiv")}
    assert INBOX in {f.folder_id for f in state_of(aws, account).folders}
