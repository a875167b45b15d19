"""What a killed writer left half done: a message, or rows of a record or an account."""

from collections.abc import Mapping

from ablage.change import change
from ablage.store.repairs import repair_rows
from ablage.store.storage import Storage
from ablage.tenancy import tenant_id
from match.accepted import decide_held
from match.late import start_late


def repair(where: Storage, asked: Mapping[str, str]) -> None:
    """Raises Conflict `busy`: try again later."""
    tenant = tenant_id(asked["tenant"])
    if "message" in asked:
        message = change(where, tenant, asked["message"], None)
        if message and message.awaits_decision:
            decide_held(where, message)
    else:
        repair_rows(where, tenant, asked)
        start_late(where, tenant, asked)
