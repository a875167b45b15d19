"""Is anything missing between A and B? What is open in a folder, from how it stands.

Times are RFC 3339 UTC to the second, so that they compare as texts. A mail that could not be had
tells no date: it is open whatever A and B are."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Parked:
    """A mail that is there, but not to be had. `is_open`: it is tried again."""

    uid: int
    code: str
    tries: int
    is_open: bool


@dataclass(frozen=True)
class FolderStanding:
    """`importing` while the first import goes on: the range of UIDs it has not been through, both
    included. `moved` counts mails that vanished before they were read."""

    is_listed: bool
    is_synced: bool
    is_read: bool
    importing: tuple[int, int] | None = None
    parked: tuple[Parked, ...] = ()
    moved: int = 0


@dataclass(frozen=True)
class AccountStanding:
    """Mail received before `reads_from` is not read. `looked_at`: when the last look that went well
    was due; None before the first. `fault` and `fault_since` while the mailbox cannot be read.
    `has_more`: new mail is known and waits to be fetched."""

    reads_from: str
    looked_at: str | None
    is_synced: bool = True
    fault: str | None = None
    fault_since: str | None = None
    has_more: bool = False


@dataclass(frozen=True)
class Open:
    code: str
    detail: str


def what_is_open(
    account: AccountStanding, folder: FolderStanding, since: str, until: str
) -> tuple[Open, ...]:
    """Why mail of this folder received from `since` to `until` may be missing; empty: none is."""
    return (*_unread(folder), *_outside(account, since, until), *_lost(folder))


def _unread(folder: FolderStanding) -> Iterator[Open]:
    if not folder.is_listed:
        yield Open("folder_missing", "The mailbox does not show this folder; it is gone or hidden.")
    elif not folder.is_synced:
        yield Open("not_synced", "This folder is not synced; POST .../sync reads it once.")
    if not folder.is_read:
        yield Open("never_read", "This folder has not been read yet.")
    elif folder.importing:
        low, high = folder.importing
        yield Open("importing", f"The first import goes on: UIDs {low} to {high} are to be read.")


def _outside(account: AccountStanding, since: str, until: str) -> Iterator[Open]:
    if since < account.reads_from:
        detail = f"Mail received before {account.reads_from} is not read (`sync_since`)."
        yield Open("before_sync_since", detail)
    if account.looked_at is None or until > account.looked_at:
        yield _not_looked_at(account)
    if account.has_more:
        yield Open("waiting", "Mail is known that waits to be fetched; it goes on by itself.")


def _not_looked_at(account: AccountStanding) -> Open:
    if not account.is_synced:
        return Open("paused", "Sync is switched off: new mail is not read.")
    if account.fault:
        return Open(account.fault, f"The mailbox cannot be read since {account.fault_since}.")
    last = account.looked_at or "never"
    return Open("not_looked_at", f"The last look was {last}; later mail comes with the next.")


def _lost(folder: FolderStanding) -> Iterator[Open]:
    if folder.parked:
        detail = "Mails are there that could not be stored; `parked` has their UIDs and reasons."
        yield Open("parked", detail)
    if folder.moved:
        detail = f"{folder.moved} mails vanished before they were read: moved or deleted."
        yield Open("moved_before_sync", detail)
