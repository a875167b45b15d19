"""The demo over every `.eml` of a folder: appended, synced, matched, filed, and counted."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from infra.local.demo_client import Client, Json, RefusedError
from infra.local.demo_console import Console, cut
from infra.local.demo_report import SUBJECT, entity_of, why
from infra.local.demo_stack import (
    connect,
    dead_letters,
    poll_until,
    raw_bytes,
    raw_keys,
    to_match,
)
from infra.local.imap_wire import ImapWire
from infra.local.imap_wire import RefusedError as AppendRefusedError
from infra.local.stack import LocalStack

from ablage.headers import read_headers

TENANT = "demo"
MAILBOXES = 4
EVERY = 3  # a contact of every third From address
ROWS = 3  # shown of an archive
_INBOX = "INBOX"
_DOMAIN = "demo-mailboxes.example"


@dataclass(frozen=True)
class Sums:
    """`appended`: taken by the IMAP server; `stored`: raw objects; `messages` and `copies` (further
    copies of a known message) as the API tells; `dead`: records in dead-letter queues; `differing`:
    stored bytes that an independent FETCH does not confirm."""

    appended: int
    stored: int
    messages: int
    copies: int
    filed: int
    unmatched: int
    dead: int
    differing: int

    @property
    def failed(self) -> int:
        return self.dead + self.appended - self.stored

    @property
    def hold(self) -> bool:
        return (
            self.failed == 0
            and self.differing == 0
            and self.appended == self.stored == self.messages + self.copies
            and self.messages == self.filed + self.unmatched
        )

    def __str__(self) -> str:
        names = ("appended", "stored", "messages", "copies", "filed", "unmatched", "failed")
        return " ".join(f"{name}={getattr(self, name)}" for name in names)


@dataclass
class FolderDemo:
    stack: LocalStack
    console: Console
    folder: Path
    appended: dict[tuple[str, int], Path] = field(default_factory=dict)
    refused: list[Path] = field(default_factory=list)
    done: int = 0

    def run(self) -> Sums:
        """Filing is on, and `since` set, before the first mail is appended."""
        self.api = Client(self.stack.base_url, self.stack.token(TENANT))
        files = sorted(p for p in self.folder.rglob("*") if p.suffix.lower() == ".eml")
        self.console.line(f"{len(files)} .eml files below {self.folder}")
        self._connect()
        contacts = self._contacts(files)
        with self.console.step("appended", lambda: f"{len(self.appended)} of {len(files)}"):
            self._append(files)
        with self.console.step("synced and filed", self._progress):
            poll_until(self.stack, lambda: len(self.appended) - len(raw_keys(self.stack)))
        with self.console.step("stored bytes compared", lambda: f"{self.done} mails"):
            differing = list(self._differing())
        with self.console.step("messages read", lambda: f"{self.done} messages"):
            messages = self._messages()
        self._report(messages, contacts)
        self._report_bytes(differing)
        return self._sums(messages, len(differing))

    def _progress(self) -> str:
        stored, waiting = len(raw_keys(self.stack)), to_match(self.stack)
        return f"{stored} of {len(self.appended)} stored, {waiting} waiting to be matched"

    # ---- before ----------------------------------------------------------------------------------

    def _connect(self) -> None:
        since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        filing = {"enabled": True, "since": since}
        for account in _accounts():
            connect(self.stack, self.api, account, _address(account), automatic_filing=filing)
        with self.console.step(f"{MAILBOXES} empty mailboxes connected, filing on since {since}"):
            self.stack.drain()

    def _contacts(self, files: list[Path]) -> dict[str, str]:
        """Contact id -> address, for every third address that stands in a From field."""
        with self.console.step("senders read", lambda: f"{self.done} files"):
            senders = self._senders(files)
        with self.console.step("contacts written"):
            chosen = {
                f"c-{number:04}": address for number, address in enumerate(senders[::EVERY], 1)
            }
            for contact, address in chosen.items():
                self._put_contact(contact, address)
        self.console.line(f"{len(senders)} From addresses, a contact of every third: {len(chosen)}")
        return chosen

    def _senders(self, files: list[Path]) -> list[str]:
        """Each once, in order; the product's own reading of From."""
        found: dict[str, str] = {}
        for self.done, file in enumerate(files, 1):
            for mailbox in read_headers(file.read_bytes()).from_:
                if mailbox.address:
                    found.setdefault(mailbox.address.exact, mailbox.address.text)
        return list(found.values())

    def _put_contact(self, contact: str, address: str) -> None:
        try:
            self.api.put(f"/v1/contacts/{contact}", {"name": contact, "addresses": [address]})
        except RefusedError as error:
            self.console.line(f"no contact of {address}: {error}")

    def _append(self, files: list[Path]) -> None:
        """Round the mailboxes, byte for byte, at this moment (no INTERNALDATE of the past)."""
        shares = {account: files[n::MAILBOXES] for n, account in enumerate(_accounts())}
        for account, share in shares.items():
            left = list(reversed(share))
            while left:  # a server may hang up on what it refuses: then a new connection goes on
                with self.stack.imap.connect(_address(account)) as wire:
                    self._append_until_refused(wire, account, left)

    def _append_until_refused(self, wire: ImapWire, account: str, left: list[Path]) -> None:
        while left:
            file = left.pop()
            try:
                self.appended[account, wire.append(_INBOX, file.read_bytes())] = file
            except (AppendRefusedError, OSError):
                self.refused.append(file)
                return

    # ---- after -----------------------------------------------------------------------------------

    def _differing(self) -> Iterator[str]:
        """Keys whose bytes are not what the server itself holds, by a FETCH of our own."""
        stored = {_account_and_uid(key): key for key in raw_keys(self.stack)}
        self.done, self.as_file = 0, 0
        for account in _accounts():
            with self.stack.imap.connect(_address(account)) as wire:
                for uid in wire.uids(_INBOX):
                    self.done += 1
                    held = _sha256(wire.fetch(_INBOX, uid))
                    key = stored.get((account, uid))
                    if key is None or _sha256(raw_bytes(self.stack, key)) != held:
                        yield key or f"{account}/{uid}: not stored"
                    else:
                        self.as_file += held == self._sha256_of_file(account, uid)

    def _sha256_of_file(self, account: str, uid: int) -> str:
        return _sha256(self.appended[account, uid].read_bytes())

    def _messages(self) -> list[Json]:
        """Each message once, in the order of the overviews."""
        ids = {
            row["message"]: None
            for account in _accounts()
            for row in self.api.items(f"/v1/accounts/{account}/messages")
        }
        found = []
        for self.done, message in enumerate(ids, 1):
            found.append(self.api.get(f"/v1/messages/{message}"))
        return found

    def _report(self, messages: list[Json], contacts: dict[str, str]) -> None:
        self.console.title("where each mail was filed, and why")
        for number, message in enumerate(messages, 1):
            filed = ", ".join(entity_of(filing) for filing in message["filings"])
            subject = cut(message["subject"] or "(no subject)", SUBJECT)
            self.console.line(f"{number:4} {subject}  ->  {filed or 'not filed'}  ({why(message)})")
        self.console.title("the archives, newest first")
        for contact, address in contacts.items():
            rows = list(self.api.items(f"/v1/archives/contact/{contact}"))
            self.console.line(f"contact/{contact} {address}: {len(rows)}")
            for row in rows[:ROWS]:
                self.console.line(f"     {row['sort_time'][:10]}  {cut(row['subject'], SUBJECT)}")
            if len(rows) > ROWS:
                self.console.line(f"     and {len(rows) - ROWS} more")

    def _report_bytes(self, differing: list[str]) -> None:
        self.console.line()
        for key in differing:
            self.console.line(f"WRONG stored bytes differ from what the server holds: {key}")
        self.console.line(
            f"stored = FETCH, SHA-256: {len(self.appended) - len(differing)}; "
            f"FETCH = file: {self.as_file}"
        )
        names = ", ".join(str(file.relative_to(self.folder)) for file in self.refused)
        self.console.line(f"refused by the IMAP server: {len(self.refused)} {names}".rstrip())

    def _sums(self, messages: list[Json], differing: int) -> Sums:
        filed = sum(message["filings_count"] > 0 for message in messages)
        return Sums(
            appended=len(self.appended),
            stored=len(raw_keys(self.stack)),
            messages=len(messages),
            copies=sum(len(message["copies"]) - 1 for message in messages),
            filed=filed,
            unmatched=len(messages) - filed,
            dead=dead_letters(self.stack),
            differing=differing,
        )


def _accounts() -> list[str]:
    return [f"box-{number}" for number in range(1, MAILBOXES + 1)]


def _address(account: str) -> str:
    return f"{account}@{_DOMAIN}"


def _account_and_uid(key: str) -> tuple[str, int]:
    """`raw/{class}/{tenant}/{account}/{folder}/{uidvalidity}/{uid}.eml`"""
    parts = key.removesuffix(".eml").split("/")
    return parts[3], int(parts[6])


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
