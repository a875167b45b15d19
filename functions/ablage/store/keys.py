"""The only speller of partition and sort keys, and of object keys.

Every partition key of a tenant begins `T#<tenant>#`; the closing `#` keeps tenant `a` out of tenant
`ab`.
"""

from ablage.tenancy import TenantId

Key = tuple[str, str]


def _pk(tenant: TenantId, *parts: str) -> str:
    return "#".join(("T", tenant, *parts))


def token_client(client_id: str) -> Key:
    """Of no tenant: it says which one."""
    return f"CLIENT#{client_id}", "TENANT"


def policy(tenant: TenantId) -> Key:
    return _pk(tenant, "TENANT"), "POLICY"


def accounts(tenant: TenantId) -> str:
    return _pk(tenant, "ACCOUNTS")


def account(tenant: TenantId, account_id: str) -> Key:
    return accounts(tenant), f"ACCOUNT#{account_id}"


def account_partition(tenant: TenantId, account_id: str) -> str:
    return _pk(tenant, "ACCOUNT", account_id)


def account_state(tenant: TenantId, account_id: str) -> Key:
    return account_partition(tenant, account_id), "STATE"


def folder(tenant: TenantId, account_id: str, folder_id: str) -> Key:
    return account_partition(tenant, account_id), f"FOLDER#{folder_id}"


def lease(tenant: TenantId, account_id: str) -> Key:
    return account_partition(tenant, account_id), "LEASE"


def more(tenant: TenantId, account_id: str) -> Key:
    return account_partition(tenant, account_id), "MORE"


def run(tenant: TenantId, account_id: str, at: str, folder_id: str, why: str) -> Key:
    """A row of the ledger; `at` is RFC 3339 UTC to the second."""
    return account_partition(tenant, account_id), f"RUN#{at}#{folder_id}#{why}"


def overview(tenant: TenantId, account_id: str, received: str, message_id: str) -> Key:
    return account_partition(tenant, account_id), f"MAIL#{received}#{message_id}"


def gmail_ids(tenant: TenantId, account_id: str, generation: int, retention: str, time: int) -> Key:
    return account_partition(tenant, account_id), f"GMAIL#{generation}#{retention}#{time:05x}"


def secret(tenant: TenantId, account_id: str) -> Key:
    return _pk(tenant, "SECRET", account_id), "SECRET"


def secrets(tenant: TenantId, account_id: str) -> str:
    """Partition of an account's secret and of the code that will replace it."""
    return secret(tenant, account_id)[0]


def secret_code(tenant: TenantId, account_id: str) -> Key:
    return secrets(tenant, account_id), "CODE"


def opened_secret(tenant: TenantId, account_id: str) -> Key:
    """A partition of its own, of sync alone: no account id holds an `@`."""
    return secret(tenant, f"{account_id}@opened")[0], "OPENED"


def data_key(tenant: TenantId) -> Key:
    return secret(tenant, "@")[0], "DATA_KEY"


def client_secret(tenant: TenantId, provider: str) -> Key:
    """No account id holds an `@`."""
    return secret(tenant, f"@{provider}")


def oauth_client(tenant: TenantId, provider: str) -> Key:
    return _pk(tenant, "OAUTH"), f"CLIENT#{provider}"


def oauth_state(tenant: TenantId, digest: str) -> Key:
    return _pk(tenant, "OAUTHSTATE", digest), "STATE"


def message(tenant: TenantId, message_id: str) -> Key:
    return _pk(tenant, "MESSAGE", message_id), "MESSAGE"


def message_part(
    tenant: TenantId, message_id: str, version: int, content_hash: str, number: int
) -> Key:
    """Named by version and content: two writers of one version cannot overwrite each other's."""
    return (
        _pk(tenant, "MESSAGE", message_id),
        f"{part_prefix(version)}{content_hash}#{number:04d}",
    )


def part_prefix(version: int) -> str:
    return f"PART#{version:010d}#"


def records(tenant: TenantId, entity_type: str) -> str:
    """The list of all records of a type."""
    return _pk(tenant, "RECORDS", entity_type)


def record_row(tenant: TenantId, entity_type: str, entity_id: str) -> Key:
    return records(tenant, entity_type), f"RECORD#{entity_id}"


def record(tenant: TenantId, entity_type: str, entity_id: str) -> Key:
    return _pk(tenant, "RECORD", entity_type, entity_id), "META"


def child_row(tenant: TenantId, parent: tuple[str, str], child: tuple[str, str]) -> Key:
    """Both are type and id."""
    return record(tenant, *parent)[0], f"{child_prefix(child[0])}{child[1]}"


def child_prefix(entity_type: str) -> str:
    return f"CHILD#{entity_type}#"


def address(tenant: TenantId, normalised: str, chunk: int = 0) -> Key:
    """The address index. Own domains and `@domain` aliases are indexed under `@<domain>`."""
    return _pk(tenant, "ADDRESS", normalised), f"{chunk:04d}"


def blocklist(tenant: TenantId) -> str:
    return _pk(tenant, "BLOCKLIST")


