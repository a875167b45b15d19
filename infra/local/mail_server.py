"""What every IMAP server of this machine can do, whoever runs underneath."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from infra.local.certificates import HOST
from infra.local.imap_wire import ImapWire


class Mailboxes(ABC):
    """IMAP over TLS on `host` and `port`, verified by `ca_file`. Each call is a connection of its
    own: use `connect` where many follow each other."""

    host = HOST

    def __init__(self, ca_file: Path) -> None:
        self.ca_file = ca_file
        self.port = 0
        self.passwords: dict[str, str] = {}

    def add_user(self, user: str, password: str) -> None:
        """A mailbox with INBOX, Sent and Trash."""
        self.passwords[user] = password
        self._make_user(user, password)

    @abstractmethod
    def _make_user(self, user: str, password: str) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    def connect(self, user: str) -> ImapWire:
        return ImapWire(self.host, self.port, self.ca_file, user, self.passwords[user])

    def append(
        self,
        user: str,
        folder: str,
        raw: bytes,
        *,
        flags: Iterable[str] = (),
        received: datetime | None = None,
    ) -> int:
        """Byte for byte as given; the new UID. Raises RefusedError (pymap: an empty mail)."""
        with self.connect(user) as wire:
            return wire.append(folder, raw, flags=flags, received=received)

    def create_folder(self, user: str, folder: str) -> None:
        with self.connect(user) as wire:
            wire.create_folder(folder)

    def move(self, user: str, source: str, uid: int, target: str) -> int:
        """The UID in the target folder."""
        with self.connect(user) as wire:
            return wire.move(source, uid, target)
