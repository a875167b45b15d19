"""Filters of an archive as a caller asks for them: read once, each with its error."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query

from ablage.addresses import normalise
from ablage.errors import InvalidInput
from ablage.store.archive_filters import Filter
from api.clock import moment, utc_text

Direction = Literal["inbound", "outbound"]
Kind = Literal[
    "normal", "bulk", "invitation", "auto_reply", "bounce", "receipt", "invitation_reply", "draft"
]
Origin = Literal["auto", "manual"]

Since = Annotated[
    str | None,
    Query(max_length=40, description="sort_time from here on, as 2026-11-20T10:00:00Z."),
]
Until = Annotated[str | None, Query(max_length=40, description="sort_time before this.")]
OneDirection = Annotated[Direction | None, Query()]
Party = Annotated[
    str | None,
    Query(max_length=600, description="An address: the sender; of sent mail a recipient."),
]
OneKind = Annotated[Kind | None, Query()]
HasAttachment = Annotated[bool | None, Query(description="With attachments only, or without.")]
Subject = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=120,
        description="A part of the subject, in any case; of its first 120 bytes, as lists show it.",
    ),
]
OneOrigin = Annotated[Origin | None, Query(description="Filed so; a filing may be both.")]


def filter_of(
    *,
    since: str | None,
    until: str | None,
    direction: Direction | None,
    party: str | None,
    kind: Kind | None,
    attachment: bool | None,
    subject: str | None,
    origin: Origin | None,
) -> Filter | None:
    """None where nothing is asked for. Raises InvalidInput `invalid_date`, `empty_window`,
    `invalid_address`."""
    asked = Filter(
        *_window(moment(since, "since"), moment(until, "until")),
        direction=direction or "",
        party=_party(party),
        kind=kind or "",
        has_attachment=attachment,
        subject=unicodedata.normalize("NFC", subject or ""),
        origin=origin or "",
    )
    return None if asked == Filter() else asked


def _window(since: datetime | None, until: datetime | None) -> tuple[str, str]:
    if since and until and until <= since:
        raise InvalidInput("empty_window", "`until` lies after `since`.", "until")
    return utc_text(since) if since else "", utc_text(until) if until else ""


def _party(text: str | None) -> str:
    if text is None:
        return ""
    address = normalise(text)
    if address is None:
        detail = "This is not an e-mail address. Send it bare, as name@example.com."
        raise InvalidInput("invalid_address", detail, "party")
    return address.exact
