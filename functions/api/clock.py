"""The time of a request: the API is where clocks are read, domain modules are told."""

from datetime import UTC, datetime

from ablage.dates import parse_date
from ablage.errors import InvalidInput


def now() -> datetime:
    """Aware, UTC, cut to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def utc_text(moment: datetime) -> str:
    """RFC 3339 UTC to the second, as stored."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_text() -> str:
    return utc_text(now())


def now_epoch() -> int:
    return int(now().timestamp())


def moment(text: str | None, name: str) -> datetime | None:
    """RFC 3339 or RFC 5322. Raises InvalidInput `invalid_date`."""
    if not text:
        return None
    found = _rfc3339(text) or parse_date(text)
    if found is None or not 1980 <= found.year < 2200:
        detail = "A time reads 2026-11-20T10:00:00Z, or as in a mail's Date."
        raise InvalidInput("invalid_date", detail, name)
    return found


def _rfc3339(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
