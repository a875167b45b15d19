"""How far a folder is read, who may move that, and what is left to do.

    now                                  now + 150 s
     |--- lease, fence f ------------------|--- the next worker takes it, fence f + 1
     |  read cursor (version v)            |  read cursor (version v')
     |  put mails to S3, then              |
     |  cursor: version v -> v + 1  .  .  .|. . a late write of fence f: version moved on, or fence
     |                                     |    f + 1 stands there: refused; its mails are in S3
     |  leftover -> MORE; release          |    under the same keys, so nothing is lost or doubled

The cursor only ever moves over mail that is stored, gone, or recorded as a problem.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from ablage.accounts import uidvalidity_in
from ablage.store import day_bytes, keys
from ablage.store.recent import floor, late, with_shown
from ablage.store.table import ConditionFailed, Item, Table
from ablage.tenancy import TenantId

SCHEMA = 2  # 1 had no `low`: a first listing went upwards
LEASE_SECONDS = 150  # longer than sync's timeout of 120 s
PROBLEMS = 100  # all that are open, and the newest of those given up
PROBLEM_TRIES = 3
_FOLDER = "FOLDER#"


@dataclass(frozen=True)
class Problem:
    """A mail we could not store: `too_large`, `unfetchable`, `connection_lost`. Passed over by the
    cursor, tried again with the folder's next new mail until `tries` is PROBLEM_TRIES (`too_large`
    never), then parked: its header was asked for (`has_header`), its body is once a week, last `at`
    (epoch seconds). While open it is never dropped."""

    uid: int
    code: str
    tries: int = 1
    at: int = 0
    has_header: bool = False

    @property
    def may_come(self) -> bool:
        return self.code != "too_large"

    @property
    def is_open(self) -> bool:
        return self.may_come and self.tries < PROBLEM_TRIES


@dataclass(frozen=True)
class Cursor:
    """Every listed UID up to `high` is stored, gone or a problem.

        1 ... high    high+1 ... low-1    low ... ceiling    ceiling+1 ...
        done          import, downwards   done               new mail, upwards

    `since` while the first import of this UIDVALIDITY goes on: of the mail below `low` only what
    was received since then is read. At its end `high` becomes `ceiling`. A reader of schema 1,
    which knows no `low`, begins at `high` and finds what is done stored already. `stuck` is the
    UID at which a session broke, `stuck_tries` times in a row. `restarts` counts how often UIDs
    were given out anew under one UIDVALIDITY (a mailbox restored from a backup). `recent`: the UIDs
    shown last (`ablage.store.recent`)."""

    folder_id: str
    uidvalidity: int
    high: int = 0
    uidnext_seen: int | None = None
    since: str | None = None
    ceiling: int = 0
    problems: tuple[Problem, ...] = ()
    stuck: int = 0
    stuck_tries: int = 0
    version: int = 0
    restarts: int = 0
    low: int = 0
    recent: str = ""

    @property
    def top(self) -> int:
        """New mail lies above it."""
        return max(self.high, self.ceiling) if self.since else self.high

    @property
    def search_above(self) -> int:
        """Where a search for new mail begins, and for what is shown late: not in an import, which
        looks there itself."""
        lowest = None if self.since else floor(self.recent)
        return min(lowest or self.top, self.top)

    def late(self, uids: Sequence[int]) -> list[int]:
        return [] if self.since else late(self.recent, uids, self.top)

    def with_shown(self, uids: Iterable[int]) -> "Cursor":
        return replace(self, recent=with_shown(self.recent, uids))

    def with_top(self, uid: int) -> "Cursor":
        return replace(self, ceiling=uid) if self.since else replace(self, high=uid)

    def imported(self) -> "Cursor":
        """The first import is at its end."""
        return replace(self, high=self.top, since=None, ceiling=0, low=0)

    @property
    def key_uidvalidity(self) -> int:
        """As in raw keys, which are written once."""
        return uidvalidity_in(self.restarts, self.uidvalidity)

    def with_problems(self, fresh: Sequence[Problem]) -> "Cursor":
        """Newer tries replace older ones of the same UID; the oldest that were given up go."""
        known = {problem.uid: problem for problem in (*self.problems, *fresh)}
        closed = [problem.uid for problem in known.values() if not problem.is_open]
        dropped = set(closed[: max(len(known) - PROBLEMS, 0)])
        kept = tuple(problem for uid, problem in known.items() if uid not in dropped)
        return replace(self, problems=kept)

    @property
    def open_problems(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.is_open)

    @property
    def room(self) -> int:
        """How many mails may still be passed over."""
        return PROBLEMS - len(self.open_problems)


def cursor_item(cursor: Cursor, fence: int) -> Item:
    return {
        "schema": SCHEMA,
        "uidvalidity": cursor.uidvalidity,
        "high": cursor.high,
        "uidnext_seen": cursor.uidnext_seen,
        "since": cursor.since,
        "ceiling": cursor.ceiling,
        "problems": [asdict(problem) for problem in cursor.problems],
        "stuck": cursor.stuck,
        "stuck_tries": cursor.stuck_tries,
        "version": cursor.version,
        "restarts": cursor.restarts,
        "low": cursor.low,
        "recent": cursor.recent,
        "fence": fence,
    }


def cursor_from_item(folder_id: str, item: Item) -> Cursor:
    return Cursor(
        folder_id=folder_id,
        uidvalidity=item["uidvalidity"],
        high=item["high"],
        uidnext_seen=item.get("uidnext_seen"),
        since=item.get("since"),
        ceiling=item["ceiling"],
        problems=tuple(Problem(**problem) for problem in item["problems"]),
        stuck=item["stuck"],
        stuck_tries=item["stuck_tries"],
        version=item["version"],
        restarts=item.get("restarts", 0),
        low=item.get("low", item["ceiling"] + 1),
        recent=item.get("recent", ""),
    )


CursorKey = tuple[TenantId, str, str]  # tenant, account, folder id


def get_cursors(table: Table, wanted: Iterable[CursorKey]) -> dict[CursorKey, Cursor]:
    """Of many accounts at once, eventually consistent: good for seeing that nothing is new."""
    by_key = {keys.folder(*key): key for key in wanted}
    found = table.batch_get(by_key)
    return {by_key[key]: cursor_from_item(by_key[key][2], item) for key, item in found.items()}


def account_cursors(table: Table, tenant: TenantId, account_id: str) -> Iterator[Cursor]:
    """Of every folder that was read, eventually consistent."""
    rows = table.query_all(keys.account_partition(tenant, account_id), prefix=_FOLDER)
    return (cursor_from_item(row["sk"].removeprefix(_FOLDER), row) for row in rows)


def get_cursor(table: Table, tenant: TenantId, account_id: str, folder_id: str) -> Cursor | None:
    """Consistent, for the holder of the lease."""
    item = table.get(keys.folder(tenant, account_id, folder_id), consistent=True)
    return cursor_from_item(folder_id, item) if item else None


def move_cursor(
    table: Table, tenant: TenantId, account_id: str, cursor: Cursor, fence: int
) -> Cursor:
    """Write it as the next version of what was read; returns that. Raises ConditionFailed: somebody
    else moved it, or a later lease holds the folder."""
    moved = replace(cursor, version=cursor.version + 1)
    is_new = "attribute_not_exists(pk)"
    is_mine = "version = :version AND fence <= :fence"
    table.put(
        keys.folder(tenant, account_id, cursor.folder_id),
        cursor_item(moved, fence),
        condition=is_mine if cursor.version else is_new,
        values={":version": cursor.version, ":fence": fence} if cursor.version else None,
    )
    return moved


@dataclass(frozen=True)
class Lease:
    """`fence` is higher than all before; `day_bytes` were fetched on `day` (UTC, `YYYY-MM-DD`) when
    it was taken. Until `slow_until` (epoch seconds) the server is to be asked for one batch at a
    time."""

    fence: int
    day: str = ""
    day_bytes: int = 0
    slow_until: int = 0


def take_lease(
    table: Table, tenant: TenantId, account_id: str, now: int, day: str = ""
) -> Lease | None:
    """None while somebody else holds it."""
    is_free = "attribute_not_exists(held_until) OR held_until < :now"
    try:
        item = table.update(
            keys.lease(tenant, account_id),
            "SET held_until = :until ADD fence :one",
            condition=is_free,
            values={":until": now + LEASE_SECONDS, ":now": now, ":one": 1},
        )
    except ConditionFailed:
        return None
    used = day_bytes.counted(item, day)
    return Lease(int(item["fence"]), day, used, int(item.get("slow_until", 0)))


def release_lease(
    table: Table, tenant: TenantId, account_id: str, lease: Lease, spent: int = 0
) -> None:
    """What the holder leaves: `slow_until`, and `spent` bytes more on `day`. Nothing where a later
    lease is held."""
    also, is_mine = "held_until = :zero, slow_until = :slow", "fence = :fence"
    values = {":zero": 0, ":fence": lease.fence, ":slow": lease.slow_until}
    place = table, tenant, account_id, lease.day, spent
    if spent and day_bytes.add_with(*place, also=also, condition=is_mine, values=values):
        return
    with suppress(ConditionFailed):
        key = keys.lease(tenant, account_id)
        table.update(key, f"SET {also}", condition=is_mine, values=values)


def more_due_sk(tenant: TenantId, account_id: str, at: int) -> str:
    return f"{at:010d}#{tenant}#{account_id}"


def leave_more(table: Table, tenant: TenantId, account_id: str, now: int) -> None:
    """Work is left: dispatch sends it to BackfillQueue after all that waits longer."""
    item = {"schema": SCHEMA, "due": keys.DUE_MORE}
    table.put(
        keys.more(tenant, account_id),
        item | {"due_sk": more_due_sk(tenant, account_id, now)},
    )


def claim_more(table: Table, tenant: TenantId, account_id: str, now: int) -> bool:
    """Take the leftover work for LEASE_SECONDS; False when it is done or taken."""
    is_due = "attribute_exists(due) AND due_sk <= :latest"
    try:
        table.update(
            keys.more(tenant, account_id),
            "SET due_sk = :ahead",
            condition=is_due,
            values={
                ":latest": more_due_sk(tenant, account_id, now),
                ":ahead": more_due_sk(tenant, account_id, now + LEASE_SECONDS),
            },
        )
    except ConditionFailed:
        return False
    return True


def drop_more(table: Table, tenant: TenantId, account_id: str) -> None:
    """Nothing is left; a second time changes nothing."""
    table.delete(keys.more(tenant, account_id))


def ensure_more(table: Table, tenant: TenantId, account_id: str, now: int) -> None:
    """As `leave_more`, unless it is there: the net under a worker that died before it could leave
    it."""
    item = {"schema": SCHEMA, "due": keys.DUE_MORE}
    try:
        table.put(
            keys.more(tenant, account_id),
            item | {"due_sk": more_due_sk(tenant, account_id, now)},
            condition="attribute_not_exists(pk)",
        )
    except ConditionFailed:
        return
