"""The time of a request: the API is where clocks are read, domain modules are told."""

import re
from datetime import UTC, datetime

from ablage.dates import parse_date
from ablage.errors import InvalidInput

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def now() -> datetime:
    """Aware, UTC, cut to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def utc_text(moment: datetime) -> str:
    """RFC 3339 UTC to the second, as stored."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_text(seconds: int) -> str:
    return utc_text(datetime.fromtimestamp(seconds, UTC))


def now_text() -> str:
    return utc_text(now())


def now_epoch() -> int:
    return int(now().timestamp())


def moment(text: str | None, name: str, *, of_mail: bool = False) -> datetime | None:
    """RFC 3339; `of_mail`: RFC 5322 too. Raises InvalidInput `invalid_date`."""
    if text is None:
        return None
    found = _rfc3339(text) or (parse_date(text) if of_mail else None)
    if found is None or not 1980 <= found.year < 2200:
        detail = "A time reads 2026-11-20T10:00:00Z" + ", or as in a mail's Date." * of_mail
        raise InvalidInput("invalid_date", detail, name)
    return found


def _rfc3339(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.upper()) if RFC3339.fullmatch(text) else None
    except ValueError:
        return None
