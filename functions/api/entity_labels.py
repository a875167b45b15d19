"""Label and link of entities, joined to what an answer shows of them: rows keep neither, so that
they stay small and a new label shows at once."""

from collections.abc import Iterable

from ablage.messages import Entity
from ablage.store import records
from ablage.store.storage import storage
from ablage.tenancy import TenantId
from api.message_schemas import EntityView


def name_entities(tenant: TenantId, views: Iterable[EntityView]) -> None:
    """Fills in `label` and `url` where the tenant told them: one BatchGetItem for a hundred."""
    shown = [(Entity(view.entity_type, view.entity_id), view) for view in views]
    wanted = dict.fromkeys(entity for entity, _ in shown)
    found = records.get_records(storage().table, tenant, wanted) if wanted else []
    known = {record.entity: record for record in found}
    for entity, view in shown:
        if entity in known:
            view.label, view.url = known[entity].label or None, known[entity].url or None
