"""Webhooks: the config the API writes, the progress the webhook function writes, the secret only it
opens.

    now                            now + 90 s
     |--- lease, fence f ------------|--- the next worker takes it, fence f + 1
     |  POST, then position  .  .  . |. . a late write of fence f is refused: the event comes twice
     |  nothing left: due removed    |    due stands at the lease's end: dispatch wakes the hook

What a person asks for meanwhile (a test, a replay, switching on) adds one to `asks` and sets `due`
to now. Every write of the worker names the `asks` it began with: it cannot take back a replay, nor
remove a `due` that was not its own.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ablage.errors import NotFound
from ablage.store import keys, quotas, webhook_deliveries
from ablage.store.queues import TenantBody
from ablage.store.table import (
    ConditionFailed,
    Item,
    Table,
    delete_action,
    put_action,
    update_action,
)
from ablage.tenancy import TenantId
from ablage.webhooks import ENABLED, Delivery, Failure, Progress, Webhook

SCHEMA = 1
LEASE_SECONDS = 90  # longer than the function's timeout of 60 s
FIRST_LOOK = 75  # seconds after its making: deliver may know the tenant's hooks of a minute ago
SECRET_KIND = "webhook"  # noqa: S105  a kind of secrets
OLD_SECRET_SECONDS = 24 * 3600  # for which it signs beside the new one
_QUOTA = "webhooks"
_CONFIG, _PROGRESS = "WEBHOOK#", "PROGRESS#"
_ASK = "SET due = :due, due_sk = :due_sk"
_OF_FAILING = ("disabled", "disabled_since", "failing_since", "next_at", "attempts", "refusals")


@dataclass(frozen=True)
class Hook:
    """One webhook whole. `due_at`: when dispatch wakes it, epoch seconds, 0 for not at all."""

    tenant: TenantId
    config: Webhook
    progress: Progress
    due_at: int = 0

    @property
    def webhook_id(self) -> str:
        return self.config.webhook_id


@dataclass(frozen=True)
class Lease:
    """`young_until`: till then not every event wakes the hook, see FIRST_LOOK."""

    fence: int
    asks: int
    young_until: int


def wake(tenant: TenantId, webhook_id: str, delay: int = 0) -> TenantBody:
    """For WebhookQueue."""
    return TenantBody(tenant, {"tenant": tenant, "webhook": webhook_id}, delay)


def secret_owner(webhook_id: str) -> str:
    """Stands for the account in the context the secret is sealed with."""
    return f"@webhook-{webhook_id}"


# ---- config: the API -----------------------------------------------------------------------------


def create(
    table: Table,
    tenant: TenantId,
    config: Webhook,
    sealed: Item,
    *,
    position: str,
    now: int,
    most: int,
) -> None:
    """`sealed`: of `store.secrets.seal`, for `secret_owner` and SECRET_KIND. It hears what happens
    from the moment `position` on. Raises Conflict `quota_exceeded` beyond `most`."""
    webhook_id, first_look = config.webhook_id, now + FIRST_LOOK
    counts = {"schema": SCHEMA, "asks": 0, "fence": 0, "held_until": 0, "young_until": first_look}
    progress = counts | _progress_item(Progress(position)) | _due(tenant, webhook_id, first_look)
    is_new = "attribute_not_exists(pk)"
    try:
        table.transact(
            [
                put_action(keys.webhook(tenant, webhook_id), _config_item(config), is_new),
                put_action(keys.webhook_progress(tenant, webhook_id), progress, is_new),
                put_action(keys.webhook_secret(tenant, webhook_id), sealed),
                quotas.one_more(tenant, _QUOTA, most),
            ]
        )
    except ConditionFailed:
        raise quotas.exceeded("webhooks", most) from None


def get(table: Table, tenant: TenantId, webhook_id: str) -> Hook:
    """Raises NotFound `webhook_not_found`."""
    config, progress = keys.webhook(tenant, webhook_id), keys.webhook_progress(tenant, webhook_id)
    found = table.batch_get((config, progress), consistent=True)
    if len(found) < 2:
        raise NotFound("webhook_not_found", "There is no such webhook.")
    return _hook(tenant, found[config], found[progress])


def listed(table: Table, tenant: TenantId) -> list[Hook]:
    """All of a tenant, oldest first."""
    rows = {row["sk"]: row for row in table.query_all(keys.webhooks(tenant), consistent=True)}
    found = [
        _hook(tenant, row, rows[sk.replace(_CONFIG, _PROGRESS, 1)])
        for sk, row in rows.items()
        if sk.startswith(_CONFIG)
    ]
    return sorted(found, key=lambda hook: (hook.config.created_at, hook.webhook_id))


def ids(table: Table, tenant: TenantId) -> list[str]:
    """Eventually consistent."""
    rows = table.query(keys.webhooks(tenant), prefix=_CONFIG)
    return [row["sk"].removeprefix(_CONFIG) for row in rows]


def change(table: Table, tenant: TenantId, config: Webhook, now: int) -> Webhook:
    """Write it as the version after the one that was read; returns that. Enabled, it is no longer
    disabled, and goes on from its place. Raises ConditionFailed: another version stands there, or
    none."""
    changed = replace(config, version=config.version + 1)
    actions = [_config_action(tenant, changed)]
    if changed.status == ENABLED:
        place = keys.webhook_progress(tenant, config.webhook_id)
        anew = f"{_ASK} REMOVE {', '.join(_OF_FAILING)} ADD asks :one"
        actions.append(update_action(place, anew, _ask_values(tenant, config.webhook_id, now)))
    table.transact(actions)
    return changed


def new_secret(table: Table, tenant: TenantId, config: Webhook, sealed: Item, now: int) -> Webhook:
    """The one before signs too for OLD_SECRET_SECONDS. Raises ConditionFailed as `change`."""
    changed = replace(config, version=config.version + 1, secret_version=config.secret_version + 1)
    turned = update_action(
        keys.webhook_secret(tenant, config.webhook_id),
        "SET former = sealed, former_until = :until, sealed = :sealed",
        {":until": now + OLD_SECRET_SECONDS, ":sealed": sealed["sealed"]},
        condition="attribute_exists(pk)",
    )
    table.transact([_config_action(tenant, changed), turned])
    return changed


def delete(table: Table, tenant: TenantId, webhook_id: str, version: int | None = None) -> None:
    """What it was told expires by itself. Raises ConditionFailed: another version, or none."""
    is_there, is_as_read = "attribute_exists(pk)", "version = :version"
    values = None if version is None else {":version": version}
    gone = delete_action(
        keys.webhook(tenant, webhook_id), is_there if version is None else is_as_read, values
    )
    others = (keys.webhook_progress(tenant, webhook_id), keys.webhook_secret(tenant, webhook_id))
    less = quotas.one_less(tenant, _QUOTA)
    table.transact([gone, *(delete_action(key) for key in others), less])


def replay_since(table: Table, tenant: TenantId, webhook_id: str, moment: str, now: int) -> None:
    """Everything from `moment` on is told again; where it has not come so far yet, nothing is left
    out. Raises ConditionFailed where there is no such webhook."""
    key = keys.webhook_progress(tenant, webhook_id)
    try:
        table.update(
            key,
            f"{_ASK}, #position = :moment REMOVE next_at, attempts, refusals ADD asks :one",
            condition="#position > :moment",
            names={"#position": "position"},
            values={":moment": moment} | _ask_values(tenant, webhook_id, now),
        )
    except ConditionFailed:
        hurry = f"{_ASK} REMOVE next_at ADD asks :one"
        values = _ask_values(tenant, webhook_id, now)
        table.update(key, hurry, condition="attribute_exists(pk)", values=values)


def ask(
    table: Table, tenant: TenantId, webhook_id: str, deliveries: Sequence[Delivery], now: int
) -> None:
    """These come before what waits in the feed; a test also to a hook that is off, or waits. Raises
    ConditionFailed where there is no such webhook."""
    for each in deliveries:
        webhook_deliveries.put_asked(table, tenant, webhook_id, each)
    hurry = "" if all(each.is_test for each in deliveries) else " REMOVE next_at"
    table.update(
        keys.webhook_progress(tenant, webhook_id),
        f"{_ASK}{hurry} ADD asks :one",
        condition="attribute_exists(pk)",
        values=_ask_values(tenant, webhook_id, now),
    )


# ---- progress: the webhook function --------------------------------------------------------------


def claim(table: Table, hook: Hook, now: int) -> tuple[Hook, Lease] | None:
    """The hook as it is now, held for LEASE_SECONDS; None while somebody else holds it, or where it
    is gone."""
    is_free = "held_until <= :now"
    try:
        item = table.update(
            keys.webhook_progress(hook.tenant, hook.webhook_id),
            "SET held_until = :until, due = :due, due_sk = :due_sk ADD fence :one",
            condition=is_free,
            values={":now": now, ":until": now + LEASE_SECONDS, ":one": 1}
            | _due_values(hook.tenant, hook.webhook_id, now + LEASE_SECONDS),
        )
    except ConditionFailed:
        return None
    held = replace(hook, progress=_progress(item))
    return held, Lease(item["fence"], item["asks"], item["young_until"])


def save(table: Table, hook: Hook, lease: Lease) -> None:
    """How far it is. Raises ConditionFailed where the lease is another's, or somebody asked for
    something: then this slice is over."""
    _save(table, hook, lease, {}, "")


def release(table: Table, hook: Hook, lease: Lease, due_at: int) -> None:
    """`due_at`: when it goes on by itself, 0 where nothing waits. Raises ConditionFailed as `save`:
    what was asked for meanwhile made it due already, and is left so."""
    due = _due(hook.tenant, hook.webhook_id, due_at) if due_at else {}
    _save(table, hook, lease, {"held_until": 0} | due, "" if due_at else ", due, due_sk")


def give_up(table: Table, hook: Hook, lease: Lease) -> None:
    """The lease alone, without a word about how far it is."""
    is_mine = "fence = :fence"
    try:
        table.update(
            keys.webhook_progress(hook.tenant, hook.webhook_id),
            "SET held_until = :zero",
            condition=is_mine,
            values={":zero": 0, ":fence": lease.fence},
        )
    except ConditionFailed:
        return


def _save(table: Table, hook: Hook, lease: Lease, more: Item, removes: str) -> None:
    is_mine, nobody_asked = "fence = :fence", "asks = :asks"
    values = _progress_item(hook.progress) | more
    sets = ", ".join(f"#{name} = :{name}" for name, value in values.items() if value is not None)
    cleared = ", ".join(f"#{name}" for name, value in values.items() if value is None)
    gone = (cleared + removes).removeprefix(", ")
    table.update(
        keys.webhook_progress(hook.tenant, hook.webhook_id),
        f"SET {sets}" + (f" REMOVE {gone}" if gone else ""),
        condition=f"{is_mine} AND {nobody_asked}",
        names={f"#{name}": name for name in values},
        values={f":{name}": value for name, value in values.items() if value is not None}
        | {":fence": lease.fence, ":asks": lease.asks},
    )


# ---- items ---------------------------------------------------------------------------------------


def _config_action(tenant: TenantId, changed: Webhook) -> dict[str, Any]:
    is_as_read = "version = :before"
    place = keys.webhook(tenant, changed.webhook_id)
    return put_action(place, _config_item(changed), is_as_read, {":before": changed.version - 1})


def _due(tenant: TenantId, webhook_id: str, at: int) -> Item:
    return {"due": keys.DUE_WEBHOOKS, "due_sk": f"{at:010d}#{tenant}#{webhook_id}"}


def _due_values(tenant: TenantId, webhook_id: str, at: int) -> Item:
    return {f":{name}": value for name, value in _due(tenant, webhook_id, at).items()}


def _ask_values(tenant: TenantId, webhook_id: str, now: int) -> Item:
    return {":one": 1} | _due_values(tenant, webhook_id, now)


def _hook(tenant: TenantId, config: Item, progress: Item) -> Hook:
    due_at = int(progress["due_sk"][:10]) if "due_sk" in progress else 0
    webhook_id = config["sk"].removeprefix(_CONFIG)
    return Hook(tenant, _config(webhook_id, config), _progress(progress), due_at)


def _config_item(config: Webhook) -> Item:
    return {
        "schema": SCHEMA,
        "url": config.url,
        "types": list(config.types),
        "description": config.description,
        "status": config.status,
        "version": config.version,
        "secret_version": config.secret_version,
        "created_at": config.created_at,
    }


def _config(webhook_id: str, item: Item) -> Webhook:
    return Webhook(
        webhook_id=webhook_id,
        url=item["url"],
        types=tuple(item["types"]),
        description=item["description"],
        status=item["status"],
        version=item["version"],
        secret_version=item["secret_version"],
        created_at=item["created_at"],
    )


def _progress_item(progress: Progress) -> Item:
    """What is 0 or empty is None: absent."""
    return {
        "position": progress.position,
        "behind": progress.behind or None,
        "attempts": progress.attempts or None,
        "refusals": progress.refusals or None,
        "failing_since": progress.failing_since or None,
        "next_at": progress.next_at or None,
        "last_success_at": progress.last_success_at or None,
        "last_failure": asdict(progress.last_failure) if progress.last_failure else None,
        "disabled": progress.disabled or None,
        "disabled_since": progress.disabled_since or None,
    }


def _progress(item: Item) -> Progress:
    failure = item.get("last_failure")
    return Progress(
        position=item["position"],
        behind=item.get("behind", ""),
        attempts=item.get("attempts", 0),
        refusals=item.get("refusals", 0),
        failing_since=item.get("failing_since", 0),
        next_at=item.get("next_at", 0),
        last_success_at=item.get("last_success_at", 0),
        last_failure=Failure(**failure) if failure else None,
        disabled=item.get("disabled", ""),
        disabled_since=item.get("disabled_since", 0),
    )
