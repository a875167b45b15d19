"""A logged-in mailbox: all that sync does with one."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date

from ablage.accounts import Account, Folder, uidvalidity_in
from ablage.errors import AccountFault
from ablage.mailbox import connection, folders, gmail, status
from ablage.mailbox.connection import Bounds, Mailbox
from ablage.mailbox.header_only import fetch_header
from ablage.mailbox.listing import FolderStatus
from ablage.mailbox.login import Credential, login
from ablage.mailbox.network import Network
from ablage.mailbox.opening import LAST, Opening, Search, uids_of
from ablage.mailbox.pace import Pace
from ablage.mailbox.providers import provider_of
from ablage.mailbox.pull import FLIGHT_BYTES, Result
from ablage.mailbox.status import Listed
from ablage.mailbox.windows import Choose, Windows
from ablage.mailbox.wire import Wire

COUNTED = 300  # folders, where each costs a command


@dataclass(frozen=True)
class Session:
    """Every method raises AccountFault. A UIDVALIDITY is that of the account's generation."""

    mailbox: Mailbox
    wire: Wire
    told: frozenset[str]
    pace: Pace
    generation: int = 0
    _found: dict[Search, list[int]] = field(default_factory=dict, init=False)  # in the open folder

    @functools.cached_property
    def capabilities(self) -> frozenset[str]:
        """As told with the login, else asked for once: an idle look needs none."""
        return self.told or status.capabilities(self.wire)

    @property
    def is_gmail(self) -> bool:
        return folders.GMAIL in self.capabilities

    def folders(self) -> tuple[Folder, ...]:
        """With counts; they cost one command where the server has LIST-STATUS, else a flight."""
        listed = folders.list_folders(self.wire, self.capabilities)
        if "LIST-STATUS" not in self.capabilities:
            told = status.status_of(self.wire, [folders.raw_name(f) for f in listed[:COUNTED]])
            listed = folders.with_counts(listed, told)
        return tuple(self._folder_in_generation(folder) for folder in listed)

    def _folder_in_generation(self, folder: Folder) -> Folder:
        uidvalidity = uidvalidity_in(self.generation, folder.uidvalidity or 0)
        return replace(folder, uidvalidity=uidvalidity)

    def status(self, wanted: Sequence[Folder]) -> dict[str, FolderStatus]:
        """By folder id; a folder that could not be looked at is left out."""
        names = {folders.raw_name(folder): folder.folder_id for folder in wanted}
        can_list = len(names) > status.FEW and "LIST-STATUS" in self.capabilities
        with self.pace.timed():
            found = status.status_of(self.wire, list(names), has_list_status=can_list)
        return {names[name]: self._in_generation(value) for name, value in found.items()}

    def examine(self, folder: Folder, ahead: Search | None = None) -> FolderStatus:
        """`ahead` is what will be asked for once it is open: sent along where the pace allows it,
        answered when it is asked for."""
        self._found.clear()
        sent = ahead if self.pace.may_send_ahead else None
        try:
            with self.pace.timed():
                opening = Opening(self.wire, folders.raw_name(folder), sent)
                opened = opening.opened()
            self._found.update(opening.found())
        except AccountFault as fault:
            if sent and fault.code != "folder_missing":
                self.pace.trouble()
            raise
        return self._in_generation(opened)

    def _in_generation(self, told: FolderStatus) -> FolderStatus:
        uidvalidity = uidvalidity_in(self.generation, told.uidvalidity or 0)
        return replace(told, uidvalidity=uidvalidity)

    def new_uids(self, above: int, since: date | None = None) -> list[int]:
        """As `Search`."""
        return self._uids(Search(above, since))

    def last_uid(self) -> int:
        """The highest UID in the folder, 0 when empty. Not UIDNEXT: that may run ahead."""
        return max(self._uids(LAST), default=0)

    def _uids(self, wanted: Search) -> list[int]:
        """What was found earlier says nothing beside what is found now."""
        if wanted in self._found:
            return self._found.pop(wanted)
        if not wanted.may_find:
            return []
        self._found.clear()
        with self.pace.timed():
            return uids_of(self.wire, wanted)

    def list_sizes(self, uids: Sequence[int]) -> list[Listed]:
        more = gmail.ITEMS if self.is_gmail else b""
        return status.list_sizes(self.wire, uids, more, self.pace.depth)

    def header(self, uid: int) -> bytes | None:
        return fetch_header(self.wire, uid)

    def fetch(
        self,
        uids: Sequence[int],
        choose: Choose,
        should_stop: Callable[[], bool],
        room: Callable[[], int] = lambda: FLIGHT_BYTES,
    ) -> Iterator[Result]:
        """As `Windows.fetch`. In a Gmail mailbox whoever chooses knows one window."""
        items, ahead = (gmail.ITEMS, False) if self.is_gmail else (b"", True)
        windows = Windows(self.wire, uids, choose, self.pace, items, ahead)
        return windows.fetch(should_stop, room)


@contextmanager
def open_session(
    network: Network, account: Account, credential: Credential, bounds: Bounds
) -> Iterator[Session]:
    """Connected and logged in; closed in the end, whatever happened. Raises AccountFault."""
    mailbox = connection.connect(network, account.host, account.port, bounds)
    try:
        wire = Wire(mailbox.client)
        told = login(mailbox, wire, account.username, credential)
        pace = Pace(provider_of(account.host).depth, clock=bounds.clock)
        yield Session(mailbox, wire, told, pace, account.generation)
    finally:
        connection.close(mailbox)
