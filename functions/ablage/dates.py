"""Dates of the header (RFC 5322 3.3 and 4.3) -> aware UTC datetimes, or None; never a guess.

`email.utils` reads `00:19:00 (EDT) -0400` and `06:09:22 PM` hours wrong, without a word.
"""

import re
from datetime import UTC, datetime, timedelta

from ablage.address_lists import strip_comments

_LONGEST = 500  # characters looked at, from the end: a date is the last thing in its field
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ZONES = {  # hours east of Greenwich: those of RFC 5322 4.3, and more that mailers write
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "bst": 1, "cet": 1, "met": 1, "mez": 1,
    "west": 1, "cest": 2, "mest": 2, "mesz": 2, "eet": 2, "eest": 3, "msk": 3, "jst": 9,
    "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
_USUAL = re.compile(
    rf"\s*(?:(?:{'|'.join(_DAYS)})\s*,\s*)?(\d{{1,2}})\s+({'|'.join(_MONTHS)})\s+(\d{{4}})\s+"
    r"(\d{2}):(\d{2}):(\d{2})\s+([+-])(\d{2})(\d{2})(?:\s+\([a-z]{1,5}\))?\s*",
    re.ASCII | re.IGNORECASE,
)
_TIME = re.compile(r"(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:[.,]\d{1,9})?)?(am|pm)?")
_OFFSET = re.compile(r"(?:ut|utc|gmt)?([+-])(\d{1,2}):?(\d{2})")
_NUMERIC_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_ISO_T = re.compile(
    r"(\d{4}-\d{2}-\d{2})t(\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,9})?)(z|[+-]\d{2}:?\d{2})?"
)
_NAMED_DATE = re.compile(r"(\d{1,2})-([a-z]{3})[a-z]*-(\d{2,4})")
_GLUED_OFFSET = re.compile(r"(\d)([+-]\d{4})\b")


def parse_date(text: str) -> datetime | None:
    """The moment a Date field names, in UTC. No zone, an unknown one, and `-0000` count as UTC
    (RFC 5322 4.3). None where it is no date. Never raises."""
    usual = _USUAL.fullmatch(text) if len(text) < _LONGEST else None
    if usual:
        return _usual(usual)
    reading = _Reading()
    plain = strip_comments(text[-_LONGEST:]).lower()
    plain = _ISO_T.sub(r"\1 \2 \3", plain)
    plain = _GLUED_OFFSET.sub(r"\1 \2", _NAMED_DATE.sub(r"\1 \2 \3", plain))
    for word in plain.replace(",", " ").split():
        if not reading.takes(word):
            return None
    return reading.moment()


def parse_received(text: str) -> datetime | None:
    """The date of a Received field (RFC 5321 4.4): what stands behind its last semicolon."""
    _, semicolon, date = text.rpartition(";")
    usual = _USUAL.fullmatch(date) if len(date) < _LONGEST else None
    if semicolon and usual:
        return _usual(usual)
    _, semicolon, date = strip_comments(text[-_LONGEST:]).rpartition(";")
    return parse_date(date) if semicolon else None


def _usual(found: re.Match[str]) -> datetime | None:
    """`Fri, 20 Nov 2026 10:00:00 +0100 (CET)`, as nearly all are written."""
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    reading = _Reading()
    reading.numbers, reading.month = [day, year], _MONTHS.index(month.lower()) + 1
    reading.clock = (int(hour), int(minute), int(second))
    east = timedelta(hours=int(hours), minutes=int(minutes))
    reading.offset = east if sign == "+" else -east
    return reading.moment()


class _Reading:
    """The words of a date by their looks: the order differs (RFC 5322, ctime, ISO 8601)."""

    def __init__(self) -> None:
        self.month = 0
        self.numbers: list[str] = []
        self.clock: tuple[int, int, int] | None = None
        self.offset: timedelta | None = None

    def takes(self, word: str) -> bool:
        """False if the word makes it no date."""
        return (
            self._number(word)
            or self._time(word)
            or self._zone(word)
            or self._month(word)
            or self._numeric_date(word)
            or word.rstrip(".")[:3] in _DAYS
            or self._weekday(word)
            or self._noon(word)
            or self._complete()
        )

    def _weekday(self, word: str) -> bool:
        """In front, in any language: `Fr., 20 Nov 2026`."""
        return word.rstrip(".").isalpha() and not (self.numbers or self.month or self.clock)

    def _complete(self) -> bool:
        """What follows a whole date is a zone nobody knows (counts as UTC), or a remark."""
        return self.clock is not None and self.month > 0 and len(self.numbers) == 2

    def moment(self) -> datetime | None:
        if not self.month or len(self.numbers) != 2 or self.clock is None:
            return None
        day, year = self.numbers if len(self.numbers[0]) < 3 else reversed(self.numbers)
        hour, minute, second = self.clock
        try:
            local = datetime(
                _full_year(year), self.month, int(day), hour, minute, min(second, 59), tzinfo=UTC
            )
            return local - (self.offset or timedelta())
        except (ValueError, OverflowError):
            return None

    def _number(self, word: str) -> bool:
        if not (word.isascii() and word.isdigit() and len(word) <= 4):
            return False
        if len(word) == 4 and self._complete():
            return True  # a zone without its sign: unknown
        self.numbers.append(word)
        return len(self.numbers) <= 2

    def _time(self, word: str) -> bool:
        found = _TIME.fullmatch(word)
        if not found or self.clock:
            return False
        self.clock = (int(found[1]), int(found[2]), int(found[3] or 0))
        return self._noon(found[4]) if found[4] else True

    def _zone(self, word: str) -> bool:
        found = _OFFSET.fullmatch(word)
        if found:
            east = timedelta(hours=int(found[2]), minutes=int(found[3]))
            self.offset = east if found[1] == "+" else -east
        elif word in _ZONES:
            if self.offset is None:
                self.offset = timedelta(hours=_ZONES[word])
        else:
            return False
        return True

    def _month(self, word: str) -> bool:
        if word[:3] not in _MONTHS or self.month:
            return False
        self.month = _MONTHS.index(word[:3]) + 1
        return True

    def _numeric_date(self, word: str) -> bool:
        found = _NUMERIC_DATE.fullmatch(word)
        if not found or self.month or self.numbers:
            return False
        self.numbers, self.month = [found[3], found[1]], int(found[2])
        return True

    def _noon(self, word: str) -> bool:
        """`AM` and `PM`, behind the time."""
        if word not in ("am", "pm") or self.clock is None or not 1 <= self.clock[0] <= 12:
            return False
        hour = self.clock[0] % 12 + (12 if word == "pm" else 0)
        self.clock = (hour, *self.clock[1:])
        return True


def _full_year(year: str) -> int:
    """Two digits: 1950 to 2049; three: since 1900 (RFC 5322 4.3)."""
    number = int(year)
    if len(year) == 2:
        return number + (2000 if number < 50 else 1900)
    return number + 1900 if len(year) == 3 else number
