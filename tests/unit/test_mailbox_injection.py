"""What people type and servers list reaches the wire as data, never as a command [T09]."""

import base64
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ablage.accounts import Folder
from ablage.errors import AccountFault
from ablage.mailbox.folders import raw_name
from ablage.mailbox.login import AccessToken, Credential, login
from ablage.mailbox.opening import Opening
from ablage.mailbox.status import status_of
from ablage.mailbox.wire import Wire

STRINGS = [
    *("a\r\nA1 DELETE INBOX", "a\nA1 DELETE INBOX", "a\rA1 DELETE INBOX", "\r\n", "\n", "\r"),
    *("a\x00b", "\x00", "a\x01b", "a\x1bb", "a\x7fb", "a\x0bb", "a\x0cb", "a\tb"),
    *('a" "b', 'a"\r\nA1 LOGOUT', '"', "a\\", 'a\\"', "\\", 'a\\" DELETE "b', "a b"),
    *("{5}", "a{5+}", "~{5}", "(a)", "INBOX)", "*", "%"),
    "a] OK done",
]
ALLOWED = {"LOGIN", "AUTHENTICATE", "EXAMINE", "STATUS", "CAPABILITY"}


class Obedient:
    """A transport that says OK to whatever comes, and `+` where a literal or a secret is due."""

    def __init__(self) -> None:
        self.sent = b""
        self._answers: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent += data
        tag = data.split(b" ", 1)[0]
        is_tagged = re.fullmatch(rb"W\d+", tag)
        self._tag = tag if is_tagged else self._tag
        is_asked = re.search(rb"\{\d+\}\r\n\Z", data) or data.endswith(b"AUTHENTICATE PLAIN\r\n")
        self._answers.append(b"+ \r\n" if is_asked else self._tag + b" OK done\r\n")

    def readline(self) -> bytes:
        return self._answers.pop(0)

    def take(self, size: int) -> bytes:
        raise AssertionError(size)


def commands(sent: bytes) -> list[str]:
    """As a server splits them: each line that is no literal and no answer to `+`."""
    found, at = [], 0
    while at < len(sent):
        end = sent.index(b"\r\n", at)
        line, at = sent[at:end], end + 2
        match = re.fullmatch(rb"(W\d+) ([A-Z]+)\b.*", line, re.DOTALL)
        found += [match[2].decode()] if match else []
        while literal := re.search(rb"\{(\d+)\}\Z", line):
            at += int(literal[1])
            end = sent.index(b"\r\n", at)
            line, at = sent[at:end], end + 2
    return found


def log_in(wire: Wire, name: str, credential: Credential, offered: str) -> None:
    client = SimpleNamespace(greeted=frozenset(offered.split()), host="h", port=993, state="")
    login(cast("Any", SimpleNamespace(client=client)), wire, name, credential)


FIELDS = {
    "user": lambda wire, text: log_in(wire, text, "secret", "IMAP4REV1"),
    "password": lambda wire, text: log_in(wire, "user", text, "IMAP4REV1"),
    "token": lambda wire, text: log_in(wire, "user", AccessToken(text), "AUTH=XOAUTH2 SASL-IR"),
    "folder": lambda wire, text: (
        Opening(wire, raw_name(Folder("f", text, raw=text))).opened(),
        status_of(wire, [raw_name(Folder("f", text, raw=text))]),
    ),
}


def test_there_are_thirty_of_them() -> None:
    assert (len(set(STRINGS)), len(FIELDS)) == (30, 4)


@pytest.mark.parametrize("text", STRINGS, ids=repr)
@pytest.mark.parametrize("name", FIELDS)
def test_a_string_is_one_argument_or_is_not_sent(name: str, text: str) -> None:
    transport = Obedient()
    has_controls = any(ord(character) < 32 or ord(character) == 127 for character in text)

    refused = False
    try:
        FIELDS[name](Wire(transport), text)
    except AccountFault:
        refused = True

    told = commands(transport.sent)
    assert refused == has_controls
    assert set(told) <= ALLOWED
    assert len(told) == (0 if has_controls else 2 if name == "folder" else 1)
    assert b"DELETE INBOX" not in transport.sent


@pytest.mark.parametrize("text", [text for text in STRINGS if text.isprintable()])
def test_what_is_sent_is_what_was_meant(text: str) -> None:
    """Both ways to send a password bring it unchanged."""
    quoted, encoded = Obedient(), Obedient()

    log_in(Wire(quoted), "user", text, "IMAP4REV1")
    log_in(Wire(encoded), "user", text, "AUTH=PLAIN SASL-IR")

    sent = re.fullmatch(rb'W1 LOGIN "user" "((?:[^"\\]|\\.)*)"\r\n', quoted.sent)
    assert sent
    assert re.sub(rb"\\(.)", rb"\1", sent[1]) == text.encode()
    assert base64.b64decode(encoded.sent.split()[3]) == f"\0user\0{text}".encode()
