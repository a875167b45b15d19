"""`source_version`: how the tenant's system orders its own writes of one record.

Kept as text that sorts: integers, then times; so a system may change from one to the other.
"""

import re
from datetime import UTC, datetime

from ablage.errors import InvalidInput

_INTEGER = re.compile(r"\d{1,18}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ].+", re.ASCII)


def parse(value: int | str | None, pointer: str = "/source_version") -> str | None:
    """From a whole number or an RFC 3339 time, to the microsecond. Raises InvalidInput
    `invalid_source_version`."""
    if value is None:
        return None
    text = str(value)
    if _INTEGER.fullmatch(text):
        return f"0#{int(text):018d}"
    found = _time(text)
    if found is None:
        detail = "Send a whole number of up to 18 digits, or a time as 2026-11-26T10:00:00Z."
        raise InvalidInput("invalid_source_version", detail, pointer)
    return f"1#{found.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def shown(kept: str | None) -> int | str | None:
    """As answers have it: the number, or the time in UTC."""
    if kept is None:
        return None
    kind, _, text = kept.partition("#")
    return int(text) if kind == "0" else text


def is_stale(wanted: str | None, standing: str | None) -> bool:
    """Whether what stands is as new, or newer. A write that names no version always counts."""
    return wanted is not None and standing is not None and wanted <= standing


def _time(text: str) -> datetime | None:
    if not _TIME.fullmatch(text) or len(text) > 40:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo and 1 < found.year < 9999 else None
