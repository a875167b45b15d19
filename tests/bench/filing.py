"""What filing each mail of the corpus costs, on moto: units by computed sizes, and bytes per row.

Ten mails of one account come in an event. Each sender is one contact at one customer; mails that
are rightly not filed there (bulk, bounces, several or no senders) do not count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from infra.local.aws import environment
from tests.bench.meter import MessageCost, Meter
from tests.bench.reading import NO_CORPUS
from tests.support.aws import ENVIRONMENT, fresh_aws
from tests.support.corpus import corpus_files, read_corpus
from tests.support.events import context, s3_created, sqs_event
from tests.support.tenants import connect_account, index_contact

from ablage.headers import read_headers
from ablage.store.aws import client
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.store.storage import storage
from ablage.tenancy import TenantId

READ_LIMIT, WRITE_LIMIT, ROW_LIMIT = 4.0, 6.0, 640
BATCH = 10
OWN = "anna@own.example"


def corpus_filed() -> dict[str, Any]:
    """Median and p95 over the corpus."""
    names = corpus_files()
    if not names:
        return NO_CORPUS
    with environment(ENVIRONMENT), fresh_aws():
        filer = _Filer()
        batches = [names[start : start + BATCH] for start in range(0, len(names), BATCH)]
        costs = [cost for batch in batches for cost in filer.file([*map(read_corpus, batch)])]
    return {
        "mails_filed_at_contact_and_customer": len(costs),
        "read_units": _spread(cost.reads for cost in costs) | {"limit": READ_LIMIT},
        "write_units": _spread(cost.writes for cost in costs) | {"limit": WRITE_LIMIT},
        "archive_row_bytes": _spread(row for cost in costs for row in cost.archive_rows)
        | {"limit": ROW_LIMIT},
    }


class _Filer:
    def __init__(self) -> None:
        from match.handler import lambda_handler  # noqa: PLC0415  reads the environment

        self._handle = lambda_handler
        self._storage = storage()
        self._meter = Meter(client("dynamodb"))
        self._numbers = count()

    def file(self, batch: Sequence[bytes]) -> list[MessageCost]:
        """Ten mails of one account in one event: what each cost that is filed at both, with its
        share of what was read for all."""
        tenant = TenantId(f"t{next(self._numbers)}")
        connect_account(self._storage, tenant, "a1", OWN, filing=True)
        for number, sender in enumerate(sorted({s for raw in batch if (s := _sender(raw))})):
            index_contact(self._storage, tenant, sender, f"c{number}", [f"k{number}"])
        event = sqs_event(*(self._stored(tenant, n, raw) for n, raw in enumerate(batch, 1)))
        with self._meter.measured() as meter:
            self._handle(event, context())
            costs = list(meter.messages.values())
            shared = (meter.reads - sum(cost.reads for cost in costs)) / len(batch)
        filed = [cost for cost in costs if len(cost.archive_rows) == 2]
        return [replace(cost, reads=cost.reads + shared) for cost in filed]

    def _stored(self, tenant: TenantId, uid: int, raw: bytes) -> dict[str, Any]:
        key = RawKey("30d", tenant, "a1", "0" * 16, 1, uid)
        self._storage.raw.put(key, raw, RawMetadata("2026-11-20T10:00:05Z", role="inbox"))
        return s3_created(self._storage.raw.bucket, key.text)


def _sender(raw: bytes) -> str | None:
    from_ = read_headers(raw).from_
    return from_[0].address.exact if len(from_) == 1 and from_[0].address else None


def _spread(unsorted: Iterable[float]) -> dict[str, float]:
    values = sorted(unsorted)
    return {
        "median": values[len(values) // 2],
        "p95": values[int(len(values) * 0.95)],
        "max": values[-1],
    }
