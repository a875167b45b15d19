"""Imports: many records in one file, a JSON object a line, worked off as a job."""

from dataclasses import dataclass
from typing import Any, Literal

from ablage.errors import AblageError
from ablage.records import ItemsOf

IMPORT = "import"
AWAITING = "awaiting_upload"
ABSENT_PERCENT = 10  # of the known records; a snapshot that would delete more has to be confirmed

Mode = Literal["upsert", "snapshot"]


@dataclass(frozen=True)
class ImportPlan:
    """`size` in bytes; `kind` is the type of all records, empty where each line names its own;
    `etag` names the very upload that was started."""

    of: ItemsOf
    mode: Mode
    size: int
    kind: str = ""
    confirm: bool = False
    etag: str = ""

    def arguments(self) -> dict[str, Any]:
        return {
            "of": self.of,
            "mode": self.mode,
            "size": self.size,
            "kind": self.kind,
            "confirm": self.confirm,
            "etag": self.etag,
        }


class ImportRefused(AblageError):
    """The file as a whole cannot be taken; nothing of it was applied."""


def check_deletions(absent: int, known: int, *, confirm: bool) -> None:
    """Raises ImportRefused `too_many_deletions`."""
    if not confirm and absent * 100 > known * ABSENT_PERCENT:
        detail = (
            f"It would delete {absent} of {known} records, over {ABSENT_PERCENT} %: nothing was "
            "changed. If it is right, import it again with `confirm`: true."
        )
        raise ImportRefused("too_many_deletions", detail)
