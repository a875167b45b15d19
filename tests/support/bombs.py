"""Servers that drip, flood, announce what never comes, or break off: where, and with what [T07]."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.hostile_imap import GREETING, Script, Talk
from tests.support.odd_inbox import inbox

GB = 1_000_000_000


def dripping(talk: Talk, begin: bytes = b"") -> None:
    """A byte each twentieth of a second, until the client has gone."""
    talk.say(begin)
    while True:
        talk.say(b"x")
        if talk.is_heard_within(0.05):
            return


def flooding(talk: Talk, line: bytes) -> None:
    chunk = line * (65536 // len(line))
    for _ in itertools.count():
        talk.say(chunk)


def at(word: bytes, act: Callable[[Talk], None]) -> Script:
    """A polite Inbox of two mails until it hears `word`."""

    def hook(talk: Talk, command: bytes) -> bool:
        if word not in command:
            return False
        act(talk)
        raise ConnectionError

    return inbox(lambda: 2, hook)


def saying(data: bytes) -> Callable[[Talk], None]:
    """And silent then."""

    def act(talk: Talk) -> None:
        talk.say(data)
        while True:
            talk.hear()

    return act


def resetting(talk: Talk, begin: bytes) -> None:
    talk.say(begin)
    talk.reset()


@dataclass(frozen=True)
class Bomb:
    script: Script
    is_tls: bool = True


BODY = b"* 1 FETCH (UID 1 BODY[] {%d}\r\n"
LAB = {
    "greeting drips": Bomb(dripping),
    "greeting never comes": Bomb(saying(b"")),
    "greeting never ends": Bomb(lambda t: flooding(t, b"x")),
    "greeting with a literal of 3 GB": Bomb(saying(b"* OK {%d}\r\n" % (3 * GB))),
    "flood behind the greeting": Bomb(lambda t: flooding(t, b"* OK more\r\n")),
    "login unanswered": Bomb(saying(GREETING)),
    "folders in drips": Bomb(at(b"LIST", lambda t: dripping(t, b"* LIST ("))),
    "folders without end": Bomb(at(b"LIST", lambda t: flooding(t, b'* LIST () "/" x\r\n'))),
    "folder name of 300 MB": Bomb(at(b"LIST", saying(b'* LIST () "/" {300000000}\r\n'))),
    "status unanswered": Bomb(at(b"STATUS", saying(b""))),
    "search line without end": Bomb(at(b"SEARCH", lambda t: flooding(t, b" 1"))),
    "mail of 3 GB": Bomb(at(b"BODY", saying(BODY % (3 * GB)))),
    "mail that drips": Bomb(at(b"BODY", lambda t: dripping(t, BODY % 8_000_000))),
    "brackets in brackets": Bomb(at(b"BODY", saying(b"* 1 FETCH " + b"(" * 100_000 + b"\r\n"))),
}
TLS = {
    "no handshake": Bomb(saying(b""), is_tls=False),
    "handshake in drips": Bomb(lambda t: dripping(t, b"\x16\x03\x03\x40\x00"), is_tls=False),
    "plain text for a handshake": Bomb(saying(b"* OK ready\r\n"), is_tls=False),
    "handshake refused": Bomb(saying(b"\x15\x03\x03\x00\x02\x02\x28"), is_tls=False),
    "reset in the handshake": Bomb(lambda t: resetting(t, b"\x16\x03\x03"), is_tls=False),
    "reset in a mail": Bomb(at(b"BODY", lambda t: resetting(t, BODY % 1000 + b"half"))),
}
BOMBS = LAB | TLS
