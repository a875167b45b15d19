"""Mail of a Gmail mailbox: what its labels say, and one copy of it whatever folders it lies in.

Its raw key names All Mail, the upper half of its X-GM-MSGID where others have UIDVALIDITY, and the
lower half as UID. So no mail is stored twice; what is stored is not downloaded again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ablage.accounts import ALL_MAIL, Account, AccountState, Folder, uidvalidity_in
from ablage.folder_modes import mode_of
from ablage.mailbox.gmail import Gmail
from ablage.mailbox.names import decode_name
from ablage.mailbox.status import Listed
from ablage.store import gmail_ids
from ablage.store.raw_mail import RawKey
from sync.tools import Tools

_HALF = 32
_ROLES = {  # system labels, as Gmail spells them and as its folders are flagged
    b"\\INBOX": "inbox",
    b"\\SENT": "sent",
    b"\\DRAFT": "drafts",
    b"\\DRAFTS": "drafts",
    b"\\TRASH": "trash",
    b"\\SPAM": "junk",
    b"\\JUNK": "junk",
    b"\\CHAT": "chats",
    b"\\CHATS": "chats",
}
_LEFT_OUT = frozenset({"drafts", "trash", "junk", "chats"})


@dataclass
class Labels:
    """Of the mails in one folder. `kept_out` are labels (as shown) whose folders are not read, or
    only when asked."""

    tools: Tools
    account: Account
    folder: Folder
    kept_out: frozenset[str]
    is_private: bool
    _mails: dict[int, Gmail] = field(default_factory=dict)
    _stored: set[int] = field(default_factory=set)

    def wanted(self, listed: Iterable[Listed]) -> list[Listed]:
        """Without drafts and chats, and what carries the label of a folder that is kept out. What
        it says of a mail later is of these."""
        found = list(listed)
        self._mails = {mail.uid: mail.gmail for mail in found if mail.gmail}
        return [mail for mail in found if mail.gmail is None or self._is_wanted(mail.gmail)]

    def known(self, listed: Sequence[Listed]) -> set[int]:
        """UIDs of mails that are stored already."""
        ids = {} if self.is_private else self._ids(mail.uid for mail in listed)
        stored = gmail_ids.known(self.tools.storage.table, self.account, ids.values())
        return {uid for uid, msgid in ids.items() if msgid in stored}

    def _is_wanted(self, mail: Gmail) -> bool:
        roles = {_ROLES.get(label.upper(), "") for label in mail.labels} - {self.folder.role}
        names = {decode_name(label) for label in mail.labels} - {self.folder.name}
        return not (roles & _LEFT_OUT or names & self.kept_out)

    def role(self, uid: int) -> str:
        """Sent wins: mail to oneself lies in the Inbox too. The label of the open folder itself is
        not among those told."""
        own = self.folder.role
        if own in _LEFT_OUT | {"private"} or uid not in self._mails:
            return own
        roles = [own, *(_ROLES.get(label.upper(), "") for label in self._mails[uid].labels)]
        told = next((role for role in ("sent", "inbox") if role in roles), "")
        return told or ("" if own == "all" else own)

    def key(self, uid: int) -> RawKey | None:
        """None for a mail without an id, and in a private folder, where its own copy says so."""
        if self.is_private or uid not in self._mails:
            return None
        account, msgid = self.account, self._mails[uid].msgid
        where = account.retention, account.tenant, account.account_id, ALL_MAIL
        upper = uidvalidity_in(account.generation, msgid >> _HALF)
        return RawKey(*where, upper, msgid & (2**_HALF - 1))

    def note(self, uid: int) -> None:
        """It is in the raw bucket."""
        if not self.is_private:
            self._stored |= set(self._ids([uid]).values())

    def remember(self) -> None:
        """What was noted, before a cursor passes it."""
        stored, self._stored = self._stored, set()
        gmail_ids.remember(self.tools.storage.table, self.account, stored, self.tools.epoch())

    def _ids(self, uids: Iterable[int]) -> dict[int, int]:
        return {uid: self._mails[uid].msgid for uid in uids if uid in self._mails}


def labels_of(tools: Tools, account: Account, state: AccountState, folder: Folder) -> Labels | None:
    """None for a mailbox that has none."""
    if not state.gmail:
        return None
    shut = [f for f in state.folders if mode_of(account, state, f) in {"never", "private"}]
    kept_out = frozenset(name for f in shut for name in _labels_of_folder(f))
    is_private = mode_of(account, state, folder) == "private"
    return Labels(tools, account, folder, kept_out, is_private)


def _labels_of_folder(folder: Folder) -> tuple[str, ...]:
    """As labels name it. A view (Starred, Important) keeps out nothing."""
    by_role = {"inbox": ("\\Inbox",), "sent": ("\\Sent",), "flagged": (), "important": ()}
    return by_role.get(folder.role, (folder.name,))
