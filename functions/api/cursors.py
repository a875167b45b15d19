"""Cursors: a sort key in base64url. The partition is always the caller's own, so that a cursor made
up or carried over opens nothing; the grammar of each list refuses everything else."""

import base64
import binascii
import re
from dataclasses import dataclass

from ablage.errors import InvalidInput

CURSOR_CHARACTERS = 1400  # base64url of DynamoDB's longest sort key, 1,024 bytes

_ID = r"[A-Za-z0-9._:-]{1,128}"
_TYPE = r"[a-z][a-z0-9_-]{0,31}"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_MESSAGE = r"[a-z2-7]{26}"


class InvalidCursor(InvalidInput):
    status = 400


@dataclass(frozen=True)
class Grammar:
    """What sort keys of one list look like."""

    pattern: re.Pattern[str]

    def encode(self, sort_key: str | None) -> str | None:
        """None for the end of a list."""
        if sort_key is None:
            return None
        return base64.urlsafe_b64encode(sort_key.encode()).rstrip(b"=").decode()

    def decode(self, cursor: str | None) -> str | None:
        """Raises InvalidCursor `invalid_cursor`, also for another spelling of the same key."""
        if cursor is None:
            return None
        sort_key = _decoded(cursor)
        if not self.pattern.fullmatch(sort_key) or self.encode(sort_key) != cursor:
            raise _invalid()
        return sort_key


def _grammar(pattern: str) -> Grammar:
    return Grammar(re.compile(pattern, re.ASCII))


ACCOUNTS = _grammar(f"ACCOUNT#{_ID}")
ARCHIVE = _grammar(f"FILED#{_TIME}#{_MESSAGE}")
BLOCKLIST = _grammar(r"(ADDRESS|DOMAIN)#[^\x00-\x1f\x7f]{1,1000}")
CHANGES = _grammar(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(#[0-9a-f]{16}#\d{1,2})?")
DELIVERIES = _grammar(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\.[0-9a-f]{32}")
CHILDREN = _grammar(f"CHILD#{_TYPE}#{_ID}")
RECORDS = _grammar(f"RECORD#{_ID}")
OVERVIEW = _grammar(f"MAIL#{_TIME}#{_MESSAGE}")
RUNS = _grammar(f"RUN#{_TIME}#[0-9a-f]{{16}}#{_ID}")
REVIEW = _grammar(f"HELD#{_TIME}#{_MESSAGE}")


def _decoded(cursor: str) -> str:
    if len(cursor) > CURSOR_CHARACTERS:
        raise _invalid()
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error


def _invalid() -> InvalidCursor:
    detail = "Send `next` of the page before, unchanged, to the same list; or none, to start."
    return InvalidCursor("invalid_cursor", detail, "cursor")
