"""What one run did at one folder, in one small value: the line of the ledger."""

from dataclasses import dataclass


@dataclass
class FolderRun:
    """Numbers of mails: `listed` is what the run got through, and the sum of the others: `stored`
    now, `already` in the bucket, `gone` since the listing, `left_out` (older than the account
    reads, or by its labels), `parked` (there, but not to be had). `moved_before_sync` vanished
    before they were listed, and were not found elsewhere. `bytes` of bodies fetched; `low` to
    `high` is the range of UIDs got through, 0 and 0 when there were none."""

    folder_id: str
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

    def passed(self, uid: int) -> None:
        self.listed += 1
        self.low = min(self.low or uid, uid)
        self.high = max(self.high, uid)
