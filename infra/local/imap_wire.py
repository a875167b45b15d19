"""IMAP in raw bytes over a socket of our own: imaplib's `append` rewrites line ends.

For filling mailboxes and for reading them back independently of the product's own reader.
"""

import re
import ssl
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from socket import create_connection
from types import TracebackType

from imap_tools.imap_utf7 import utf7_encode

TIMEOUT = 30  # seconds per read
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_APPENDED = re.compile(rb"APPENDUID (\d+) (\d+)")
_COPIED = re.compile(rb"COPYUID \d+ \S+ (\d+)")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class RefusedError(Exception):
    """The server answered NO or BAD."""


class ImapWire:
    """A logged-in connection; use as a context manager."""

    def __init__(self, host: str, port: int, ca_file: Path, user: str, password: str) -> None:
        context = ssl.create_default_context(cafile=str(ca_file))
        plain = create_connection((host, port), timeout=TIMEOUT)
        self._socket = context.wrap_socket(plain, server_hostname=host)
        self._lines = self._socket.makefile("rb")
        self._tag = 0
        self._selected = ""
        try:
            self._answer_line()  # the greeting
            self._command(b"LOGIN " + _quoted(user) + b" " + _quoted(password))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "ImapWire":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def append(
        self,
        folder: str,
        raw: bytes,
        *,
        flags: Iterable[str] = (),
        received: datetime | None = None,
    ) -> int:
        """The new UID. `received`: INTERNALDATE, aware; else the server takes its own clock."""
        parts = [b"APPEND", _folder(folder)]
        if marks := " ".join(flags):
            parts.append(f"({marks})".encode())
        if received:
            parts.append(_internal_date(received))
        command = b" ".join([*parts, b"{%d}" % len(raw)])
        answer = self._command(command, literal=raw)
        found = _APPENDED.search(answer)
        return int(found[2]) if found else 0

    def create_folder(self, folder: str) -> None:
        self._command(b"CREATE " + _folder(folder))

    def uids(self, folder: str) -> list[int]:
        self._select(folder)
        found = re.search(rb"\* SEARCH([ \d]*)", self._command(b"UID SEARCH ALL"))
        return [int(uid) for uid in found[1].split()] if found else []

    def fetch(self, folder: str, uid: int) -> bytes:
        """The stored bytes, `\\Seen` untouched; KeyError where there is no such UID."""
        self._select(folder)
        answer = self._command(b"UID FETCH %d (BODY.PEEK[])" % uid)
        found = re.search(rb"BODY\[\] \{(\d+)\}\r\n", answer)
        if not found:
            raise KeyError(uid)
        return answer[found.end() : found.end() + int(found[1])]

    def flags(self, folder: str, uid: int) -> set[str]:
        self._select(folder)
        found = re.search(rb"FLAGS \(([^)]*)\)", self._command(b"UID FETCH %d (FLAGS)" % uid))
        return set(found[1].decode().split()) if found else set()

    def move(self, source: str, uid: int, target: str) -> int:
        """The UID in the target folder (0 where the server does not tell)."""
        self._select(source)
        found = _COPIED.search(self._command(b"UID MOVE %d " % uid + _folder(target)))
        return int(found[1]) if found else 0

    def _select(self, folder: str) -> None:
        if self._selected != folder:
            self._command(b"SELECT " + _folder(folder))
            self._selected = folder

    def _command(self, command: bytes, *, literal: bytes | None = None) -> bytes:
        """Everything the server says to a command, literals included; raises RefusedError."""
        self._tag += 1
        tag = b"A%d" % self._tag
        self._socket.sendall(tag + b" " + command + b"\r\n")
        if literal is not None:
            line = self._lines.readline()
            if not line.startswith(b"+"):
                raise RefusedError(line.decode(errors="replace").strip())
            self._socket.sendall(literal + b"\r\n")
        answer = b""
        while not (line := self._answer_line()).startswith(tag + b" "):
            answer += line
        if not line.startswith(tag + b" OK"):
            raise RefusedError(line.decode(errors="replace").strip())
        return answer + line

    def _answer_line(self) -> bytes:
        """One line with its literals; raises ConnectionError where the server hung up."""
        whole = b""
        while True:
            line = self._lines.readline()
            if not line:
                raise ConnectionError("the IMAP server hung up")
            whole += line
            if not (found := _LITERAL.search(line)):
                return whole
            whole += self._lines.read(int(found[1]))


def _folder(name: str) -> bytes:
    return b'"' + _escaped(utf7_encode(name)) + b'"'


def _quoted(text: str) -> bytes:
    return b'"' + _escaped(text.encode()) + b'"'


def _escaped(raw: bytes) -> bytes:
    return raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _internal_date(moment: datetime) -> bytes:
    text = moment.strftime(f'"%d-{_MONTHS[moment.month - 1]}-%Y %H:%M:%S %z"')
    return text.encode()
