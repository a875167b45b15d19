"""What the tenant used: for the bills of whoever resells this."""

from datetime import date, timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field

from ablage.errors import InvalidInput
from ablage.store import usage
from ablage.store.storage import storage
from api.clock import now
from api.operations import operation
from api.tenant import Calling

DAYS = 366
SHOWN_DAYS = 30


class Used(BaseModel):
    mails: int = Field(description="Stored by sync, each once.")
    bytes: int = Field(description="Of these mails.")
    calls: int = Field(
        description="Requests to this API, to about a hundredth of a minute's limit."
    )


class DayUsed(Used):
    day: str = Field(examples=["2026-11-26"], description="UTC.")


class UsageView(BaseModel):
    since: str
    until: str = Field(description="Included; today is not over.")
    total: Used
    days: list[DayUsed] = Field(description="Days without use are left out.")


@operation("GET", "/v1/usage", "manage")
def get_usage(
    caller: Calling,
    since: Annotated[date | None, Query(description="A day; 30 days ago by default.")] = None,
    until: Annotated[date | None, Query(description="A day, included; today by default.")] = None,
) -> UsageView:
    """Mails, bytes and requests by day, at most 366 of them; kept for two years."""
    last = until or now().date()
    first = since or last - min(timedelta(days=SHOWN_DAYS), last - date.min)
    if not timedelta(0) <= last - first < timedelta(days=DAYS):
        detail = f"Ask for at most {DAYS} days, since before until."
        raise InvalidInput("invalid_period", detail, "since")
    found = usage.days(storage().table, caller.tenant, first, last)
    total = {name: sum(counts[name] for _, counts in found) for name in usage.COUNTED}
    return UsageView(
        since=first.isoformat(),
        until=last.isoformat(),
        total=Used(**total),
        days=[DayUsed(day=day, **counts) for day, counts in found],
    )
