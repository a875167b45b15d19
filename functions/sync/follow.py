"""Mail moved before it was read: its UID was given out, and is gone.

    last poll          delivered   moved          this poll
      |-- UIDNEXT 7        |-- UID 7   |-- Projekte    |-- UIDNEXT 8, no UID 7: one is missing
      |                                    UID 31      |   Projekte's UIDNEXT rose from 31 to 32:
      |                                                |   31 is read, as if a job had asked for it

What UIDNEXT was is remembered in the account's list of folders, which is written when folders are
listed; so an idle poll remembers nothing anew. Of a folder that is searched, only mail counts that
is as young as the last listing, less a day: a mail keeps its INTERNALDATE when it is moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ablage.accounts import Account, AccountState, Folder
from ablage.errors import AccountFault
from ablage.folder_modes import followed
from ablage.mailbox.listing import FolderStatus
from ablage.mailbox.opening import Search
from ablage.mailbox.session import Session
from ablage.store.cursors import get_cursor
from ablage.store.policies import get_policy
from sync.fetch_folder import Place, count_run, deposit_in, sift, since_of
from sync.folder_run import FolderRun
from sync.labels import labels_of
from sync.ledger import FOLLOW, write_run
from sync.tools import Tools
from sync.walk import Slice, Walk

TRIES = 5  # sessions broken in a row: a mail that may break each is left where it is
BROKEN = {"server_hung_up", "timeout", "protocol_error", "budget_exceeded"}  # not an outage
SLACK = timedelta(days=1)  # clocks differ, and a slice may have been cut off


@dataclass
class Following:
    """One session's search; the second folder that misses mail finds it done. `state` is the
    account's before this poll, `listed` the folders as they are now, once all was searched; `ran`
    what was done in each."""

    tools: Tools
    session: Session
    account: Account
    state: AccountState
    share: Slice
    listed: tuple[Folder, ...] = field(default=(), init=False)
    ran: list[FolderRun] = field(default_factory=list, init=False)

    def run(self) -> int | None:
        """How many mails were found; None when the share was used up before the end. Raises
        AccountFault. Another folder may be open behind it."""
        is_given_up = self.state.tries >= TRIES and self.state.code in BROKEN
        if self.listed or is_given_up or not self._may_follow():
            return 0
        found = self.session.folders()
        now = replace(self.state, folders=found)
        risen = [f for f in followed(self.account, now) if self._first_new(f)]
        if not all(self._read(folder) for folder in risen):
            return None
        self.listed = found
        return sum(ran.stored + ran.already for ran in self.ran)

    def _may_follow(self) -> bool:
        if not followed(self.account, self.state):
            return False
        return get_policy(self.tools.storage.table, self.account.tenant).follow_moves

    def _first_new(self, folder: Folder) -> int:
        """The UIDNEXT remembered, if it rose; 0 if it did not, or nobody knows. All is new in a
        folder made since, or made anew."""
        (before,) = remembering([folder], self.state.folders)
        if folder.uidnext is None or before.uidnext is None:
            return 0
        if before.uidvalidity != folder.uidvalidity:
            return 1
        return before.uidnext if folder.uidnext > before.uidnext else 0

    def _read(self, folder: Folder) -> bool:
        above, since = self._first_new(folder) - 1, self._since()
        try:
            opened = self.session.examine(folder, Search(above, since.date()))
        except AccountFault as fault:
            if fault.code != "folder_missing":
                raise
            return True
        labels = labels_of(self.tools, self.account, self.state, folder)
        uidvalidity = key_uidvalidity(self.tools, self.account, folder, opened)
        place = Place(self.account, folder, uidvalidity, labels=labels)
        ran = FolderRun(folder.folder_id, place.uidvalidity)
        self.ran.append(ran)
        walk = Walk(
            *(self.session, self.share, deposit_in(self.tools, self.session, place), ran),
            since=since,
            sift=lambda listed: sift(labels, ran, listed),
        )

        def commit() -> None:
            if labels:
                labels.remember()

        finished = walk.run(self.session.new_uids(above, since.date()), commit)
        count_run(self.tools, ran)
        write_run(self.tools, self.account, ran, FOLLOW)
        self.tools.summary.count("followed", ran.stored)
        return finished

    def _since(self) -> datetime:
        least = since_of(self.account, self.tools.time())
        if self.state.checked_at is None:
            return least
        return max(least, datetime.fromisoformat(self.state.checked_at).astimezone(UTC) - SLACK)


def remembering(listed: Sequence[Folder], known: Sequence[Folder]) -> tuple[Folder, ...]:
    """`listed` with the UIDNEXT of before, for what came since was not looked for yet. In a folder
    that is new everything came since."""
    before = {folder.folder_id: folder for folder in known}
    return tuple(_remembering(folder, before) if before else folder for folder in listed)


def _remembering(folder: Folder, before: dict[str, Folder]) -> Folder:
    known = before.get(folder.folder_id)
    if known is None:
        return replace(folder, uidnext=1)
    return replace(folder, uidvalidity=known.uidvalidity, uidnext=known.uidnext)


def key_uidvalidity(tools: Tools, account: Account, folder: Folder, opened: FolderStatus) -> int:
    """As polls store this folder's mails."""
    place = tools.storage.table, account.tenant, account.account_id
    cursor = get_cursor(*place, folder.folder_id)
    uidvalidity = opened.uidvalidity or 0
    is_read = cursor is not None and cursor.uidvalidity == uidvalidity
    return cursor.key_uidvalidity if cursor and is_read else uidvalidity
