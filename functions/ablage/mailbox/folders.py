"""The folders of a mailbox, as sync lists them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ablage.accounts import ALL_MAIL, Folder
from ablage.mailbox.faults import fault
from ablage.mailbox.listing import (
    FolderStatus,
    Row,
    Spaces,
    read_row,
    read_spaces,
    read_status,
)
from ablage.mailbox.names import decode_name, folder_id
from ablage.mailbox.roles import may_have_role, role_of
from ablage.mailbox.syntax import Answer
from ablage.mailbox.wire import Wire, check_ready

FOLDERS = 1000  # kept of one account
FOLDERS_BYTES = 200 * 1024  # of them, as an item of 400 KB stores them
_FOLDER_BYTES = 192  # of one, beside its names

_HIDDEN = {b"\\NOSELECT", b"\\NONEXISTENT"}
_COUNTS = b"STATUS (MESSAGES UIDNEXT UIDVALIDITY)"
GMAIL = "X-GM-EXT-1"


def raw_name(folder: Folder) -> bytes:
    return folder.raw.encode("latin-1")


@dataclass
class _Listing:
    """What the answers tell, bounded: of a listing without end the first folders are kept, and
    those that seem to have a role."""

    spaces: Spaces = field(default_factory=Spaces)
    rows: dict[bytes, Row] = field(default_factory=dict)
    counts: dict[bytes, FolderStatus] = field(default_factory=dict)
    _notable: int = 0

    def take(self, answer: Answer) -> None:
        if answer.name == b"NAMESPACE":
            self.spaces = read_spaces(answer)
        elif answer.name in {b"LIST", b"XLIST"}:
            self._take_row(answer)
        elif answer.name == b"STATUS" and (told := read_status(answer)) and told[0] in self.rows:
            self.counts[told[0]] = told[1]

    def _take_row(self, answer: Answer) -> None:
        row = read_row(answer)
        if row is None:
            return
        if b"\\INBOX" in row.flags:  # XLIST tells its localized name
            row = replace(row, raw=b"INBOX")
        if known := self.rows.get(row.raw):  # listed twice
            self.rows[row.raw] = replace(known, flags=known.flags | row.flags)
        elif may_have_role(row) and self._notable < FOLDERS:
            self._notable += 1
            self.rows[row.raw] = row
        elif len(self.rows) - self._notable < FOLDERS:
            self.rows[row.raw] = row


def list_folders(wire: Wire, capabilities: frozenset[str]) -> tuple[Folder, ...]:
    """Every folder that can be opened, in the server's order, as many as an item holds, with counts
    where LIST tells them (RFC 5819). Raises AccountFault: an answer NO is no empty mailbox."""
    listing = _Listing()
    command = _list_command(capabilities)
    asked = [wire.send(b"NAMESPACE")] if "NAMESPACE" in capabilities else []
    for tag in [*asked, wire.send(command)]:
        ended = wire.end_of(tag, listing.take)
    is_whole = ended.name == b"OK" and b"INBOX" in listing.rows  # every mailbox has one
    if not is_whole and command != _PLAIN:
        ended = wire.end_of(wire.send(_PLAIN), listing.take)
    check_ready(ended)
    if ended.name != b"OK" or not listing.rows:
        raise fault("protocol_error")
    return _fitting(_folders(listing, is_gmail=GMAIL in capabilities))


_PLAIN = b'LIST "" "*"'


def _list_command(capabilities: frozenset[str]) -> bytes:
    if "XLIST" in capabilities and "SPECIAL-USE" not in capabilities:
        return b'XLIST "" "*"'
    told = [b"SPECIAL-USE"] if {"SPECIAL-USE", "LIST-EXTENDED"} <= capabilities else []
    told += [_COUNTS] if "LIST-STATUS" in capabilities else []
    return _PLAIN + (b" RETURN (" + b" ".join(told) + b")" if told else b"")


def _folders(listing: _Listing, *, is_gmail: bool) -> list[Folder]:
    found: dict[str, Folder] = {}
    for row in listing.rows.values():
        if not row.flags & _HIDDEN:
            folder = _folder(row, listing, is_gmail=is_gmail)
            found.setdefault(folder.folder_id, folder)
    return list(found.values())


def _folder(row: Row, listing: _Listing, *, is_gmail: bool) -> Folder:
    role = role_of(row, listing.spaces)
    told = listing.counts.get(row.raw, FolderStatus(None, None, None))
    return Folder(
        ALL_MAIL if is_gmail and role == "all" else folder_id(row.raw),
        decode_name(row.raw),
        role,
        row.raw.decode("latin-1"),
        foreign=listing.spaces.is_foreign(row.raw),
        messages=told.messages,
        uidvalidity=told.uidvalidity,
        uidnext=told.uidnext,
    )


def _fitting(folders: list[Folder]) -> tuple[Folder, ...]:
    """Those with a role first, for Inbox and Sent are what is read."""
    fitting: set[int] = set()
    left = FOLDERS_BYTES
    for place in sorted(range(len(folders)), key=lambda place: not folders[place].role):
        size = _stored_bytes(folders[place])
        if size <= left and len(fitting) < FOLDERS:
            fitting.add(place)
            left -= size
    return tuple(folder for place, folder in enumerate(folders) if place in fitting)


def _stored_bytes(folder: Folder) -> int:
    return _FOLDER_BYTES + len(folder.name.encode()) + len(folder.raw.encode())


def with_counts(
    folders: Iterable[Folder], told: Mapping[bytes, FolderStatus]
) -> tuple[Folder, ...]:
    """`told` by raw name, where it is told."""
    return tuple(
        replace(folder, **vars(told[raw])) if (raw := raw_name(folder)) in told else folder
        for folder in folders
    )
