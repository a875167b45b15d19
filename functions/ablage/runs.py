"""The ledger: what one visit to one folder came to."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

RUN_DAYS = 90  # how long a row is kept
COUNTS = ("listed", "stored", "already", "gone", "left_out", "parked", "moved_before_sync", "bytes")


@dataclass(frozen=True)
class Run:
    """`at`: RFC 3339 UTC to the second, when it ended. `why`: `poll`, `more` (leftover work),
    `follow` (it was searched for moved mail), or a job's id. Numbers of mails: `listed` is what it
    got through, `stored` now, `already` in the bucket, `gone` since the listing, `left_out` (older
    than the account reads, or by its labels), `parked` (there, but not to be had);
    `moved_before_sync` vanished before they were listed, and were not found elsewhere. `bytes`
    of bodies fetched; `low` to `high` is the range of UIDs got through, 0 and 0 without any."""

    folder_id: str
    at: str
    why: str
    uidvalidity: int = 0
    listed: int = 0
    stored: int = 0
    already: int = 0
    gone: int = 0
    left_out: int = 0
    parked: int = 0
    moved_before_sync: int = 0
    bytes: int = 0
    low: int = 0
    high: int = 0

    @property
    def is_idle(self) -> bool:
        return not any(getattr(self, name) for name in COUNTS)


FIELDS = tuple(field.name for field in fields(Run))


def summed(runs: Iterable[Run]) -> dict[str, int]:
    """Of each of COUNTS, and how many `runs`."""
    sums = dict.fromkeys(("runs", *COUNTS), 0)
    for run in runs:
        sums["runs"] += 1
        for name in COUNTS:
            sums[name] += getattr(run, name)
    return sums
