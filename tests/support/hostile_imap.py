"""A TLS server that says what a script tells it to, and remembers what it was told."""

import contextlib
import os
import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from infra.local.certificates import HOST, Certificates
from infra.local.closing import close_gently

Script = Callable[["Talk"], None]

GREETING = b"* OK [CAPABILITY IMAP4rev1] ready\r\n"


class Talk:
    """One connection, seen from the server."""

    def __init__(self, connection: socket.socket, heard: list[bytes]) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._heard = heard
        self.tag = b""

    def say(self, data: bytes) -> None:
        self._connection.sendall(data)

    def hear(self) -> bytes:
        """The next command without its tag, which `ok` answers."""
        line = self._lines.readline()
        if not line:
            raise ConnectionError
        self._heard.append(line)
        self.tag, _, command = line.rstrip(b"\r\n").partition(b" ")
        return command

    def hear_more(self, size: int) -> bytes:
        """A literal of a command, and the rest of its line."""
        data = self._lines.read(size)
        line = self._lines.readline()
        self._heard.append(data + line)
        return data + line.rstrip(b"\r\n")

    def ok(self, untagged: bytes = b"", status: bytes = b"OK done") -> None:
        self.say(untagged + self.tag + b" " + status + b"\r\n")

    def greet(self) -> None:
        """Up to a successful login."""
        self.say(GREETING)
        self.hear()
        self.ok(status=b"OK [CAPABILITY IMAP4rev1] logged in")

    def is_heard_within(self, seconds: float) -> bool:
        """Something came, or the client has gone."""
        return bool(select.select([self._connection], [], [], seconds)[0])

    def reset(self) -> None:
        """RST, in the middle of whatever it was."""
        linger_not = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        self._lines.close()
        self._connection.close()
        raise ConnectionError

    def garble(self) -> None:
        """A record that no key of this connection made."""
        os.write(self._connection.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))

    def close(self) -> None:
        """The script has ended: what was said is heard. `reset` is the abrupt end."""
        self._lines.close()
        close_gently(self._connection)


# No test of the whole suite may ever make us say one of these [T09]
_WRITING = re.compile(
    rb"\S+ (?:UID )?(?:STORE|EXPUNGE|COPY|MOVE|APPEND|SELECT|CREATE|DELETE|RENAME|CLOSE)\b", re.I
)


class HostileImap:
    """Every connection is answered by `script`, in a thread of its own. `heard`: all lines
    received. `tls` is another server context than the certificates' own, or None for none."""

    host = HOST

    def __init__(
        self,
        certificates: Certificates,
        script: Script,
        tls: ssl.SSLContext | Literal["own"] | None = "own",
    ) -> None:
        self.ca_file: Path = certificates.ca_file
        self.heard: list[bytes] = []
        self.connections = 0
        self._tls = certificates.server_context() if tls == "own" else tls
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # of each connection
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        assert not [line for line in self.heard if _WRITING.match(line)]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            tls = self._tls
            told = tls.wrap_socket(connection, server_side=True) if tls else connection
            talk = Talk(told, self.heard)
        except OSError:
            connection.close()
            return
        try:
            self._script(talk)
        except OSError:
            pass
        finally:
            talk.close()
