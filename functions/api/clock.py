"""The time of a request: the API is where clocks are read, domain modules are told."""

from datetime import UTC, datetime


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
