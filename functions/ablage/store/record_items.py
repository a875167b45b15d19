"""Items of a batch or an import, each written as its single call would be."""

from dataclasses import dataclass

from ablage.errors import AblageError
from ablage.messages import Entity
from ablage.record_bodies import RecordItem, entity_of, object_of
from ablage.records import ItemsOf, Record
from ablage.store.record_writes import delete_record, save_record
from ablage.store.storage import Storage
from ablage.tenancy import TenantId


@dataclass(frozen=True)
class Outcome:
    """`status` is that of the single call. `record` is what stands after a put; `job` the batch
    that files earlier mail of new addresses, or takes an archive apart."""

    status: int
    entity: Entity | None = None
    record: Record | None = None
    stale: bool = False
    changed: bool = False
    job: str | None = None
    code: str | None = None
    detail: str | None = None
    pointer: str | None = None

    @property
    def word(self) -> str:
        """What came of it where nothing was wrong."""
        if self.stale or not self.changed:
            return "stale" if self.stale else "unchanged"
        if self.record is None:
            return "deleted"
        return "created" if self.status == 201 else "updated"


def apply_item(
    storage: Storage,
    tenant: TenantId,
    of: ItemsOf,
    raw: object,
    now: int,
    *,
    by: str,
    kind: str = "",
    backfill: bool = True,
) -> Outcome:
    """Never raises for what is wrong with the item."""
    entity = None
    try:
        fields = object_of(raw)
        entity = entity_of(of, fields, kind)
        item = RecordItem.parse(of, entity, fields)
        return _apply(storage, tenant, item, now, by=by, backfill=backfill)
    except AblageError as error:
        return Outcome(
            error.status, entity, code=error.code, detail=error.detail, pointer=error.pointer
        )


def _apply(
    storage: Storage, tenant: TenantId, item: RecordItem, now: int, *, by: str, backfill: bool
) -> Outcome:
    if item.body is None:
        deleted = delete_record(
            storage,
            tenant,
            item.entity,
            now,
            with_archive=item.with_archive,
            by=by,
            source=item.source,
        )
        status = 200 if deleted.stale else 202 if deleted.archive else 204
        return Outcome(
            status,
            item.entity,
            stale=deleted.stale,
            changed=not deleted.stale,
            job=deleted.archive,
        )
    wanted = item.body.record(tenant, item.entity)
    saved = save_record(
        storage, wanted, lambda _: None, by, shows=item.body.shows, backfill=backfill
    )
    status = 201 if saved.created else 200
    return Outcome(
        status, item.entity, saved.record, saved.stale, saved.changed, job=saved.backfill
    )
