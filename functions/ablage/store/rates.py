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
    reserve(table, tenant, name, rate, now, size=1)


def reserve(table: Table, tenant: TenantId, name: str, rate: Rate, now: int, *, size: int) -> int:
    """`size` more at once, to be counted down by whoever asked; how many are left after them.
    Raises TooMany."""
    window = now - now % rate.seconds
    has_room = "attribute_not_exists(asked) OR asked <= :below"
    try:
        counted = table.update(
            keys.rate(tenant, name, window),
            "SET expires = :expires ADD asked :size",
            condition=has_room,
            values={
                ":expires": window + 2 * rate.seconds,
                ":size": size,
                ":below": rate.most - size,
            },
        )
    except ConditionFailed:
        detail = f"This may be asked for {rate.most} times in {_span(rate.seconds)}; wait."
        raise TooMany("too_many_requests", detail, window + rate.seconds - now) from None
    return rate.most - int(counted["asked"])


def _span(seconds: int) -> str:
    return f"{seconds // 3600} h" if seconds >= 3600 else f"{seconds} s"
