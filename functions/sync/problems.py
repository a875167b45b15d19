"""Mails that are there and did not come: tried again, then parked with their header read.

passed over      tries 1, 2, 3: once in each run that brought other mail
parked           its header is stored, and filed by match as a mail whose body is not stored; the
                 body is tried once a week. Mail too large is parked at once, for good
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ablage.errors import AccountFault
from ablage.mailbox.status import Listed
from ablage.store.cursors import Problem
from ablage.store.raw_mail import NOT_STORED, RawMetadata
from sync.tools import rfc3339
from sync.walk import Walk

if TYPE_CHECKING:
    from sync.fetch_folder import FolderFetch

WEEK = 7 * 86400
HEADERS = 20  # in one run


class Problems:
    """Those of one folder, which is open."""

    def __init__(self, fetch: "FolderFetch") -> None:
        self._fetch = fetch

    def try_again(self, again: Sequence[Problem]) -> None:
        """One by one, so that each counts its own tries. Raises AccountFault."""
        for problem, mail in self._there(again):
            if not self._fetch.share.is_over():
                self._try_one(problem, mail)

    def due(self, earlier: Iterable[Problem]) -> list[Problem]:
        """Of those known before this run: the open ones, and of the parked ones a week's."""
        now = self._fetch.tools.epoch()
        return [p for p in earlier if p.is_open or (p.may_come and p.at + WEEK <= now)]

    def park(self) -> None:
        """Read the headers of those given up. That it was asked for is written first: it is done
        once. Raises AccountFault."""
        fetch = self._fetch
        parked = [p for p in fetch.cursor.problems if not p.is_open and not p.has_header]
        for problem, mail in self._there(parked[:HEADERS]):
            if fetch.share.is_over():
                return
            noted = replace(problem, has_header=True, at=fetch.tools.epoch())
            fetch.move(fetch.cursor.with_problems([noted]))
            self._keep_header(mail)

    def _there(self, problems: Sequence[Problem]) -> list[tuple[Problem, Listed]]:
        """The least tried first; what is gone is forgotten."""
        if not problems or self._fetch.share.is_over():
            return []
        found = self._fetch.listed(sorted(problem.uid for problem in problems))
        listed = {mail.uid: mail for mail in found}
        self._forget({problem.uid for problem in problems} - listed.keys())
        order = sorted(problems, key=lambda problem: (problem.tries, problem.uid))
        return [(problem, listed[problem.uid]) for problem in order if problem.uid in listed]

    def _try_one(self, problem: Problem, mail: Listed) -> None:
        """The try is written before it is made: a mail that breaks the session each time is not
        tried for ever. It counts only while the server hands out other mail."""
        fetch = self._fetch
        counted = replace(problem, tries=problem.tries + 1, at=fetch.tools.epoch())
        is_counted = fetch.has_mail
        if is_counted:
            fetch.move(fetch.cursor.with_problems([counted]))
        deposit = fetch.deposit(over=problem.has_header)
        walk = Walk(fetch.session, fetch.share, deposit, fetch.ran)
        try:
            walk.run([mail.uid], lambda: None)
        except AccountFault as fault:
            if not is_counted and fault.code != "server_unavailable":
                fetch.move(fetch.cursor.with_problems([counted]))
            raise
        fetch.has_mail |= walk.has_mail
        if walk.edge == problem.uid:
            self._settle(problem, walk)

    def _settle(self, problem: Problem, walk: Walk) -> None:
        if not walk.problems:
            self._forget({problem.uid})
        elif walk.problems[0].code == "too_large":
            large = replace(problem, code="too_large")
            self._fetch.move(self._fetch.cursor.with_problems([large]))

    def _keep_header(self, mail: Listed) -> None:
        fetch = self._fetch
        header = fetch.session.header(mail.uid)
        if header is None:
            return
        place = fetch.place()
        received_at = rfc3339(mail.received_at or fetch.tools.time())
        role, own = place.role(mail.uid), place.account.own
        metadata = RawMetadata(received_at, mail.flags, role, own=own, body=NOT_STORED)
        fetch.tools.storage.raw.put(place.key(mail.uid), header, metadata)
        fetch.tools.summary.count("headers_stored")

    def _forget(self, uids: set[int]) -> None:
        cursor = self._fetch.cursor
        left = tuple(problem for problem in cursor.problems if problem.uid not in uids)
        self._fetch.move(replace(cursor, problems=left))
