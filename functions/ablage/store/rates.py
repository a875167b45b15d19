"""How often something was asked for within a window of time: one atomic counter a window."""

from dataclasses import dataclass

from ablage.errors import TooMany
from ablage.store import keys
from ablage.store.table import ConditionFailed, Table
from ablage.tenancy import TenantId


@dataclass(frozen=True)
class Rate:
    """At most `most` within each `seconds`, counted from the epoch."""

    most: int
    seconds: int


def count(table: Table, tenant: TenantId, name: str, rate: Rate, now: int) -> None:
    """One more. Raises TooMany `too_many_requests` beyond the rate; what is refused is not
    counted."""
    window = now - now % rate.seconds
    has_room = "attribute_not_exists(asked) OR asked < :most"
    try:
        table.update(
            keys.rate(tenant, name, window),
            "SET expires = :expires ADD asked :one",
            condition=has_room,
            values={":expires": window + 2 * rate.seconds, ":one": 1, ":most": rate.most},
        )
    except ConditionFailed:
        detail = f"This may be asked for {rate.most} times in {rate.seconds // 3600} h; wait."
        raise TooMany("too_many_requests", detail, window + rate.seconds - now) from None
