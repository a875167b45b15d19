"""A connected mailbox: what the tenant set. What sync found out lives in its state
(`ablage.store.accounts`)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ablage.habit import Habit
from ablage.tenancy import TenantId

RETENTION_CLASSES = ("30d", "90d", "365d")
DEFAULT_INTERVAL = 5  # minutes
SYNC_DAYS_BACK = 30
FOLDER_MODES = ("auto", "on_demand", "never", "private")
SYNC_FOLDERS = ("inbox_and_sent", "all", "chosen")


@dataclass(frozen=True)
class Account:
    """`filing_since` is RFC 3339 UTC to the second; `aliases` are normalised addresses or
    `@domain`; `address` as typed, `own` its exact key. `sync_folders` says which folders are read
    by themselves, `folder_modes` (by folder id) what a person decided otherwise, as in
    `ablage.folder_modes`. `generation` counts the mailboxes the account was pointed at: what was
    read of one says nothing about the next. `auth` is `password|google|microsoft|microsoft_app`;
    `delegate` who signs in for a shared mailbox. `login_version`
    is the version with which the login was sent last. `visibility` is empty where nobody chose."""

    tenant: TenantId
    account_id: str
    address: str
    own: str
    host: str
    port: int
    username: str
    version: int
    sync: bool = True
    filing_enabled: bool = False
    filing_since: str | None = None
    sync_since: str | None = None
    owner: str | None = None
    viewers: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    sync_folders: str = "inbox_and_sent"
    folder_modes: Mapping[str, str] = field(default_factory=dict)
    retention: str = "30d"
    created_at: str = ""
    deleted: bool = False
    generation: int = 0
    auth: str = "password"
    delegate: str | None = None
    login_version: int = 0
    visibility: str = ""

    @property
    def shown_to_others(self) -> str:
        """`full|headers|viewers`: what others than its viewers see of its filed mail. Where nobody
        chose, a mailbox of a person (with an owner) shows `headers`, a shared one `full`."""
        return self.visibility or ("headers" if self.owner else "full")

    def files(self, received_at: str) -> bool:
        """Automatic filing is on and the copy came at or after `since` (RFC 3339 UTC to the
        second)."""
        return (
            self.filing_enabled
            and self.filing_since is not None
            and received_at >= self.filing_since
        )


API_ACCOUNT = "@api"
"""Where mail lies that the tenant's own system sent or holds: no mailbox, and no id of one begins
with an `@`."""


def api_account(tenant: TenantId) -> Account:
    """Nobody's mailbox: it has no address and files always."""
    return Account(tenant, API_ACCOUNT, "", "", "", 0, "", 0, filing_enabled=True, filing_since="")


INTERVALS = (1, 5, 15, 60)  # minutes; each is a tier of the due index


ALL_MAIL = hashlib.sha256(b"\\All").hexdigest()[:16]
"""Folder id of every mail of a Gmail mailbox, for each of them lies in All Mail once; its localized
name may change."""


@dataclass(frozen=True)
class Folder:
    """A folder as sync listed it. `name` is decoded for people; `raw` is what the server calls it
    (modified UTF-7 or whatever it sent, latin-1); `role` is
    `inbox|sent|drafts|trash|junk|archive|all|flagged|important|private` or ``; `foreign`: another
    user's, or shared. The counts are of the last listing, None where it did not tell them."""

    folder_id: str
    name: str
    role: str = ""
    raw: str = ""
    foreign: bool = False
    messages: int | None = None
    uidvalidity: int | None = None
    uidnext: int | None = None


@dataclass(frozen=True)
class AccountState:
    """What sync found out. `status` is `syncing|ok|throttled|degraded|reauth_required`; `code`,
    `detail` and `since` (RFC 3339 UTC) describe a fault and are None without one; `interval` is the
    polling tier in minutes, `habit` what it follows; `gmail`: the server has Gmail's extensions
    (X-GM-EXT-1).

    Of faults, in epoch seconds or 0: nobody connects before `not_before` (NEVER: not by itself),
    long work waits till `backfill_after`, mail is fetched slowly till `slow_until`. `tries` are the
    faults in a row, `refusals` the refused logins since the last good one; both, and the waits, are
    about the login of `login_version`: a new one starts afresh."""

    status: str = "syncing"
    code: str | None = None
    detail: str | None = None
    since: str | None = None
    interval: int = DEFAULT_INTERVAL
    warnings: tuple[str, ...] = ()
    checked_at: str | None = None
    folders: tuple[Folder, ...] = ()
    habit: Habit = field(default_factory=Habit)
    gmail: bool = False
    tries: int = 0
    refusals: int = 0
    login_version: int = 0
    not_before: int = 0
    backfill_after: int = 0
    slow_until: int = 0


NEVER = 9_999_999_999  # epoch seconds; ten digits, as due keys have


def uidvalidity_in(generation: int, uidvalidity: int) -> int:
    """What stands for a server's UIDVALIDITY in cursors and raw keys: 32 bits that differ by
    generation, for two mailboxes may tell the same number. Generation 0 keeps the server's."""
    if not generation:
        return uidvalidity
    digest = hashlib.sha256(f"{generation}#{uidvalidity}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def last_poll(tenant: TenantId, account_id: str, interval: int, minute: int) -> int:
    """The last minute (since the epoch) up to `minute` in which the account was due."""
    return minute - (minute - slot(tenant, account_id, interval)) % interval


def slot(tenant: TenantId, account_id: str, interval: int) -> int:
    """The minute of the interval in which the account is polled: stable, so that load is even."""
    digest = hashlib.sha256(f"{tenant}#{account_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % interval
