"""The ledger's rows, in the account's partition: newest first, gone after ninety days."""

from collections.abc import Iterator
from itertools import takewhile

from ablage.runs import FIELDS, RUN_DAYS, Run
from ablage.store import keys, usage
from ablage.store.table import ConditionFailed, Item, Table, put_action
from ablage.tenancy import TenantId

SCHEMA = 1
ROWS_READ = 500  # of one request whose filter leaves out rows
ROWS_SUMMED = 1000
_ROWS_AT_ONCE = 100
_PREFIX = "RUN#"


def write(table: Table, tenant: TenantId, account_id: str, run: Run, now: int) -> None:
    """A run that met nothing leaves no row; what one stored counts as the tenant's usage, once."""
    if run.is_idle:
        return
    item = {name: getattr(run, name) for name in FIELDS}
    key = keys.run(tenant, account_id, run.at, run.folder_id, run.why)
    row = {"schema": SCHEMA, "expires": now + RUN_DAYS * 86400} | item
    if not run.stored:
        table.put(key, row)
        return
    used = usage.add_action(tenant, now, mails=run.stored, bytes=run.bytes)
    try:
        table.transact([put_action(key, row, "attribute_not_exists(pk)"), used])
    except ConditionFailed:  # an earlier try of this very call
        return


def _run(item: Item) -> Run:
    return Run(**{name: item[name] for name in FIELDS if name in item})


def page(
    table: Table,
    tenant: TenantId,
    account_id: str,
    *,
    after: str | None,
    limit: int,
    folder_id: str | None = None,
) -> tuple[list[Run], str | None]:
    """Newest first, and the sort key to go on after. With a folder at most ROWS_READ rows are
    looked at: a page may be short."""
    pk = keys.account_partition(tenant, account_id)
    at_once = _ROWS_AT_ONCE if folder_id else limit
    found: list[Run] = []
    for _ in range(ROWS_READ // _ROWS_AT_ONCE if folder_id else 1):
        rows = table.query(pk, prefix=_PREFIX, after=after, newest_first=True, limit=at_once)
        for row in rows:
            after = row["sk"]
            if folder_id in (None, row["folder_id"]):
                found.append(_run(row))
            if len(found) == limit:
                return found, after
        if len(rows) < at_once:
            return found, None
    return found, after


def since(table: Table, tenant: TenantId, account_id: str, moment: str) -> tuple[list[Run], bool]:
    """Runs that ended at or after `moment` (RFC 3339 UTC), newest first; True when there are more
    than ROWS_SUMMED."""
    rows = _newest_first(table, keys.account_partition(tenant, account_id))
    runs = takewhile(lambda run: run.at >= moment, map(_run, rows))
    found = [run for _, run in zip(range(ROWS_SUMMED + 1), runs, strict=False)]
    return found[:ROWS_SUMMED], len(found) > ROWS_SUMMED


def _newest_first(table: Table, pk: str) -> Iterator[Item]:
    return table.query_all(pk, prefix=_PREFIX, newest_first=True, limit=_ROWS_AT_ONCE)