def blocked_address(tenant: TenantId, normalised: str) -> Key:
    return blocklist(tenant), f"ADDRESS#{normalised}"


def blocked_domain(tenant: TenantId, domain: str) -> Key:
    return blocklist(tenant), f"DOMAIN#{domain}"


def archive(tenant: TenantId, entity_type: str, entity_id: str) -> str:
    return _pk(tenant, "ENTITY", entity_type, entity_id)


def archive_entry(
    tenant: TenantId, entity_type: str, entity_id: str, sort_time: str, message_id: str
) -> Key:
    return archive(tenant, entity_type, entity_id), f"FILED#{sort_time}#{message_id}"


def review(tenant: TenantId) -> str:
    return _pk(tenant, "REVIEW")


def review_entry(tenant: TenantId, sort_time: str, message_id: str) -> Key:
    return review(tenant), f"HELD#{sort_time}#{message_id}"


def unmatched(tenant: TenantId, normalised: str, sort_time: str, message_id: str) -> Key:
    return _pk(tenant, "UNMATCHED", normalised), f"{sort_time}#{message_id}"


def feed(tenant: TenantId, day: str) -> str:
    """The events of one day (UTC, `2026-11-26`): a partition a day, so that none grows for ever."""
    return _pk(tenant, "FEED", day)


def feed_row(tenant: TenantId, at: str, token: str) -> Key:
    """`at` is RFC 3339 UTC to the millisecond; `token` tells rows of one moment apart."""
    return feed(tenant, at[:10]), f"{at}#{token}"


def webhooks(tenant: TenantId) -> str:
    """Config and progress of all of a tenant's webhooks."""
    return _pk(tenant, "WEBHOOKS")


def webhook(tenant: TenantId, webhook_id: str) -> Key:
    return webhooks(tenant), f"WEBHOOK#{webhook_id}"


def webhook_progress(tenant: TenantId, webhook_id: str) -> Key:
    return webhooks(tenant), f"PROGRESS#{webhook_id}"


def webhook_secret(tenant: TenantId, webhook_id: str) -> Key:
    """No account id holds an `@`."""
    return secret(tenant, f"@webhook-{webhook_id}")


def deliveries(tenant: TenantId, webhook_id: str) -> str:
    """Partition of a webhook's deliveries, and of those that were asked for."""
    return _pk(tenant, "WEBHOOK", webhook_id)


def delivery(tenant: TenantId, webhook_id: str, delivery_id: str) -> Key:
    return deliveries(tenant, webhook_id), f"DELIVERY#{delivery_id}"


def asked_delivery(tenant: TenantId, webhook_id: str, delivery_id: str) -> Key:
    return deliveries(tenant, webhook_id), f"ASKED#{delivery_id}"


def idempotency(tenant: TenantId, digest: str) -> Key:
    return _pk(tenant, "IDEMPOTENCY", digest), "REQUEST"


def quota(tenant: TenantId, name: str) -> Key:
    return _pk(tenant, "QUOTA"), name


def usage(tenant: TenantId, day: str) -> Key:
    return _pk(tenant, "USAGE"), f"DAY#{day}"


def rate(tenant: TenantId, name: str, window: int) -> Key:
    """A count of one window of time, by its begin (epoch seconds)."""
    return _pk(tenant, "RATE", name), f"{window:010d}"


def job(tenant: TenantId, job_id: str) -> Key:
    return _pk(tenant, "JOB", job_id), "JOB"


def job_copy(tenant: TenantId, job_id: str, copy_id: str) -> Key:
    return _pk(tenant, "JOB", job_id), f"COPY#{copy_id}"


def job_message(tenant: TenantId, job_id: str, message_id: str) -> Key:
    """The ledger of a batch: what it changed at this message."""
    return _pk(tenant, "JOB", job_id), f"MSG#{message_id}"


def upload(tenant: TenantId, upload_id: str) -> Key:
    """A mail the tenant's own system announced."""
    return _pk(tenant, "UPLOAD", upload_id), "UPLOAD"


def provider_message(tenant: TenantId, mail_id: str) -> Key:
    """The Message-ID that a sending provider put in place of the mail's own."""
    return _pk(tenant, "MAILID", mail_id), "MESSAGE"


def unfiled(tenant: TenantId, entity_type: str, entity_id: str) -> str:
    """Messages a person took away from an entity, for good: its tombstones."""
    return _pk(tenant, "UNFILED", entity_type, entity_id)


def unfiled_entry(
    tenant: TenantId, entity_type: str, entity_id: str, sort_time: str, message_id: str
) -> Key:
    return unfiled(tenant, entity_type, entity_id), f"{sort_time}#{message_id}"


DISPATCH_CHECKPOINT: Key = ("DISPATCH", "LAST")
DUE_MORE = "DUE#MORE"
DUE_WEBHOOKS = "DUE#WEBHOOKS"


def due_slot(interval: int, slot: int) -> str:
    return f"DUE#{interval}#{slot:02d}"


def due_account(tenant: TenantId, account_id: str) -> str:
    return f"{tenant}#{account_id}"
