"""What must be stored of a scripted mailbox, known from the script alone: every mail that is in
it, once, under its own key, byte for byte, and nothing else; and at no time a cursor past a mail
that S3 has not."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from tests.support.faulty_aws import Attempt, has_stored, stored_in
from tests.support.mailboxes import state_of
from tests.support.scripted_imap import ScriptedFolder

from ablage.accounts import Account
from ablage.store import keys
from ablage.store.cursors import Cursor, cursor_from_item, get_cursor
from ablage.store.raw_mail import RawKey, parse_key
from ablage.store.storage import Storage
from ablage.tenancy import TenantId

_deserialise = TypeDeserializer().deserialize


@dataclass
class Oracle:
    """`broken`: what was found, by name."""

    where: Storage
    account: Account
    folders: list[ScriptedFolder]
    broken: Counter[str] = field(default_factory=Counter)
    cursors_seen: int = 0

    @property
    def _place(self) -> tuple[TenantId, str]:
        return self.account.tenant, self.account.account_id

    def saw(self, attempt: Attempt) -> None:
        """A cursor was written: everything it covers is in S3, or known as a problem."""
        if attempt.name != "dynamodb:PutItem":
            return
        wire = attempt.body["Item"]
        for folder in self.folders:
            if wire["sk"]["S"] == keys.folder(*self._place, folder.folder_id)[1]:
                item = {name: _plain(value) for name, value in wire.items()}
                self.cursors_seen += 1
                self._check_cursor(folder, cursor_from_item(folder.folder_id, item))

    def _check_cursor(self, folder: ScriptedFolder, cursor: Cursor) -> None:
        if cursor.uidvalidity != folder.uidvalidity:
            return
        passed_over = {problem.uid for problem in cursor.problems}
        for uid in folder.mails.keys() - passed_over:
            key = self._key(folder, uid).text
            if covers(cursor, uid) and not has_stored(self.where.raw.bucket, key):
                self.broken["cursor ahead of S3"] += 1

    def _key(self, folder: ScriptedFolder, uid: int) -> RawKey:
        account = self.account
        return RawKey(
            account.retention, account.tenant, "box", folder.folder_id, folder.uidvalidity, uid
        )

    def _stored(self) -> dict[str, bytes]:
        prefix = f"raw/{self.account.retention}/{self.account.tenant}/"
        found = stored_in(self.where.raw.bucket)
        return {key: body for key, body in found.items() if key.startswith(prefix)}

    def is_open(self) -> bool:
        is_more = self.where.table.get(keys.more(*self._place)) is not None
        return is_more or bool(list(self._missing()))

    def _missing(self) -> Iterator[tuple[ScriptedFolder, int]]:
        stored = self._stored()
        for folder in self.folders:
            for uid, mail in folder.mails.items():
                if self._key(folder, uid).text not in stored and not mail.poisoned:
                    yield folder, uid

    def judge(self, created: Counter[str]) -> None:
        self.broken["lost"] += len(list(self._missing()))
        ever = {(f.folder_id, *place): raw for f in self.folders for place, raw in f.ever.items()}
        for text, body in self._stored().items():
            key = parse_key(text)
            assert key
            raw = ever.get((key.folder_id, key.uidvalidity, key.uid))
            if raw is None or digest(raw) != digest(body):
                self.broken["mis-keyed"] += 1
            if created[text] != 1:
                self.broken["doubled"] += 1
        for folder in self.folders:
            self._judge_poisoned(folder)
        if state_of(self.where, self.account).code:
            self.broken["a fault stayed"] += 1
        if not self.cursors_seen:
            self.broken["no cursor was seen"] += 1
        self.broken = +self.broken

    def _judge_poisoned(self, folder: ScriptedFolder) -> None:
        """What the server never hands out is passed over, and seen to be."""
        cursor = get_cursor(self.where.table, *self._place, folder.folder_id)
        known = {problem.uid for problem in cursor.problems} if cursor else set()
        poisoned = {uid for uid, mail in folder.mails.items() if mail.poisoned}
        self.broken["poisoned mail unknown"] += len(poisoned - known)


def covers(cursor: Cursor, uid: int) -> bool:
    return uid <= cursor.high or (cursor.since is not None and cursor.low <= uid <= cursor.ceiling)


def digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _plain(wire: dict[str, Any]) -> Any:
    return _ints(_deserialise(wire))


def _ints(value: Any) -> Any:
    if isinstance(value, list):
        return [_ints(each) for each in value]
    if isinstance(value, dict):
        return {name: _ints(each) for name, each in value.items()}
    return int(value) if hasattr(value, "as_tuple") else value
